/// Images that stay in their HDF5 file and are read and written block by block: the same data sets, notes, refusals and
/// files as by way of memory. The threshold is a few hundred bytes here, so that small sets have many blocks.
#include <hdf5.h>

#include <cmath>
#include <functional>
#include <limits>

#include "data/data_kit.hpp"

using namespace ntkrob;

namespace {

constexpr std::size_t kBlock = 700;  // a few images; no divisor of anything below

struct Array {
  std::string name;
  hid_t stored;  // type in the file
  std::vector<hsize_t> shape;
  std::vector<double> values;
  std::vector<hsize_t> chunk = {};  // empty: contiguous
  hsize_t written = 0;              // rows, where only some are
};

void write_array(hid_t file, const Array& a) {
  const int rank = static_cast<int>(a.shape.size());
  const hid_t space = H5Screate_simple(rank, a.shape.data(), nullptr), properties = H5Pcreate(H5P_DATASET_CREATE);
  if (!a.chunk.empty()) {
    REQUIRE(H5Pset_chunk(properties, rank, a.chunk.data()) >= 0);
    REQUIRE(H5Pset_deflate(properties, 1) >= 0);
  }
  const hid_t dataset = H5Dcreate2(file, a.name.c_str(), a.stored, space, H5P_DEFAULT, properties, H5P_DEFAULT);
  REQUIRE(dataset >= 0);
  if (a.written > 0) {
    std::vector<hsize_t> start(a.shape.size(), 0), extent(a.shape);
    extent[0] = a.written;
    REQUIRE(H5Sselect_hyperslab(space, H5S_SELECT_SET, start.data(), nullptr, extent.data(), nullptr) >= 0);
    const hid_t memory = H5Screate_simple(rank, extent.data(), nullptr);
    REQUIRE(H5Dwrite(dataset, H5T_NATIVE_DOUBLE, memory, space, H5P_DEFAULT, a.values.data()) >= 0);
    H5Sclose(memory);
  } else {
    REQUIRE(H5Dwrite(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, a.values.data()) >= 0);
  }
  H5Dclose(dataset);
  H5Pclose(properties);
  H5Sclose(space);
}

void write_texts(hid_t file, const std::string& name, const std::vector<std::string>& texts) {
  const hid_t type = H5Tcopy(H5T_C_S1);
  constexpr std::size_t kWidth = 8;
  H5Tset_size(type, kWidth);
  std::string padded;
  for (std::string text : texts) {
    text.resize(kWidth, '\0');
    padded += text;
  }
  const hsize_t n = texts.size();
  const hid_t space = H5Screate_simple(1, &n, nullptr);
  const hid_t dataset = H5Dcreate2(file, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  REQUIRE(H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, padded.data()) >= 0);
  H5Dclose(dataset);
  H5Sclose(space);
  H5Tclose(type);
}

void write_file(const std::string& path, const std::vector<Array>& arrays, const std::vector<std::string>& texts = {}) {
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  REQUIRE(file >= 0);
  for (const Array& a : arrays) write_array(file, a);
  if (!texts.empty()) write_texts(file, "y_train", texts);
  H5Fclose(file);
}

/// count numbers low, low + step, ... up to high, over and over, in an order that no axis repeats.
std::vector<double> ramp(hsize_t count, double low, double high, double step = 1) {
  std::vector<double> values(count);
  const auto period = static_cast<hsize_t>((high - low) / step) + 1;
  for (hsize_t i = 0; i < count; ++i) values[i] = low + step * static_cast<double>((i * 7919 + i / 97) % period);
  values[count / 2] = high;
  return values;
}

hsize_t size_of(const std::vector<hsize_t>& shape) {
  hsize_t count = 1;
  for (const hsize_t extent : shape) count *= extent;
  return count;
}

Array images(const std::string& name, hid_t type, std::vector<hsize_t> shape, double low, double high, double step = 1,
             std::vector<hsize_t> chunk = {}) {
  const hsize_t count = size_of(shape);
  return {name, type, std::move(shape), ramp(count, low, high, step), std::move(chunk)};
}

Array labels(const std::string& name, hsize_t n, int classes = 5) {
  Array y{name, H5T_STD_I64LE, {n}, {}};
  for (hsize_t i = 0; i < n; ++i)
    y.values.push_back(static_cast<double>((i * 3 + i / 7) % static_cast<hsize_t>(classes)));
  return y;
}

/// The data set, or the refusal.
struct Outcome {
  Dataset data;
  std::string error;
};

Outcome read(const std::string& path, const ReadOptions& options) {
  Outcome outcome;
  try {
    outcome.data = open_dataset({path}, options);
  } catch (const Error& error) {
    outcome.error = error.what();
  }
  return outcome;
}

/// Reads the file by way of memory and in blocks, and writes both. Returns what came out, from memory.
Outcome compare(const kit::TemporaryFolder& folder, const ReadOptions& options = {}, bool stays = true) {
  const std::string path = folder.file("in.h5");
  ReadOptions parts = options;
  parts.in_memory = kBlock;
  const Outcome whole = read(path, options), blocks = read(path, parts);
  CHECK(whole.error == blocks.error);
  if (!whole.error.empty() || !blocks.error.empty()) return whole;
  const Dataset &a = whole.data, &b = blocks.data;
  CHECK(a.notes == b.notes);
  CHECK(a.class_names == b.class_names);
  CHECK(a.feature_low == b.feature_low);
  CHECK(a.feature_high == b.feature_high);
  CHECK(a.checksum() == b.checksum());
  CHECK(bool(b.train.in_file) == stays);
  CHECK_FALSE(a.train.in_file);
  Dataset loaded = b;
  loaded.train = b.train.loaded(b.shape.size());
  loaded.test = b.test.loaded(b.shape.size());
  kit::check_equal(a, loaded);
  CHECK(a.train.extremes() == b.train.extremes());
  CHECK(a.test.extremes() == b.test.extremes());
  index seen = 0, steps = 0;
  b.train.each_block([&](const Split& block, index first) {
    CHECK(first == seen);
    seen += block.n;
    ++steps;
  });
  CHECK(seen == a.train.n);
  CHECK((!stays || steps > 1));

  for (const std::size_t plain_from : {std::size_t{1}, SIZE_MAX}) {  // both ways of storing
    SaveOptions save;
    save.force = true;
    save.plain_from = plain_from;
    save_dataset(a, folder.file("a.h5"), save);
    save_dataset(b, folder.file("b.h5"), save);
    CHECK(kit::slurp(folder.file("a.h5")) == kit::slurp(folder.file("b.h5")));
    kit::check_equal(open_dataset({folder.file("b.h5")}), a);
    // And what ntkrob wrote, again in blocks.
    ReadOptions own;
    own.in_memory = kBlock;
    const Dataset again = open_dataset({folder.file("b.h5")}, own);
    CHECK(again.train.in_file);
    CHECK(again.checksum() == a.checksum());
    save_dataset(again, folder.file("c.h5"), save);
    kit::check_equal(open_dataset({folder.file("c.h5")}), a);
  }
  save_dataset(a, folder.file("a.npz"), true);
  save_dataset(b, folder.file("b.npz"), true);
  CHECK(kit::slurp(folder.file("a.npz")) == kit::slurp(folder.file("b.npz")));
  return whole;
}

}  // namespace

TEST_CASE("images in blocks are those of memory, for every layout, type and range", "[data]") {
  const kit::TemporaryFolder folder;
  struct Case {
    const char* what;
    hid_t type;
    std::vector<hsize_t> shape, test_shape;
    double low, high, step;
    std::vector<hsize_t> chunk;
    bool stays = true;
  };
  const std::vector<Case> cases = {
      {"bytes NHWC", H5T_STD_U8LE, {101, 6, 5, 3}, {23, 6, 5, 3}, 0, 255, 1, {}},
      {"bytes NHWC in chunks of whole rows", H5T_STD_U8LE, {101, 6, 5, 3}, {23, 6, 5, 3}, 0, 255, 1, {4, 6, 5, 3}},
      {"bytes in chunks larger than a block, cut along all axes",
       H5T_STD_U8LE,
       {101, 6, 5, 3},
       {23, 6, 5, 3},
       0,
       255,
       1,
       {13, 4, 2, 2}},
      {"bytes NCHW", H5T_STD_U8LE, {101, 3, 6, 5}, {23, 3, 6, 5}, 0, 255, 1, {}},
      {"bytes NHW", H5T_STD_U8LE, {101, 6, 5}, {23, 6, 5}, 0, 255, 1, {7, 6, 5}},
      {"bytes in rows of square length", H5T_STD_U8LE, {101, 64}, {23, 64}, 0, 255, 1, {}},
      {"bytes that are 0 and 1", H5T_STD_U8LE, {101, 6, 5, 1}, {23, 6, 5, 1}, 0, 1, 1, {}},
      {"whole numbers of 64 bits", H5T_STD_I64LE, {101, 6, 5, 3}, {23, 6, 5, 3}, 0, 255, 1, {}},
      {"whole numbers of 16 bits, the other byte order, NCHW",
       H5T_STD_U16BE,
       {101, 1, 6, 5},
       {23, 1, 6, 5},
       0,
       250,
       1,
       {9, 1, 6, 5}},
      {"floats in [0,1], NCHW", H5T_IEEE_F32LE, {101, 3, 6, 5}, {23, 3, 6, 5}, 0, 1, 1.0 / 64, {}},
      {"doubles in [0,1]", H5T_IEEE_F64BE, {101, 6, 5, 4}, {23, 6, 5, 4}, 0, 1, 0.01, {10, 6, 5, 4}},
      {"whole floats up to 255", H5T_IEEE_F32LE, {101, 6, 5, 3}, {23, 6, 5, 3}, 0, 255, 1, {}},
      {"floats up to 255", H5T_IEEE_F32LE, {101, 6, 5, 3}, {23, 6, 5, 3}, 0, 255, 0.25, {}},
      {"dark floats", H5T_IEEE_F32LE, {101, 6, 5, 3}, {23, 6, 5, 3}, 0, 0.25, 1.0 / 64, {}},
      {"signals NTC", H5T_IEEE_F32LE, {101, 40, 1}, {23, 40, 1}, 0, 1, 1.0 / 64, {}},
      {"samples on the last axis, through memory", H5T_STD_U8LE, {6, 6, 3, 101}, {6, 6, 3, 23}, 0, 255, 1, {}, false},
  };
  for (const Case& c : cases) {
    INFO(c.what);
    write_file(folder.file("in.h5"),
               {images("x_train", c.type, c.shape, c.low, c.high, c.step, c.chunk), labels("y_train", 101),
                images("x_test", c.type, c.test_shape, c.low, c.high, c.step, c.chunk), labels("y_test", 23)});
    const Outcome outcome = compare(folder, {}, c.stays);
    CHECK(outcome.error == "");
    CHECK(outcome.data.train.n == 101);
    CHECK(outcome.data.test.n == 23);
  }
}

TEST_CASE("options act on blocks as in memory", "[data]") {
  const kit::TemporaryFolder folder;
  const auto write = [&](hid_t type, double low, double high, double step) {
    write_file(folder.file("in.h5"),
               {images("data", type, {101, 90}, low, high, step, {8, 90}), labels("target", 101),
                images("other", type, {23, 90}, low, high + 3, step), labels("other_target", 23)});
  };
  ReadOptions named;
  named.x = "data";
  named.y = "target";
  const auto with = [&](const std::function<void(ReadOptions&)>& change) {
    ReadOptions options = named;
    change(options);
    const Outcome outcome = compare(folder, options);
    CHECK(outcome.error == "");
    return outcome.data;
  };

  write(H5T_STD_U8LE, 0, 16, 1);
  CHECK(with([](ReadOptions& o) { o.value_range = "0:16"; }).value_high == 16);
  CHECK(with([](ReadOptions& o) {
          o.value_range = "0:255";
          o.image_shape = "6x5x3";
          o.layout = "NCHW";
        }).shape == ImageShape{6, 5, 3});
  CHECK(with([](ReadOptions& o) {
          o.value_range = "0:16";
          o.image_shape = "6x5x3";
          o.layout = "NWHC";
          o.renumber = true;
        }).shape == ImageShape{6, 5, 3});
  for (const double fraction : {0.02, 0.3, 0.9}) {
    const Dataset split = with([&](ReadOptions& o) {
      o.value_range = "0:16";
      o.test_fraction = fraction;
      o.split_seed = 3;
    });
    CHECK(split.test.n == std::llround(fraction * 101));
  }

  write(H5T_IEEE_F64LE, -3, 50, 0.5);
  const Dataset scaled = with([](ReadOptions& o) {
    o.value_range = "columns";
    o.test_fraction = 0.25;
  });
  CHECK(scaled.feature_low.size() == 90);
  // The test values reach further than the training values: clipped, and counted once.
  const Dataset clipped = with([](ReadOptions& o) {
    o.value_range = "columns";
    o.x_test = "other";
    o.y_test = "other_target";
  });
  bool said = false;
  for (const std::string& note : clipped.notes) said = said || note.find("values lie outside") != std::string::npos;
  CHECK(said);
  save_dataset(clipped, folder.file("ranges.h5"), true);
  CHECK(with([&](ReadOptions& o) { o.value_range = folder.file("ranges.h5"); }).feature_high == clipped.feature_high);
}

TEST_CASE("labels of every kind stand beside images in blocks", "[data]") {
  const kit::TemporaryFolder folder;
  const Array x = images("x_train", H5T_STD_U8LE, {101, 6, 5, 3}, 0, 255);
  Array column = labels("y_train", 101), hot{"y_train", H5T_STD_U8LE, {101, 4}, std::vector<double>(404, 0)},
        targets{"y_train", H5T_IEEE_F32LE, {101, 4}, ramp(404, -1, 1, 0.125)};
  column.shape = {101, 1};
  for (hsize_t i = 0; i < 101; ++i) hot.values[i * 4 + i % 4] = 1;
  for (const Array& y : {column, hot, targets}) {
    write_file(folder.file("in.h5"), {x, y});
    CHECK(compare(folder).error == "");
  }
  std::vector<std::string> texts;
  for (int i = 0; i < 101; ++i) texts.push_back(i % 3 == 0 ? "cat" : i % 3 == 1 ? "dog" : "ant");
  write_file(folder.file("in.h5"), {x}, texts);
  CHECK(compare(folder).data.class_names == std::vector<std::string>{"ant", "cat", "dog"});
}

TEST_CASE("what memory refuses, blocks refuse with the same words", "[data]") {
  const kit::TemporaryFolder folder;
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const auto refused = [&](const std::vector<Array>& arrays, const std::string& part) {
    write_file(folder.file("in.h5"), arrays);
    const std::string error = compare(folder).error;
    CHECK_CONTAINS(error, part);
  };
  const Array y = labels("y_train", 101);
  Array broken = images("x_train", H5T_IEEE_F32LE, {101, 6, 5, 3}, 0, 1, 0.125);
  broken.values[77 * 90 + 11] = nan;
  refused({broken, y}, "image 77, pixel 11 is nan");
  refused({images("x_train", H5T_STD_U8LE, {101, 6, 5, 3}, 0, 16), y}, "value-range=0:16");
  refused({images("x_train", H5T_STD_I16LE, {101, 6, 5, 3}, -5, 255), y}, "span [-5, 255]");
  refused({images("x_train", H5T_STD_U8LE, {101, 6, 5, 3}, 0, 255), y,
           images("x_test", H5T_IEEE_F32LE, {23, 6, 5, 3}, 0, 1, 0.125), labels("y_test", 23)},
          "scaled differently");
  refused({images("x_train", H5T_STD_U8LE, {101, 6, 5, 3}, 0, 255), labels("y_train", 100)},
          "100 labels for 101 images");
  Array half = images("x_train", H5T_STD_U8LE, {101, 6, 5, 3}, 0, 255, 1, {5, 6, 5, 3});
  half.written = 50;
  refused({half, y}, "of 101 rows only 50 were ever written");
  refused({images("x_train", H5T_STD_U8LE, {101, 3, 6, 3}, 0, 255), y}, "can be read in");

  // A value outside of the range that the file states.
  Dataset own = kit::small_floats();
  save_dataset(own, folder.file("in.h5"), true);
  const hid_t file = H5Fopen(folder.file("in.h5").c_str(), H5F_ACC_RDWR, H5P_DEFAULT);
  const hid_t x = H5Dopen2(file, "x_train", H5P_DEFAULT);
  std::vector<float> values(static_cast<std::size_t>(own.train.pixels.size()), 0.5f);
  values[2 * 36 + 7] = 3;
  REQUIRE(H5Dwrite(x, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) >= 0);
  H5Dclose(x);
  H5Fclose(file);
  const std::string error = compare(folder).error;
  CHECK_CONTAINS(error, "image 2, pixel 7 is 3, outside the value range [-1, 2]");
}

TEST_CASE("a file written in blocks appears whole or not at all", "[data]") {
  const kit::TemporaryFolder folder;
  write_file(folder.file("in.h5"), {images("x_train", H5T_STD_U8LE, {101, 6, 5, 3}, 0, 255), labels("y_train", 101)});
  ReadOptions parts;
  parts.in_memory = kBlock;
  const Dataset data = open_dataset({folder.file("in.h5")}, parts);
  SaveOptions save;
  save.plain_from = 1;

  index calls = 0;
  save.progress = [&](index done, index total) {
    CHECK(total == 101);
    ++calls;
    if (done > 50) throw Interrupted("enough");
  };
  CHECK_THROWS_AS(save_dataset(data, folder.file("out.h5"), save), Interrupted);
  CHECK(calls > 3);
  CHECK(folder.count() == 1);

  save.progress = {};  // in the place of its own source
  CHECK_THROWS_AS(save_dataset(data, folder.file("in.h5"), save), ConfigError);
  save.force = true;
  const std::string checksum = data.checksum();
  save_dataset(data, folder.file("in.h5"), save);
  CHECK(folder.count() == 1);
  CHECK(open_dataset({folder.file("in.h5")}).checksum() == checksum);
}

TEST_CASE("what must be in memory and is larger than allowed is refused before it is read", "[data]") {
  const kit::TemporaryFolder folder;
  ReadOptions options;
  options.memory = 5000;
  for (const bool last_axis : {false, true}) {
    write_file(folder.file("in.h5"),
               {images("x_train", H5T_STD_U8LE,
                       last_axis ? std::vector<hsize_t>{6, 6, 3, 101} : std::vector<hsize_t>{101, 6, 6, 3}, 0, 255),
                labels("y_train", 101)});
    options.in_memory = last_axis ? kBlock : SIZE_MAX;
    const std::string message = kit::message_of<ResourceError>([&] { open_dataset({folder.file("in.h5")}, options); });
    CHECK_CONTAINS(message, "in.h5: x_train: needs 10908 bytes of memory");
    CHECK_CONTAINS(message, "(memory)");
  }
  options.in_memory = kBlock;
  write_file(folder.file("in.h5"), {images("x_train", H5T_STD_U8LE, {101, 6, 6, 3}, 0, 255), labels("y_train", 101)});
  CHECK(open_dataset({folder.file("in.h5")}, options).train.n == 101);

  const Dataset strokes = make_strokes(20, 10, 7);
  save_dataset(strokes, folder.file("a.npz"), true);
  CHECK_CONTAINS(kit::message_of<ResourceError>([&] { open_dataset({folder.file("a.npz")}, options); }),
                 "a.npz: x_train.npy: needs");

  SaveOptions huge;
  huge.plain_from = 1;
  Dataset endless = strokes;
  endless.train.n = index{1} << 45;
  CHECK_CONTAINS(kit::message_of<ResourceError>([&] { check_room(endless, folder.file("o.h5"), huge); }), "MiB left");
}
