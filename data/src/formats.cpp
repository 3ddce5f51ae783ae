#include "formats.hpp"

#include <algorithm>

#include "atomic_file.hpp"
#include "input_file.hpp"
#include "state_file.hpp"

namespace ntkrob {
namespace io {

const std::vector<Format>& format_table() {
  static const std::vector<Format> table = {
#define NTKROB_FORMAT(id, extensions, reader, writer, description) \
  {#id, extensions, recognise_##id, reader, writer, description},
#include "formats.def"
#undef NTKROB_FORMAT
  };
  return table;
}

void expect_one_input(const std::vector<std::string>& inputs, const char* format) {
  NTKROB_CHECK(inputs.size() == 1, ConfigError, inputs.size(), " inputs (", inputs[0], ", ", inputs[1], ", ...); a ",
               format, " data set is one file");
}

bool names_test_split(const std::string& path) {
  std::string trimmed = path;
  while (trimmed.size() > 1 && trimmed.back() == '/') trimmed.pop_back();
  const std::string name = lower(file_name(trimmed));
  return name.find("test") != std::string::npos || name.find("t10k") != std::string::npos;
}

std::vector<std::size_t> stored_shape(const Dataset& data, index n) {
  const auto size = [](index i) { return static_cast<std::size_t>(i); };
  if (data.shape.height == 1 && data.shape.width == 1) return {size(n), size(data.shape.channels)};
  return {size(n), size(data.shape.height), size(data.shape.width), size(data.shape.channels)};
}

namespace {

constexpr std::size_t kHeadBytes = 512;

bool has_extension(const std::string& path, const Format& format) {
  const std::string name = lower(path), all = format.extensions;
  for (std::size_t begin = 0; begin < all.size();) {
    const std::size_t end = std::min(all.find(' ', begin), all.size());
    if (ends_with(name, all.substr(begin, end - begin))) return true;
    begin = end + 1;
  }
  return false;
}

Probe probe_of(const std::string& path) {
  Probe probe;
  probe.path = path;
  probe.folder = is_folder(path);
  if (probe.folder) return probe;
  InputStream stream(path);
  probe.head.resize(kHeadBytes);
  try {
    probe.head.resize(stream.read_some(probe.head.data(), kHeadBytes));
  } catch (const IoError&) {
    probe.head.clear();  // damaged gzip: the name decides, and its reader reports the damage
  }
  return probe;
}

const Format& format_of(const std::string& path) {
  const Probe probe = probe_of(path);
  for (const Format& format : format_table())
    if (format.recognise(probe)) return format;
  if (!probe.folder)
    for (const Format& format : format_table())
      if (has_extension(path, format)) return format;
  std::string known;
  for (const Format& format : format_table()) known += (known.empty() ? "" : ", ") + std::string(format.id);
  throw IoError(text(path, ": not recognised by content or extension; readable formats: ", known,
                     ", or a folder with one subfolder of PNG files per class"));
}

}  // namespace
}  // namespace io

Dataset open_dataset(const std::vector<std::string>& inputs, const IdxFiles& idx) {
  const bool by_option =
      !idx.train_images.empty() || !idx.train_labels.empty() || !idx.test_images.empty() || !idx.test_labels.empty();
  if (by_option) {
    NTKROB_CHECK(inputs.empty(), ConfigError, inputs[0],
                 ": give either input files or --train-images, --train-labels, ..., not both");
    return io::read_idx(inputs, idx);
  }
  NTKROB_CHECK(!inputs.empty(), ConfigError, "no input file");
  const io::Format& format = io::format_of(inputs[0]);
  for (const std::string& input : inputs) {
    const io::Format& other = io::format_of(input);
    NTKROB_CHECK(&other == &format, ConfigError, inputs[0], " is ", format.id, ", ", input, " is ", other.id,
                 "; all inputs must have one format");
  }
  return format.read(inputs, idx);
}

StateDict load_arrays(const std::string& path, const std::string& group) {
  const io::Probe probe = io::probe_of(path);
  if (io::recognise_hdf5(probe)) return io::hdf5_arrays(path, group);
  NTKROB_CHECK(io::recognise_npz(probe), IoError, path, ": is neither an NPZ nor an HDF5 file");
  NTKROB_CHECK(group.empty(), ConfigError, path, ": is an NPZ file and has no group \"", group, "\"");
  return io::npz_arrays(path);
}

void save_dataset(const Dataset& data, const std::string& path, bool force) {
  data.validate("data set to be written to " + path);
  NTKROB_CHECK(!data.train.empty() || !data.test.empty(), ConfigError, path, ": the data set is empty");
  if (!path.empty() && path.back() == '/') return io::write_idx(data, path, force);
  std::string known;
  for (const io::Format& format : io::format_table()) {
    if (format.write == nullptr) continue;
    if (io::has_extension(path, format)) return format.write(data, path, force);
    known += std::string(format.extensions) + " ";
  }
  throw ConfigError(
      text(path, ": no format writes this extension; use one of ", known, "or a folder ending in / for IDX"));
}

std::vector<FormatInfo> formats() {
  std::vector<FormatInfo> rows;
  for (const io::Format& format : io::format_table())
    rows.push_back({format.id, format.extensions, format.description, format.read != nullptr, format.write != nullptr});
  return rows;
}

std::pair<std::string, std::string> identify(const std::string& path) {
  const io::Format& format = io::format_of(path);
  const std::string id = format.id;
  const std::string schema = id == "hdf5" ? io::hdf5_schema(path) : id == "npz" ? io::npz_schema(path) : "";
  if (schema.rfind("ntkrob.", 0) != 0) return {"plain", schema.empty() ? id : schema};
  return {schema.substr(7, schema.find('/') - 7), schema};
}

}  // namespace ntkrob
