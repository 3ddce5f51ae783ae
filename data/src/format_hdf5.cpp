/// HDF5 data sets: schema "ntkrob.dataset/1", and files of others (hdf5_catalogue.cpp). See lib/doc/file-format.md.
#include <algorithm>

#include "atomic_file.hpp"
#include "catalogue.hpp"
#include "echo.hpp"
#include "formats.hpp"
#include "hdf5_screen.hpp"
#include "input_file.hpp"
#include "narrow.hpp"
#include "part_files.hpp"
#include "read_budget.hpp"
#include "read_options.hpp"
#include "state_file.hpp"
#include "whole_sum.hpp"

namespace ntkrob::io {
namespace {

constexpr const char* kSchema = "ntkrob.dataset/1";

Provenance read_provenance(hid_t file, const std::string& path, ReadBudget& budget) {
  Provenance p;
  if (!has_member(file, "provenance")) return p;
  const std::string where = path + ": provenance";
  Handle group = open_member(file, "provenance", where);
  if (!is_group(group)) return p;
  p.library_version = find_text(group, "library_version", where).value_or("");
  p.command = find_text(group, "command", where).value_or("");
  p.parent = find_text(group, "parent", where).value_or("");
  p.parent_checksum = find_text(group, "parent_checksum", where).value_or("");
  if (has_attribute(group, "chain")) p.chain = read_texts(group, "chain", where);
  if (has_attribute(group, "reading")) p.reading = read_texts(group, "reading", where);
  if (has_member(group, "options")) {
    Handle options = open_member(group, "options", where + "/options");
    for (const std::string& name : attribute_names(options, where + "/options"))
      if (auto value = find_text(options, name.c_str(), where + "/options")) p.options.emplace_back(name, *value);
  }
  if (has_member(group, "curves")) {
    Handle curves = open_member(group, "curves", where + "/curves");
    NTKROB_CHECK(is_group(curves), IoError, where, "/curves: is not a group");
    for (const std::string& name : member_names(curves, where + "/curves")) {
      const std::string curve_where = where + "/curves/" + echoed(name);
      Handle curve = open_member(curves, name, curve_where);
      const Stored stored = inspect_dataset(curve, curve_where);
      NTKROB_CHECK(stored.type != Stored::Type::text, IoError, curve_where, ": is text; a curve is numbers");
      budget.take(checked_mul(stored.count, sizeof(double), "curve"), curve_where);
      std::vector<double> values(stored.count);
      if (stored.count > 0) read_dataset(curve, H5T_NATIVE_DOUBLE, values.data(), curve_where);
      p.curves.emplace_back(name, std::move(values));
    }
  }
  if (has_member(group, "initial_images")) {
    const std::string images_where = where + "/initial_images";
    Handle stored = open_member(group, "initial_images", images_where);
    budget.take(memory_bytes(inspect_dataset(stored, images_where)), images_where);
    RawArray images = read_raw(stored, where + ": initial_images");
    NTKROB_CHECK(images.kind == RawArray::Kind::floats, IoError, images.where, ": must be floating-point numbers");
    p.initial_images = std::move(images.floats);
  }
  return p;
}

/// Where the pixels of a split begin that are written behind the library.
struct Placed {
  const Split* split;
  std::size_t offset;
};

/// plain_from: pixels of so many bytes get a place only, told in `placed`.
void write_split(hid_t file, const Dataset& data, const Split& split, const std::string& which, std::size_t plain_from,
                 std::vector<Placed>& placed) {
  if (split.empty()) return;
  const std::vector<std::size_t> shape = stored_shape(data, split.n);
  const auto n = static_cast<std::size_t>(split.n);
  if (pixel_bytes(data, split) >= plain_from)
    // In the byte order of this machine, which the file names: the numbers are written as they lie in memory.
    placed.push_back(
        {&split, place_dataset(file, "x_" + which, split.is_bytes() ? H5T_STD_U8LE : H5T_NATIVE_FLOAT, shape)});
  else if (split.is_bytes())
    write_dataset(file, "x_" + which, H5T_STD_U8LE, H5T_NATIVE_UINT8, shape, split.bytes.data());
  else
    write_dataset(file, "x_" + which, H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, shape, split.pixels.data());
  if (split.targets.empty()) {
    write_dataset(file, "y_" + which, H5T_STD_I32LE, H5T_NATIVE_INT, {n}, split.labels.data());
    return;
  }
  write_dataset(file, "y_" + which, H5T_IEEE_F32LE, H5T_NATIVE_FLOAT,
                {n, static_cast<std::size_t>(split.targets.cols())}, split.targets.data());
  // Learned targets may have moved their maximum away from the class they stand for; then the class is stored too.
  for (index i = 0; i < split.n; ++i) {
    const float* row = split.targets.row(i);
    index best = 0;
    for (index c = 1; c < split.targets.cols(); ++c)
      if (row[c] > row[best]) best = c;
    if (best == split.labels[static_cast<std::size_t>(i)]) continue;
    write_dataset(file, "labels_" + which, H5T_STD_I32LE, H5T_NATIVE_INT, {n}, split.labels.data());
    return;
  }
}

void write_provenance(hid_t file, const Dataset& data) {
  const Provenance& p = data.provenance;
  Handle group = create_group(file, "provenance");
  write_text_attribute(group, "library_version", p.library_version);
  write_text_attribute(group, "command", p.command);
  write_text_attribute(group, "parent", p.parent);
  write_text_attribute(group, "parent_checksum", p.parent_checksum);
  if (!p.chain.empty()) write_texts_attribute(group, "chain", p.chain);
  if (!p.reading.empty()) write_texts_attribute(group, "reading", p.reading);
  Handle options = create_group(group, "options");
  for (const auto& [name, value] : p.options) write_text_attribute(options, name, value);
  Handle curves = create_group(group, "curves");
  for (const auto& [name, values] : p.curves)
    write_dataset(curves, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, {values.size()}, values.data());
  if (p.initial_images.empty()) return;
  std::vector<std::size_t> shape = {static_cast<std::size_t>(p.initial_images.rows()),
                                    static_cast<std::size_t>(p.initial_images.cols())};
  if (p.initial_images.cols() == data.shape.size()) shape = stored_shape(data, p.initial_images.rows());
  write_dataset(group, "initial_images", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, shape, p.initial_images.data());
}

/// Bytes that are written at once, between two calls of SaveOptions::progress.
constexpr std::size_t kWriteBytes = std::size_t{16} << 20;

/// Everything but the pixels that get a place only.
std::vector<Placed> write_content(hid_t file, const Dataset& data, std::size_t plain_from) {
  std::vector<Placed> placed;
  write_text_attribute(file, "ntkrob_schema", kSchema);
  write_numbers_attribute(file, "value_range", {data.value_low, data.value_high});
  if (data.beyond_range) write_integer_attribute(file, "beyond_range", 1);
  write_integer_attribute(file, "classes", data.classes);
  if (!data.class_names.empty()) write_texts_attribute(file, "class_names", data.class_names);
  write_split(file, data, data.train, "train", plain_from, placed);
  write_split(file, data, data.test, "test", plain_from, placed);
  // An attribute holds at most 64 KiB.
  std::size_t longest = 0;
  for (const std::string& name : data.feature_names) longest = std::max(longest, name.size());
  if (!data.feature_names.empty() && longest * data.feature_names.size() < kMostNameBytes)
    write_texts_attribute(file, "feature_names", data.feature_names);
  if (!data.feature_low.empty()) {
    std::vector<float> ranges = data.feature_low;
    ranges.insert(ranges.end(), data.feature_high.begin(), data.feature_high.end());
    write_dataset(file, "feature_range", H5T_IEEE_F32LE, H5T_NATIVE_FLOAT, {2, data.feature_low.size()}, ranges.data());
  }
  write_provenance(file, data);
  return placed;
}

/// As MatrixFile: the library decides where the pixels lie, and has closed the file before the first is written.
void write_in_blocks(const Dataset& data, const std::string& path, const SaveOptions& options) {
  AtomicFile out(path, options.force);
  out.reserve(plain_bytes(data, options));
  std::vector<Placed> placed;
  {
    const Session session;
    Handle file = create_on_disk(out.temporary());
    placed = write_content(file, data, options.plain_from);
    NTKROB_CHECK(file.close(), ResourceError, path, ": cannot write (HDF5: ", hdf5_reason(), "); is the disk full?");
  }
  std::size_t end = 0;
  for (const Placed& p : placed) end = std::max(end, p.offset + pixel_bytes(data, *p.split));
  out.reserve(end);
  index done = 0, total = 0;
  for (const Placed& p : placed) total += p.split->n;
  const auto row_bytes = [&](const Split& split) {
    return pixel_bytes(data, split) / static_cast<std::size_t>(split.n);
  };
  for (const Placed& p : placed)
    p.split->each_block([&](const Split& block, index first) {
      const index rows = std::max<index>(1, static_cast<index>(kWriteBytes / row_bytes(*p.split)));
      for (index i = 0; i < block.n; i += rows) {
        const index n = std::min(rows, block.n - i);
        const void* from = block.is_bytes() ? static_cast<const void*>(block.bytes.data() + i * data.shape.size())
                                            : static_cast<const void*>(block.pixels.row(i));
        out.write_at(p.offset + static_cast<std::size_t>(first + i) * row_bytes(*p.split), from,
                     static_cast<std::size_t>(n) * row_bytes(*p.split));
        done += n;
        if (options.progress) options.progress(done, total);
      }
    });
  append_sum(out);
  out.commit();
}

}  // namespace

std::string hdf5_schema(const std::string& path) {
  const Reading file(screen(path));
  return find_text(file, "ntkrob_schema", path).value_or("");
}

RawDataset read_hdf5(const std::vector<std::string>& inputs, const ReadOptions& options) {
  if (inputs.size() > 1) return read_parts(inputs, options);
  const std::string& path = inputs[0];
  RawDataset raw;
  raw.file = path;
  {
    const Reading file(screen(path));
    const auto schema = find_text(file, "ntkrob_schema", path);
    if (schema) check_schema(*schema, kSchema, path);
    if (has_attribute(file, "value_range")) {
      const std::vector<double> range = read_numbers(file, "value_range", path);
      NTKROB_CHECK(range.size() == 2, IoError, path, ": attribute value_range holds ", range.size(),
                   " numbers, expected [low, high]");
      raw.value_range = {narrowed(range[0], path + ": value_range", 0), narrowed(range[1], path + ": value_range", 1)};
      raw.beyond_range = schema.has_value() && has_attribute(file, "beyond_range");
    }
    // ntkrob always writes both; a schema that somebody added to a file of his own says nothing about its axes.
    raw.own = schema.has_value() && raw.value_range.has_value();
    raw.targets = schema.has_value();
    if (raw.own && has_attribute(file, "feature_names")) raw.columns = read_texts(file, "feature_names", path);
    if (has_attribute(file, "class_names")) raw.class_names = read_texts(file, "class_names", path);
    if (has_attribute(file, "classes")) {
      const std::vector<std::int64_t> classes = read_integers(file, "classes", path);
      NTKROB_CHECK(classes.size() == 1 && classes[0] >= 1 && classes[0] <= kMaxClasses, IoError, path,
                   ": attribute classes must be one number in 1 .. ", kMaxClasses);
      raw.classes = static_cast<index>(classes[0]);
    }
    if (schema) raw.provenance = read_provenance(file, path, *budget_of(options));
  }
  refuse_structural(raw, options);
  take_arrays(hdf5_catalogue(path), options, raw);
  return raw;
}

void write_hdf5(const Dataset& data, const std::string& path, const SaveOptions& options) {
  check_target(path, options.force);  // before the work
  // What is compressed is in memory.
  for (Split Dataset::*which : {&Dataset::train, &Dataset::test}) {
    const Split& split = data.*which;
    if (!split.in_file || pixel_bytes(data, split) >= options.plain_from) continue;
    Dataset loaded = data;
    loaded.*which = split.loaded(data.shape.size());
    return write_hdf5(loaded, path, options);
  }
  if (plain_bytes(data, options) > 0) return write_in_blocks(data, path, options);
  const Session session;
  MemoryFile file;
  write_content(file, data, options.plain_from);
  file.save(path, options.force);
}

}  // namespace ntkrob::io
