/// Values: what is black and what is white.
#include <algorithm>
#include <cmath>
#include <limits>

#include "samples.hpp"

using namespace ntkrob::situations;

namespace {

const Array kThree = cycle(kSamples, 0, 3);
const std::vector<Format> kArrays = {hdf5, npz, idx};
const std::vector<Format> kAll = {hdf5, npz, csv, idx};

Content with_values(const Array& x) {
  Content content = table(kThree);
  content.train.x = x;
  return content;
}

Array values(double low, double high, const std::string& type) { return pattern({kSamples, 10}, type, low, high); }

}  // namespace

TEST_CASE("bytes and whole numbers up to 255 are bytes in every type", "[situations]") {
  for (const char* type : {"|u1", "<i2", "<u2", ">u2", "<i4", "<i8", "<u8"}) {
    INFO("pixels of type " << type);
    const Content content = with_values(values(0, 255, type));
    table_situation(content, 0, 255).right({hdf5, npz, npy, csv}).check();
  }
  for (const char* type : {"|u1", "<i2", "<i4"})
    table_situation(with_values(values(0, 255, type)), 0, 255).read({idx}).check();
}

TEST_CASE("zeros and ones are 0 and 1 in every type", "[situations]") {
  for (const char* type : {"|u1", "|b1", "|i1", "<i4", "<i8", "<f4", "<f8"}) {
    INFO("pixels of type " << type);
    const Content content = with_values(mapped(
        values(0, 255, type), [](double v) { return v > 127 ? 1.0 : 0.0; }, type));
    Situation row = table_situation(content, 0, 1);
    row.read({hdf5, npz, csv});
    if (std::string(type) != "<i8") row.read({idx});
    row.check();
  }
}

TEST_CASE("values 0 to 16 are asked for, not drowned in darkness", "[situations]") {
  for (const char* type : {"<f8", "<f4", "|u1", "<i8"}) {  // scikit-learn's digits as loaded, and as people store them
    INFO("pixels of type " << type);
    const Content content = with_values(values(0, 16, type));
    Content rounded = content;
    rounded.train.x = mapped(
        content.train.x, [](double v) { return std::round(v); }, type);
    Situation row = table_situation(rounded, 0, 16);
    row.refused(kAll, {"16", "--value-range 0:16", "0:255"}).remedy({"--value-range", "0:16"}).check();
    Situation other = table_situation(rounded, 0, 255);
    other.with({"--value-range", "0:255"}).read(kAll).check();
  }
}

TEST_CASE("values 0 to 100 are asked for", "[situations]") {
  const Content content = with_values(values(0, 100, "|u1"));  // pendigits
  table_situation(content, 0, 100)
      .refused(kAll, {"--value-range 0:100", "0:255"})
      .remedy({"--value-range", "0:100"})
      .check();
}

TEST_CASE("a test split below the training split's largest value does not change the question", "[situations]") {
  Content content = with_values(values(0, 16, "|u1"));
  content.test.x = pattern({6, 10}, "|u1", 0, 15);
  content.test.y = cycle(6, 0, 3);
  Situation row = table_situation(content, 0, 16);
  row.gives_test(unit(content.test.x, 0, 16), as_labels(content.test.y));
  row.refused(kAll, {"--value-range 0:16"}).remedy({"--value-range", "0:16"}).check();
}

TEST_CASE("bytes that stop at 200 have white at 255", "[situations]") {
  table_situation(with_values(values(0, 200, "|u1")), 0, 255).read(kAll).check();
  table_situation(with_values(values(0, 200, "<i4")), 0, 255).read(kAll).check();
}

TEST_CASE("floating-point values up to 255 are taken so, and it is said", "[situations]") {
  for (const char* type : {"<f4", "<f8"})
    for (const double high : {255.0, 254.5, 200.0}) {
      INFO("largest value " << high << " of type " << type);
      Situation row = table_situation(with_values(values(0, high, type)), 0, 255);
      row.said({hdf5, npz, idx}, {"255"});
      // In a text, 3.0 is 3.
      const bool whole = high == 255;
      (whole ? row.read({csv}) : row.said({csv}, {"255"})).check();
    }
}

TEST_CASE("floating-point values in [0,1] are taken as they are in every width", "[situations]") {
  for (const char* type : {"<f4", ">f4", "<f8"})
    table_situation(with_values(values(0, 1, type)), 0, 1).right({hdf5, npz, npy, csv}).check();
  table_situation(with_values(values(0, 1, "<f4")), 0, 1).read({idx}).check();
  const Array halves = mapped(
      values(0, 255, "<f2"), [](double v) { return std::round(v / 255 * 64) / 64; }, "<f2");
  table_situation(with_values(halves), 0, 1).right({hdf5, npz}).check();
}

TEST_CASE("pictures darker than half are read, and the factor is said", "[situations]") {
  const Content content = with_values(values(0, 0.0625, "<f8"));  // 0 .. 16 divided by 256
  table_situation(content, 0, 1).said(kAll, {"0.0625", "16"}).check();
}

TEST_CASE("a largest value a little above one is refused", "[situations]") {
  const Content content = with_values(values(0, 1.5, "<f4"));
  table_situation(content, 0, 1.5).refused(kAll, {"1.5", "--value-range"}).remedy({"--value-range", "0:1.5"}).check();
}

TEST_CASE("values of 10, 12 and 16 bits are asked for", "[situations]") {
  for (const double high : {1023.0, 4095.0, 65535.0}) {
    INFO("largest value " << high);
    const Content content = with_values(values(0, high, "<i4"));
    const std::string range = "0:" + std::to_string(static_cast<int>(high));
    table_situation(content, 0, high).refused(kAll, {"--value-range"}).remedy({"--value-range", range}).check();
  }
  const Content content = with_values(values(0, 65535, "<u2"));
  table_situation(content, 0, 65535)
      .refused({hdf5, npz}, {"65535", "--value-range"})
      .remedy({"--value-range", "0:65535"})
      .check();
}

TEST_CASE("values below zero are asked for", "[situations]") {
  for (const char* type : {"|i1", "<i4"}) {
    const Content content = with_values(values(-128, 127, type));
    table_situation(content, -128, 127)
        .refused(kAll, {"-128", "--value-range"})
        .remedy({"--value-range=-128:127"})
        .check();
  }
  for (const char* type : {"<f4", "<f8"}) {
    const Content content = with_values(values(-1, 1, type));
    Situation row = table_situation(content, -1, 1);
    row.refused({hdf5, npz, csv}, {"[-1, 1]", "--value-range"}).remedy({"--value-range=-1:1"}).check();
  }
  const Content content = with_values(values(-0.4242, 2.8215, "<f4"));  // MNIST after Normalize(0.1307, 0.3081)
  table_situation(content, -0.4242, 2.8215)
      .refused(kAll, {"--value-range"})
      .remedy({"--value-range=-0.4242:2.8215"})
      .check();
}

TEST_CASE("a range that the file states is taken", "[situations]") {
  Content content = with_values(values(-1, 1, "<f4"));
  content.range = {{-1, 1}};
  table_situation(content, -1, 1).read({hdf5, npz}).check();
  content = with_values(values(0, 16, "<f8"));
  content.range = {{0, 16}};
  table_situation(content, 0, 16).read({hdf5, npz}).check();
  // The range means the values of black and white, not extremes: pictures may be darker.
  content = with_values(values(-0.5, 0.25, "<f4"));
  content.range = {{-1, 1}};
  table_situation(content, -1, 1).read({hdf5, npz}).check();
}

TEST_CASE("splits on different scales are refused", "[situations]") {
  Content content = with_values(values(0, 255, "<f4"));
  content.test.x = pattern({kSamples, 10}, "<f4", 0, 1);
  content.test.y = kThree;
  Situation(content).refused(kAll, {"255", "1"}).check();
  content.train.x = values(0, 255, "|u1");
  Situation(content).refused(kAll, {"255", "1"}).check();
  content.train.x = values(0, 1, "<f8");
  content.test.x = pattern({kSamples, 10}, "|u1", 0, 255);
  Situation(content).refused(kAll, {"255", "1"}).check();
}

TEST_CASE("features of different units are asked for, and each gets its own range on request", "[situations]") {
  Content content = with_values(values(0, 1, "<f8"));
  for (long i = 0; i < kSamples; ++i)
    for (long j = 0; j < 10; ++j)
      content.train.x.numbers[static_cast<std::size_t>(i * 10 + j)] *= std::pow(4.0, static_cast<double>(j));
  Array expected = content.train.x;
  for (long j = 0; j < 10; ++j) {
    double low = std::numeric_limits<double>::infinity(), high = -low;
    for (long i = 0; i < kSamples; ++i) {
      const double value = content.train.x.numbers[static_cast<std::size_t>(i * 10 + j)];
      low = std::min(low, value);
      high = std::max(high, value);
    }
    for (long i = 0; i < kSamples; ++i) {
      double& value = expected.numbers[static_cast<std::size_t>(i * 10 + j)];
      value = (value - low) / (high - low);
    }
  }
  Situation row(content);
  row.gives(expected, as_labels(kThree), 3, kRow);
  row.refused(kAll, {"--value-range", "columns"}).remedy({"--value-range", "columns"}).check();
}

TEST_CASE("values that are no numbers are refused with their place", "[situations]") {
  for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity()}) {
    Content content = with_values(values(0, 1, "<f4"));
    content.train.x.numbers[4 * 10 + 3] = bad;
    Situation(content)
        .refused(kArrays, {std::isnan(bad) ? "nan" : "inf", "4", "3"})
        .refused({csv}, {std::isnan(bad) ? "nan" : "inf"})
        .check();
  }
}

TEST_CASE("dark bytes are asked for, and may be what they are", "[situations]") {
  Content content = pictures(blocks(24, 0, 3));
  content.train.x = pattern({24, 8, 8}, "|u1", 0, 90);
  Situation row(content);
  row.gives(unit(content.train.x), as_labels(content.train.y), 3, kPicture);
  row.refused({hdf5, npz, csv, idx, png}, {"--value-range 0:90", "0:255"}).remedy({"--value-range", "0:255"}).check();
}

TEST_CASE("a range that cannot be is refused", "[situations]") {
  const Content content = with_values(values(0, 16, "<f8"));
  for (const char* range : {"16:0", "3:3", "0:", "white", "0:nan"}) {
    INFO("range " << range);
    Situation(content).with({"--value-range", range}).refused({hdf5, npz, csv}, {"--value-range", range}).check();
  }
  // Values outside the stated range would be cut off or wrong.
  Situation(content).with({"--value-range", "0:8"}).refused({hdf5, npz, csv, idx}, {"16", "--value-range"}).check();
}

TEST_CASE("a dark test split beside a bright training split is no other scale", "[situations]") {
  Content content = with_values(values(0, 255, "|u1"));
  content.test.x = pattern({9, 10}, "|u1", 0, 140);
  content.test.y = cycle(9, 0, 3);
  Situation row = table_situation(content, 0, 255);
  row.gives_test(unit(content.test.x), as_labels(content.test.y)).read(kAll).check();
}

TEST_CASE("the ranges of another file are taken on request", "[situations]") {
  using ntkrob::cli_test::run_ok;
  // Another part of the same measurements, whose features reach further.
  Content other = with_values(values(-2, 6, "<f8"));
  Content content = with_values(values(-1, 2, "<f8"));
  Situation row = table_situation(content, -2, 6);
  const auto maker = [&](const std::string& range) {
    return [=](const std::string& folder) {
      const Input first = write(other, npz, folder);
      run_ok({"convert", first.paths[0], "--value-range=" + range, "--quiet", "-o", folder + "/ranges.h5"});
      Input input = write(content, hdf5, folder);
      input.options = {"--value-range", folder + "/ranges.h5"};
      return input;
    };
  };
  row.read("a stated range", maker("-2:6")).check();
  Situation columns(content);
  Array expected = content.train.x;
  for (long j = 0; j < 10; ++j) {
    const auto at = [&](const Array& x, long i) { return x.numbers[static_cast<std::size_t>(i * 10 + j)]; };
    double low = at(other.train.x, 0), high = low;
    for (long i = 0; i < kSamples; ++i) {
      low = std::min(low, at(other.train.x, i));
      high = std::max(high, at(other.train.x, i));
    }
    for (long i = 0; i < kSamples; ++i)
      expected.numbers[static_cast<std::size_t>(i * 10 + j)] = (at(content.train.x, i) - low) / (high - low);
  }
  columns.gives(expected, as_labels(kThree), 3, kRow).read("ranges of columns", maker("columns")).check();
}

TEST_CASE("a feature that never changes is no division by zero", "[situations]") {
  Content content = with_values(values(0, 90, "<f8"));
  for (long i = 0; i < kSamples; ++i) content.train.x.numbers[static_cast<std::size_t>(i * 10 + 4)] = 7;
  Array expected = content.train.x;
  for (long j = 0; j < 10; ++j) {
    double low = 1e9, high = -1e9;
    for (long i = 0; i < kSamples; ++i) {
      low = std::min(low, content.train.x.numbers[static_cast<std::size_t>(i * 10 + j)]);
      high = std::max(high, content.train.x.numbers[static_cast<std::size_t>(i * 10 + j)]);
    }
    for (long i = 0; i < kSamples; ++i) {
      double& value = expected.numbers[static_cast<std::size_t>(i * 10 + j)];
      value = j == 4 ? 0 : (value - low) / (high - low);
    }
  }
  Situation row(content);
  row.gives(expected, as_labels(kThree), 3, kRow).with({"--value-range", "columns"}).read(kAll).check();
}
