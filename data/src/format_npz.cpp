/// NPZ, a ZIP archive of .npy arrays as numpy.savez and savez_compressed write them, and single .npy files.
///
/// Which arrays are images and labels: catalogue.hpp. Data sets of ntkrob carry the member ntkrob_schema and
/// value_range = [low, high], feature_range, classes, class_names.
#include "atomic_file.hpp"
#include "catalogue.hpp"
#include "echo.hpp"
#include "formats.hpp"
#include "input_file.hpp"
#include "npy.hpp"
#include "part_files.hpp"
#include "raw_array.hpp"
#include "read_options.hpp"
#include "state_file.hpp"
#include "taken.hpp"
#include "zip_file.hpp"

namespace ntkrob::io {
namespace {

constexpr const char* kSchema = "ntkrob.dataset/1";

bool has(const ZipReader& archive, const char* name) {
  for (const ZipMember& member : archive.members())
    if (member.name == std::string(name) + ".npy") return true;
  return false;
}

std::string npy_text(const std::string& value) {
  return npy(("|S" + std::to_string(value.size())).c_str(), {}, value.data(), value.size());
}

std::string npy_texts(const std::vector<std::string>& values) {
  std::size_t width = 1;
  for (const std::string& value : values) width = std::max(width, value.size());
  std::string padded;
  for (std::string value : values) {
    value.resize(width, '\0');
    padded += value;
  }
  return npy(("|S" + std::to_string(width)).c_str(), {values.size()}, padded.data(), padded.size());
}

RawArray load_member(const ZipReader& archive, const ZipMember& member, const std::string& where, ReadBudget& budget) {
  RawArray array = parse_npy(archive.content(member), where, budget);
  archive.give_back(member);
  return array;
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
bool recognise_npy(const Probe& probe) {
  if (!probe.folder) return probe.head.compare(0, 6, "\x93NUMPY") == 0;
  for (const std::string& name : list_folder(probe.path))
    if (ends_with(lower(name), ".npy") && meaning_of(name).role != Role::none) return true;
  return false;
}

Catalogue npz_catalogue(const std::string& path, const std::shared_ptr<ReadBudget>& budget) {
  const auto archive = std::make_shared<ZipReader>(path, budget);
  Catalogue catalogue;
  catalogue.file = path;
  for (const ZipMember& member : archive->members()) {
    if (!ends_with(member.name, ".npy")) {
      catalogue.notes.push_back("member " + member.name + ", no .npy array");
      continue;
    }
    const std::string name = member.name.substr(0, member.name.size() - 4);
    const std::string where = path + ": " + echoed(name);
    catalogue.arrays.push_back({name,
                                [=] { return parse_npy_header(archive->head(member, kNpyHeadBytes), where).shape; },
                                [=] { return load_member(*archive, member, where, *budget); }});
  }
  return catalogue;
}

Catalogue npy_catalogue(const std::string& path, const std::shared_ptr<ReadBudget>& budget) {
  Catalogue catalogue;
  catalogue.file = path;
  const auto load = [path, budget] {
    const InputFile file(path);
    const Taken content(*budget, file.size(), path);
    return parse_npy(file.head(file.size()), path, *budget);
  };
  catalogue.arrays.push_back(
      {"", [path] { return parse_npy_header(InputFile(path).head(kNpyHeadBytes), path).shape; }, load});
  return catalogue;
}

RawDataset read_npz(const std::vector<std::string>& inputs, const ReadOptions& options) {
  if (inputs.size() > 1) return read_parts(inputs, options);
  const std::string& path = inputs[0];
  RawDataset raw;
  raw.file = path;
  const Catalogue catalogue = npz_catalogue(path, budget_of(options));
  const ZipReader archive(path, budget_of(options));
  if (catalogue.arrays.empty()) {
    bool torch = false;
    for (const ZipMember& member : archive.members()) torch = torch || ends_with(member.name, "data.pkl");
    throw IoError(
        text(path, torch ? ": is a file of PyTorch; store its tensors in Python: numpy.savez('data.npz', X=x.numpy(), "
                           "y=y.numpy())"
                         : ": is a ZIP archive without arrays; unpack it first and give what is inside"));
  }
  const std::string schema = npz_schema(path);
  if (!schema.empty()) check_schema(schema, kSchema, path);
  // Before the schema was written, these two said it.
  raw.own = !schema.empty() || (has(archive, "value_range") && has(archive, "classes"));
  raw.targets = raw.own;
  raw.beyond_range = has(archive, "beyond_range");
  refuse_structural(raw, options);
  take_arrays(catalogue, options, raw);
  return raw;
}

RawDataset read_npy(const std::vector<std::string>& inputs, const ReadOptions& options) {
  std::vector<std::string> files;
  for (const std::string& input : inputs) {
    if (!is_folder(input)) {
      files.push_back(input);
      continue;
    }
    for (const std::string& name : list_folder(input))
      if (name[0] != '.' && ends_with(lower(name), ".npy")) files.push_back(input + "/" + name);
  }
  NTKROB_CHECK(
      files.size() > 1, IoError, files[0],
      ": is one array, a data set is images and labels: give both files, e.g. x_train.npy y_train.npy, or name "
      "them with ",
      field("train-images"), " and ", field("train-labels"));
  return read_parts(files, options);
}

StateDict npz_arrays(const std::string& path, std::size_t memory) {
  const auto budget = std::make_shared<ReadBudget>(read_limit(memory));
  const ZipReader archive(path, budget);
  StateDict arrays;
  for (const ZipMember& member : archive.members()) {
    const std::size_t stem = member.name.size() - std::min<std::size_t>(4, member.name.size());
    NTKROB_CHECK(stem > 0 && member.name.compare(stem, 4, ".npy") == 0, IoError, path, ": member ", member.name,
                 " is no .npy array",
                 io::ends_with(member.name, "data.pkl")
                     ? "; store a state_dict of PyTorch with numpy.savez(\"weights.npz\", "
                       "**{k: v.numpy() for k, v in net.state_dict().items()})"
                     : "");
    const std::string name = member.name.substr(0, stem);
    RawArray raw = load_member(archive, member, path + ": " + name, *budget);
    NTKROB_CHECK(raw.kind != RawArray::Kind::texts, IoError, raw.where, ": is a text, expected an array of numbers");
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

void write_npz(const Dataset& data, const std::string& path, const SaveOptions& options) {
  check_target(path, options.force);
  ZipWriter archive;
  archive.add("ntkrob_schema.npy", npy_text(kSchema));
  add_split(archive, data, data.train, "train");
  add_split(archive, data, data.test, "test");
  const float range[2] = {data.value_low, data.value_high};
  archive.add("value_range.npy", npy("<f4", {2}, range, sizeof range));
  const std::int64_t classes = data.classes;
  archive.add("classes.npy", npy("<i8", {1}, &classes, sizeof classes));
  const std::int64_t one = 1;
  if (data.beyond_range) archive.add("beyond_range.npy", npy("<i8", {1}, &one, sizeof one));
  if (!data.feature_names.empty()) archive.add("feature_names.npy", npy_texts(data.feature_names));
  if (!data.class_names.empty()) archive.add("class_names.npy", npy_texts(data.class_names));
  if (!data.feature_low.empty()) {
    std::vector<float> ranges = data.feature_low;
    ranges.insert(ranges.end(), data.feature_high.begin(), data.feature_high.end());
    archive.add("feature_range.npy", npy("<f4", {2, data.feature_low.size()}, ranges.data(), ranges.size() * 4));
  }
  const std::string content = archive.finish();
  write_whole(path, content.data(), content.size(), options.force);
}

}  // namespace ntkrob::io
