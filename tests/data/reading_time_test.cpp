/// Inputs made to take for ever: tables of many columns or quotes, names that are many or long. All of them are refused
/// or read in time, by their own size.
#include <random>

#include "data/data_kit.hpp"
#include "npy.hpp"
#include "text_table.hpp"
#include "zip_file.hpp"

using namespace ntkrob;
using kit::message_of;
using kit::seconds_of;

TEST_CASE("tables have at most 2^20 columns", "[data]") {
  const kit::TemporaryFolder folder;
  const std::string path = folder.file("a.csv");
  const auto line = [](std::size_t n, char separator) {
    std::string out(2 * n - 1, '1');
    for (std::size_t i = 1; i < out.size(); i += 2) out[i] = separator;
    return out + "\n";
  };
  const std::size_t limit = io::kMaxColumns;
  for (const char separator : {',', ';', '\t', ' '}) {
    kit::spill(path, line(limit + 1, separator) + line(limit + 1, separator));
    CHECK_CONTAINS(message_of([&] { open_dataset({path}); }), "more than 1048576 columns");
    kit::spill(path, line(20 * limit, separator) + "1\n");
    CHECK_CONTAINS(message_of([&] { open_dataset({path}); }), "more than 1048576 columns");
  }
  std::string sparse = "1";
  for (std::size_t i = 1; i <= limit + 1; ++i) sparse += " " + std::to_string(i) + ":1";
  kit::spill(folder.file("a.libsvm"), sparse + "\n");
  CHECK_CONTAINS(message_of([&] { open_dataset({folder.file("a.libsvm")}); }), "more than 1048576 numbers in a line");
  std::string arff = "@relation a\n";
  for (std::size_t i = 0; i <= limit; ++i) arff += "@attribute a numeric\n";
  kit::spill(folder.file("a.arff"), arff + "@data\n");
  CHECK_CONTAINS(message_of([&] { open_dataset({folder.file("a.arff")}); }), "more than 1048576 attributes");
}

TEST_CASE("fields between quotes are split in linear time, and as they always were", "[data]") {
  // Straightforward: from every quote that opens, a look for the one that closes.
  const auto slowly = [](const std::string& line) {
    std::vector<std::string> fields;
    for (std::size_t at = 0; at <= line.size();) {
      const std::size_t first = line.find_first_not_of(" \t", at);
      std::size_t end = line.find(',', at);
      if (first != std::string::npos && (line[first] == '"' || line[first] == '\'')) {
        std::size_t close = line.find(line[first], first + 1);
        while (close != std::string::npos) {
          const std::size_t after = line.find_first_not_of(" \t", close + 1);
          if (after == std::string::npos || line[after] == ',') break;
          close = line.find(line[first], close + (line[close + 1] == line[first] ? 2 : 1));
        }
        if (close != std::string::npos) end = line.find(',', close);
      }
      end = std::min(end, line.size());
      fields.push_back(line.substr(at, end - at));
      at = end + 1;
    }
    return fields;
  };
  std::mt19937 draw(5);
  std::vector<std::string_view> fields;
  std::string scratch;
  for (int round = 0; round < 20000; ++round) {
    std::string line = "'";
    for (std::size_t n = draw() % 24; n > 0; --n) line += "\"\"'',, ab"[draw() % 9];
    io::split_fields(line, ',', fields, scratch);
    const std::vector<std::string> expected = slowly(line);
    REQUIRE(fields.size() == expected.size());
    for (std::size_t i = 0; i < fields.size(); ++i) {
      INFO(line << " field " << i);
      std::vector<std::string_view> one;
      io::split_fields(expected[i], ';', one, scratch);  // trims
      CHECK(fields[i] == one[0]);
    }
  }
  std::string open_quotes;
  for (int i = 0; i < 300000; ++i) open_quotes += "\"a,";
  CHECK(seconds_of([&] { io::split_fields(open_quotes, ',', fields, scratch); }) < 2);
  CHECK(fields.size() == 300001);
  const std::string quotes(std::size_t{1} << 25, '"');
  CHECK(seconds_of([&] { io::split_fields(quotes, ',', fields, scratch); }) < 2);
}

TEST_CASE("long runs of numbers between tabs are looked into while they are there", "[data]") {
  const kit::TemporaryFolder folder;
  // 40 characters: more than a string keeps in itself. The sanitizer sees a look at what is gone.
  kit::spill(folder.file("a.txt"),
             "0\t0.25 0.125 0.0625 0.50 0.75 0.875 0.999999\n1\t0.9 0.5 0.25 0.125 0.0625 0.25 0.3\n");
  const Dataset data = open_dataset({folder.file("a.txt")});
  CHECK(data.shape.channels == 7);
  CHECK(data.train.pixels.data()[6] == 0.999999f);
}

TEST_CASE("names that are many or long are looked up in time", "[data]") {
  const kit::TemporaryFolder folder;
  // Columns and --drop.
  constexpr int kColumns = 150000, kDropped = 30000;
  std::string header = "label", row = "1", dropped;
  for (int c = 0; c < kColumns; ++c) {
    header += text(",feature-number-", c);
    row += ",1";
    if (c < kDropped) dropped += text(c ? "," : "", "feature-number-", kColumns - 1 - c);
  }
  kit::spill(folder.file("a.csv"), header + "\n" + row + "\n0" + row.substr(1) + "\n");
  ReadOptions options;
  options.drop = dropped;
  CHECK(seconds_of(
            [&] { CHECK(open_dataset({folder.file("a.csv")}, options).shape.channels == kColumns - kDropped); }) < 10);
  // Class names of two files in another order.
  constexpr std::size_t kClasses = 50000, kWidth = 16;
  const auto classes = [&](const std::string& path, bool backwards) {
    std::string names;
    std::vector<std::int64_t> labels;
    for (std::size_t c = 0; c < kClasses; ++c) {
      std::string name = text("class-number-", backwards ? kClasses - 1 - c + 100000 : c + 100000).substr(0, kWidth);
      name.resize(kWidth, '\0');
      names += name;
      labels.push_back(static_cast<std::int64_t>(c));
    }
    const std::vector<std::uint8_t> pixels(2 * kClasses, 200);
    io::ZipWriter writer;
    writer.add("x_train.npy", io::npy("|u1", {kClasses, 2}, pixels.data(), pixels.size()));
    writer.add("y_train.npy", io::npy("<i8", {kClasses}, labels.data(), 8 * kClasses));
    writer.add("class_names.npy", io::npy("|S16", {kClasses}, names.data(), names.size()));
    kit::spill(path, writer.finish());
  };
  classes(folder.file("a.npz"), false);
  classes(folder.file("b.npz"), true);
  options = {};
  options.test_file = folder.file("b.npz");
  CHECK(seconds_of([&] { CHECK(open_dataset({folder.file("a.npz")}, options).test.n == kClasses); }) < 5);
  // A member whose name is as long as a name can be.
  io::ZipWriter writer;
  const std::uint8_t one = 1;
  for (int i = 0; i < 8; ++i) writer.add(std::string(65000, static_cast<char>('a' + i)), io::npy("|u1", {}, &one, 1));
  for (int i = 0; i < 8; ++i)
    writer.add(std::string(65000, static_cast<char>('a' + i)) + ".npy", io::npy("|u1", {}, &one, 1));
  kit::spill(folder.file("c.npz"), writer.finish());
  CHECK(seconds_of([&] { open_dataset({folder.file("c.npz")}); }) < 2);
}

TEST_CASE("a list of arrays that are left out looks at those that it shows", "[data]") {
  const kit::TemporaryFolder folder;
  io::ZipWriter writer;
  const std::string zeros(std::size_t{1} << 24, '\0');
  const std::string array = io::npy("|u1", {zeros.size()}, zeros.data(), zeros.size());
  for (int i = 0; i < 30; ++i) writer.add(text("array", i, ".npy"), array);
  kit::spill(folder.file("a.npz"), writer.finish());
  CHECK(seconds_of([&] {
          const std::string message = message_of([&] { open_dataset({folder.file("a.npz")}); });
          CHECK_CONTAINS(message, "array0 [16777216]");
        }) < 1);
}
