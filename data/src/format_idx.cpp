/// IDX: big-endian header {0, 0, type, rank, extents...}, then the values. Images and labels are separate files.
///
/// Types: 0x08 unsigned and 0x09 signed bytes, 0x0B and 0x0C whole numbers of 2 and 4 bytes, 0x0D float32 (what
/// write_idx makes of float pixels), 0x0E float64. Either the caller names the files, or they are recognised by their
/// usual names (train-images..., train-labels..., t10k-... or test-...).
#include <cstring>
#include <memory>
#include <tuple>

#include "atomic_file.hpp"
#include "formats.hpp"
#include "input_file.hpp"
#include "narrow.hpp"
#include "part_files.hpp"
#include "raw_array.hpp"
#include "read_options.hpp"
#include "taken.hpp"

namespace ntkrob::io {
namespace {

constexpr unsigned char kBytes = 0x08, kFloats = 0x0D, kDoubles = 0x0E;

/// Bytes of one value, 0 for a type that does not exist.
std::size_t width_of(unsigned char type) {
  switch (type) {
    case 0x08:
    case 0x09:
      return 1;
    case 0x0B:
      return 2;
    case 0x0C:
    case 0x0D:
      return 4;
    case 0x0E:
      return 8;
    default:
      return 0;
  }
}

std::uint32_t big_endian(const unsigned char* p) {
  return std::uint32_t{p[0]} << 24 | std::uint32_t{p[1]} << 16 | std::uint32_t{p[2]} << 8 | p[3];
}

void append_big_endian(std::string& out, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xff);
}

/// The shape; magic: the first four bytes.   throws: IoError
RawArray read_header(InputStream& stream, unsigned char (&magic)[4]) {
  const std::string& path = stream.path();
  stream.read(magic, 4, "the IDX header");
  NTKROB_CHECK(magic[0] == 0 && magic[1] == 0, IoError, path, ": offset 0: starts with bytes ", int{magic[0]}, ", ",
               int{magic[1]}, ", an IDX file starts with 0, 0; it is another format or damaged");
  NTKROB_CHECK(width_of(magic[2]) > 0, IoError, path, ": offset 2: element type ", int{magic[2]},
               "; there are 8, 9 (bytes), 11, 12 (whole numbers), 13 and 14 (floating point)");
  NTKROB_CHECK(magic[3] >= 1 && magic[3] <= 4, IoError, path, ": offset 3: ", int{magic[3]},
               " dimensions; 1 (labels) to 4 (images) are supported");
  RawArray raw;
  raw.where = path;
  for (int d = 0; d < magic[3]; ++d) {
    unsigned char extent[4];
    stream.read(extent, 4, "the IDX header");
    raw.shape.push_back(big_endian(extent));
  }
  return raw;
}

RawArray read_header(const std::string& path) {
  InputStream stream(path);
  unsigned char magic[4];
  return read_header(stream, magic);
}

RawArray read_array(const std::string& path, ReadBudget& budget) {
  InputStream stream(path);
  unsigned char magic[4];
  RawArray raw = read_header(stream, magic);
  const std::size_t width = width_of(magic[2]);
  const std::size_t count = product(raw.shape, path);
  const std::size_t needed = stream.offset() + count * width;
  NTKROB_CHECK(needed <= stream.upper_bound(), IoError, path, ": the header says ", raw.shape_text(), ", that is ",
               needed, " bytes, but the file can hold at most ", stream.upper_bound(), "; it is damaged or cut off");
  const bool floats = magic[2] == kFloats || magic[2] == kDoubles;
  budget.take(count * (magic[2] == kBytes ? 1 : floats ? sizeof(float) : sizeof(std::int64_t)), path);
  if (magic[2] == kBytes) {
    raw.kind = RawArray::Kind::bytes;
    raw.bytes.resize(count);
    stream.read(raw.bytes.data(), count, "the values");
  } else {
    const Taken stored_bytes(budget, count * width, path);
    std::vector<unsigned char> stored(count * width);
    stream.read(stored.data(), stored.size(), "the values");
    raw.kind = floats ? RawArray::Kind::floats : RawArray::Kind::ints;
    if (floats)
      raw.floats = Matrix<float>(static_cast<index>(raw.shape[0]),
                                 static_cast<index>(raw.shape[0] == 0 ? 0 : count / raw.shape[0]));
    else
      raw.ints.resize(count);
    for (std::size_t i = 0; i < count; ++i) {
      std::uint64_t bits = 0;
      for (std::size_t b = 0; b < width; ++b) bits = bits << 8 | stored[i * width + b];
      float single = 0;
      double twice = 0;
      const auto low = static_cast<std::uint32_t>(bits);
      std::memcpy(&single, &low, 4);
      std::memcpy(&twice, &bits, 8);
      if (magic[2] == kFloats) raw.floats.data()[i] = single;
      if (magic[2] == kDoubles) raw.floats.data()[i] = narrowed(twice, path, i);
      if (magic[2] == 0x09) raw.ints[i] = static_cast<std::int8_t>(bits);
      if (magic[2] == 0x0B) raw.ints[i] = static_cast<std::int16_t>(bits);
      if (magic[2] == 0x0C) raw.ints[i] = static_cast<std::int32_t>(bits);
    }
  }
  NTKROB_CHECK(stream.at_end(), IoError, path, ": more data after the ", needed, " bytes that the header ",
               raw.shape_text(), " announces; it is damaged or not IDX");
  return raw;
}

RawArray read_images(const std::string& path, ReadBudget& budget) {
  RawArray raw = read_array(path, budget);
  NTKROB_CHECK(raw.shape.size() >= 2, IoError, path, ": shape ", raw.shape_text(),
               "; images have 3 or 4 dimensions, this looks like labels");
  return raw;
}

RawArray read_labels(const std::string& path, ReadBudget& budget) {
  RawArray raw = read_array(path, budget);
  NTKROB_CHECK(raw.shape.size() == 1, IoError, path, ": shape ", raw.shape_text(),
               "; labels have one dimension, this looks like images");
  return raw;
}

std::string part_options() {
  return text(field("train-images"), ", ", field("train-labels"), ", ", field("test-images"), ", ",
              field("test-labels"));
}

/// Puts a file where its name says it belongs; false when the name says nothing.
bool place(const std::string& path, PartFiles& files) {
  const std::string name = lower(file_name(path));
  const bool images = name.find("images") != std::string::npos, labels = name.find("labels") != std::string::npos;
  if (images == labels) return false;
  std::string& slot = names_test_split(path) ? (images ? files.test_images : files.test_labels)
                                             : (images ? files.train_images : files.train_labels);
  NTKROB_CHECK(slot.empty() || slot == path, ConfigError, slot, " and ", path, " have the same part by their names; ",
               advice("name them with ", part_options()));
  slot = path;
  return true;
}

bool is_idx_name(const std::string& name) {
  return name.find("idx") != std::string::npos &&
         (name.find("images") != std::string::npos || name.find("labels") != std::string::npos);
}

void place_folder(const std::string& folder, PartFiles& files, std::vector<std::string>& ignored) {
  for (const std::string& name : list_folder(folder)) {
    if (name[0] == '.') continue;
    // A packed and an unpacked copy side by side are the same data: the unpacked one is read.
    if (ends_with(name, ".gz") && is_file(folder + "/" + name.substr(0, name.size() - 3))) {
      ignored.push_back(name + " (unpacked beside it)");
      continue;
    }
    if (is_idx_name(lower(name)) && is_file(folder + "/" + name))
      place(folder + "/" + name, files);
    else
      ignored.push_back(name);
  }
}

void read_pair(const std::string& images, const std::string& labels, const char* which, RawSplit& split,
               ReadBudget& budget) {
  if (images.empty() && labels.empty()) return;
  NTKROB_CHECK(!labels.empty(), ConfigError, images, ": ", which, " images without labels; give the labels file with ",
               field(text(which, "-labels")));
  NTKROB_CHECK(!images.empty(), ConfigError, labels, ": ", which, " labels without images; give the images file with ",
               field(text(which, "-images")));
  split.x = read_images(images, budget);
  split.y = read_labels(labels, budget);
}

using Files = std::vector<std::unique_ptr<AtomicFile>>;

void write_array(const std::string& path, unsigned char type, const std::vector<std::size_t>& shape, const void* values,
                 std::size_t n_bytes, bool force, Files& files) {
  std::string header = {0, 0, static_cast<char>(type), static_cast<char>(shape.size())};
  for (const std::size_t extent : shape) append_big_endian(header, static_cast<std::uint32_t>(extent));
  files.push_back(std::make_unique<AtomicFile>(path, force));
  files.back()->write(header.data(), header.size());
  files.back()->write(values, n_bytes);
}

std::string part_path(const std::string& prefix, const char* split, const char* part, std::size_t rank, bool floats) {
  return text(prefix, split, "-", part, "-idx", rank, floats ? "-float" : "-ubyte");
}

/// The files of one split, which appear later, together with the others.
void write_split(const Dataset& data, const Split& split, const std::string& prefix, const char* name, bool force,
                 Files& files) {
  if (split.empty()) return;
  std::vector<std::size_t> shape = stored_shape(data, split.n);
  if (shape.size() == 4 && shape[3] == 1) shape.pop_back();
  for (const std::size_t extent : shape)
    NTKROB_CHECK(extent <= 0xffffffffu, NotSupported, prefix, ": extent ", extent, " does not fit IDX (32 bits)");
  const std::string images = part_path(prefix, name, "images", shape.size(), !split.is_bytes());
  const std::string labels = part_path(prefix, name, "labels", 1, false);
  if (split.is_bytes()) {
    write_array(images, kBytes, shape, split.bytes.data(), split.bytes.size(), force, files);
  } else {
    const Matrix<float> pixels = data.images(&split == &data.train ? "train" : "test");
    std::string values;
    values.reserve(static_cast<std::size_t>(pixels.size()) * 4);
    for (index i = 0; i < pixels.size(); ++i) {
      std::uint32_t bits = 0;
      std::memcpy(&bits, pixels.data() + i, 4);
      append_big_endian(values, bits);
    }
    write_array(images, kFloats, shape, values.data(), values.size(), force, files);
  }
  const std::vector<unsigned char> bytes(split.labels.begin(), split.labels.end());
  write_array(labels, kBytes, {bytes.size()}, bytes.data(), bytes.size(), force, files);
}

}  // namespace

bool recognise_idx(const Probe& probe) {
  if (probe.folder) {
    for (const std::string& name : list_folder(probe.path))
      if (is_idx_name(lower(name))) return true;
    return false;
  }
  const std::string name = lower(probe.path);
  // A CIFAR record may begin like an IDX header (label 0, dark pixels); its files are named .bin.
  if (ends_with(name, ".bin") || ends_with(name, ".bin.gz")) return false;
  return (probe.head.size() >= 8 && probe.head[0] == 0 && probe.head[1] == 0 &&
          width_of(static_cast<unsigned char>(probe.head[2])) > 0 && probe.head[3] >= 1 && probe.head[3] <= 4) ||
         is_idx_name(lower(file_name(probe.path)));
}

Catalogue idx_catalogue(const std::string& path, const std::shared_ptr<ReadBudget>& budget) {
  Catalogue catalogue;
  catalogue.file = path;
  catalogue.arrays.push_back(
      {"", [path] { return read_header(path).shape; }, [=] { return read_array(path, *budget); }});
  return catalogue;
}

RawDataset read_idx(const std::vector<std::string>& inputs, const ReadOptions& options) {
  expect_no_array_names(options, inputs[0], "IDX");
  PartFiles files;
  std::vector<std::string> ignored;
  for (const std::string& input : inputs) {
    if (is_folder(input)) {
      place_folder(input, files, ignored);
      continue;
    }
    NTKROB_CHECK(place(input, files), ConfigError, input, ": the name does not say whether it holds images or labels; ",
                 advice("name the files with ", part_options()));
  }
  RawDataset raw;
  raw.file = !files.train_images.empty() ? files.train_images : files.test_images;
  const auto budget = budget_of(options);
  read_pair(files.train_images, files.train_labels, "train", raw.train, *budget);
  // A test split that is not whole does not block the training split.
  if (!files.train_images.empty() && files.test_images.empty() != files.test_labels.empty()) {
    raw.notes.push_back(text("left out: ", files.test_images.empty() ? files.test_labels : files.test_images,
                             files.test_images.empty() ? ", which has no images" : ", which has no labels"));
    files.test_images.clear();
    files.test_labels.clear();
  }
  read_pair(files.test_images, files.test_labels, "test", raw.test, *budget);
  for (const auto& [images, labels, which] :
       {std::tuple<std::string, std::string, const char*>{files.train_images, files.train_labels, "training"},
        {files.test_images, files.test_labels, "test"}})
    if (!images.empty()) raw.notes.push_back(text(which, " split: ", file_name(images), ", ", file_name(labels)));
  if (!ignored.empty()) raw.notes.push_back("left out: " + names_text(ignored));
  if (lower(file_name(raw.file)).find("emnist") != std::string::npos && options.layout.empty())
    raw.notes.push_back(text("EMNIST's files hold every picture transposed; ", field("layout", "NWH"), " turns them"));
  return raw;
}

void check_idx(const Dataset& data, const std::string& path) {
  NTKROB_CHECK(data.train.targets.empty() && data.test.targets.empty(), NotSupported, path,
               ": IDX labels are whole numbers, but this data set has learned targets; write .h5 or .npz");
  NTKROB_CHECK(data.classes <= 256, NotSupported, path, ": IDX labels are bytes, but there are ", data.classes,
               " classes; write .h5 or .npz");
}

void write_idx(const Dataset& data, const std::string& path, const SaveOptions& options) {
  check_idx(data, path);
  // "digits.idx" is a prefix: digits-train-images-idx3-ubyte, ...; "folder/" holds the files with their usual names.
  const std::string prefix = path.back() == '/' ? path : path.substr(0, path.size() - 4) + "-";
  NTKROB_CHECK(path.back() == '/' || ends_with(lower(path), ".idx"), ConfigError, path,
               ": IDX is written to a prefix ending in .idx or a folder ending in /");
  Files files;
  write_split(data, data.train, prefix, "train", options.force, files);
  write_split(data, data.test, prefix, "t10k", options.force, files);
  std::vector<AtomicFile*> together;
  for (const auto& file : files) together.push_back(file.get());
  commit_together(together);
}

}  // namespace ntkrob::io
