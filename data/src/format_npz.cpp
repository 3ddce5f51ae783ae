/// NPZ: a ZIP archive of .npy arrays, as numpy.savez and savez_compressed write them.
///
/// Arrays x_train, y_train, x_test, y_test; also X, y or x, y for the training split. Optional value_range = [low,
/// high].
#include <cmath>
#include <cstring>

#include "atomic_file.hpp"
#include "formats.hpp"
#include "input_file.hpp"
#include "npy.hpp"
#include "raw_array.hpp"
#include "zip_file.hpp"

namespace ntkrob::io {
namespace {

template <class Stored, class To>
void convert_values(const std::string& content, std::size_t offset, std::size_t count, To* target) {
  for (std::size_t i = 0; i < count; ++i) {
    Stored value;
    std::memcpy(&value, content.data() + offset + i * sizeof(Stored), sizeof(Stored));
    target[i] = static_cast<To>(value);
  }
}

/// A half-precision number (IEEE 754 binary16).
float half(std::uint16_t bits) {
  const int exponent = bits >> 10 & 31, fraction = bits & 1023;
  const float magnitude = exponent == 31  ? (fraction != 0 ? NAN : INFINITY)
                          : exponent == 0 ? std::ldexp(static_cast<float>(fraction), -24)
                                          : std::ldexp(static_cast<float>(fraction + 1024), exponent - 25);
  return bits >> 15 ? -magnitude : magnitude;
}

RawArray parse_array(const std::string& content, const std::string& where) {
  const NpyHeader header = parse_npy_header(content, where);
  RawArray raw;
  raw.where = where;
  raw.shape = header.shape;
  const std::size_t count = product(raw.shape, where), offset = header.data_offset;
  NTKROB_CHECK(content.size() - offset == count * header.width, IoError, where, ": shape ", raw.shape_text(), " needs ",
               count * header.width, " bytes, the archive holds ", content.size() - offset, "; the file is damaged");
  NTKROB_CHECK(header.kind != 'S', IoError, where, ": is a text, expected an array of numbers");
  if (header.kind == 'u' && header.width == 1) {
    raw.kind = RawArray::Kind::bytes;
    raw.bytes.assign(content.begin() + static_cast<std::ptrdiff_t>(offset), content.end());
  } else if (header.kind == 'f') {
    raw.kind = RawArray::Kind::floats;
    const std::size_t rows = raw.count();
    raw.floats = Matrix<float>(static_cast<index>(rows), static_cast<index>(rows ? count / rows : 0));
    if (header.width == 2)
      for (std::size_t i = 0; i < count; ++i) {
        std::uint16_t bits;
        std::memcpy(&bits, content.data() + offset + 2 * i, sizeof bits);
        raw.floats.data()[i] = half(bits);
      }
    if (header.width == 4) convert_values<float>(content, offset, count, raw.floats.data());
    if (header.width == 8) convert_values<double>(content, offset, count, raw.floats.data());
  } else {
    raw.kind = RawArray::Kind::ints;
    raw.ints.resize(count);
    const bool sign = header.kind == 'i';
    if (header.width == 1) convert_values<std::int8_t>(content, offset, count, raw.ints.data());
    if (header.width == 2 && sign) convert_values<std::int16_t>(content, offset, count, raw.ints.data());
    if (header.width == 2 && !sign) convert_values<std::uint16_t>(content, offset, count, raw.ints.data());
    if (header.width == 4 && sign) convert_values<std::int32_t>(content, offset, count, raw.ints.data());
    if (header.width == 4 && !sign) convert_values<std::uint32_t>(content, offset, count, raw.ints.data());
    if (header.width == 8) convert_values<std::int64_t>(content, offset, count, raw.ints.data());
  }
  return raw;
}

std::optional<RawArray> find_array(const ZipReader& archive, const std::string& path,
                                   std::initializer_list<const char*> names) {
  for (const char* name : names)
    for (const ZipMember& member : archive.members())
      if (member.name == std::string(name) + ".npy") {
        RawArray raw = parse_array(archive.content(member), path + ": " + name);
        NTKROB_CHECK(!raw.shape.empty(), IoError, raw.where, ": is a single number, expected an array of numbers");
        return raw;
      }
  return std::nullopt;
}

void add_split(ZipWriter& archive, const Dataset& data, const Split& split, const std::string& which) {
  if (split.empty()) return;
  const std::vector<std::size_t> shape = stored_shape(data, split.n);
  if (split.is_bytes())
    archive.add("x_" + which + ".npy", npy("|u1", shape, split.bytes.data(), split.bytes.size()));
  else
    archive.add("x_" + which + ".npy",
                npy("<f4", shape, split.pixels.data(), static_cast<std::size_t>(split.pixels.size()) * 4));
  const auto n = static_cast<std::size_t>(split.n);
  const std::vector<std::int64_t> labels(split.labels.begin(), split.labels.end());
  if (split.targets.empty()) {
    archive.add("y_" + which + ".npy", npy("<i8", {n}, labels.data(), n * 8));
    return;
  }
  archive.add("y_" + which + ".npy", npy("<f4", {n, static_cast<std::size_t>(split.targets.cols())},
                                         split.targets.data(), static_cast<std::size_t>(split.targets.size()) * 4));
  archive.add("labels_" + which + ".npy", npy("<i8", {n}, labels.data(), n * 8));
}

}  // namespace

bool recognise_npz(const Probe& probe) { return probe.head.compare(0, 4, "PK\x03\x04") == 0; }

Dataset read_npz(const std::vector<std::string>& inputs, const IdxFiles&) {
  expect_one_input(inputs, "NPZ");
  const std::string& path = inputs[0];
  const ZipReader archive(path);
  RawDataset raw;
  raw.file = path;
  raw.guess_layout = true;
  raw.train.x = find_array(archive, path, {"x_train", "X", "x"});
  raw.train.y = find_array(archive, path, {"y_train", "y"});
  raw.test.x = find_array(archive, path, {"x_test"});
  raw.test.y = find_array(archive, path, {"y_test"});
  raw.train.labels = find_array(archive, path, {"labels_train"});
  raw.test.labels = find_array(archive, path, {"labels_test"});
  if (!raw.train.x && !raw.test.x) {
    std::string names;
    for (const ZipMember& member : archive.members())
      if (names.size() < 200) names += (names.empty() ? "" : ", ") + member.name;
    throw IoError(text(path, ": has no array x_train, x_test, X or x, but ", names.empty() ? "nothing" : names));
  }
  if (const auto range = find_array(archive, path, {"value_range"})) {
    NTKROB_CHECK(range->kind == RawArray::Kind::floats && range->floats.size() == 2, IoError, path,
                 ": value_range must be two floating-point numbers [low, high]");
    raw.value_range = {range->floats.data()[0], range->floats.data()[1]};
    raw.guess_layout = false;  // only ntkrob writes it
  }
  if (const auto classes = find_array(archive, path, {"classes"})) {
    NTKROB_CHECK(classes->kind == RawArray::Kind::ints && classes->ints.size() == 1 && classes->ints[0] >= 1 &&
                     classes->ints[0] <= kMaxClasses,
                 IoError, path, ": classes must be one whole number in 1 .. ", kMaxClasses);
    raw.classes = static_cast<index>(classes->ints[0]);
  }
  return assemble(std::move(raw));
}

StateDict npz_arrays(const std::string& path) {
  const ZipReader archive(path);
  StateDict arrays;
  for (const ZipMember& member : archive.members()) {
    const std::size_t stem = member.name.size() - std::min<std::size_t>(4, member.name.size());
    NTKROB_CHECK(stem > 0 && member.name.compare(stem, 4, ".npy") == 0, IoError, path, ": member ", member.name,
                 " is no .npy array",
                 io::ends_with(member.name, "data.pkl") ? "; store a state_dict of PyTorch with numpy.savez(\"weights.npz\", "
                                                          "**{k: v.numpy() for k, v in net.state_dict().items()})"
                                                        : "");
    const std::string name = member.name.substr(0, stem);
    RawArray raw = parse_array(archive.content(member), path + ": " + name);
    const std::vector<index> shape(raw.shape.begin(), raw.shape.end());
    if (raw.kind == RawArray::Kind::floats)
      arrays.set(name, NdArray<float>{shape, {raw.floats.data(), raw.floats.data() + raw.floats.size()}});
    else if (raw.kind == RawArray::Kind::ints)
      arrays.set(name, NdArray<std::int64_t>{shape, std::move(raw.ints)});
    else
      arrays.set(name, NdArray<std::uint8_t>{shape, std::move(raw.bytes)});
  }
  return arrays;
}

void write_npz(const Dataset& data, const std::string& path, bool force) {
  check_target(path, force);
  ZipWriter archive;
  add_split(archive, data, data.train, "train");
  add_split(archive, data, data.test, "test");
  const float range[2] = {data.value_low, data.value_high};
  archive.add("value_range.npy", npy("<f4", {2}, range, sizeof range));
  const std::int64_t classes = data.classes;
  archive.add("classes.npy", npy("<i8", {1}, &classes, sizeof classes));
  const std::string content = archive.finish();
  write_whole(path, content.data(), content.size(), force);
}

}  // namespace ntkrob::io
