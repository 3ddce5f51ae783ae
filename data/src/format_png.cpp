/// Folders of PNG files: <dir>/<class>/*.png, or <dir>/train/<class>/*.png and <dir>/test/<class>/*.png.
///
/// Class names are the sorted folder names; all pictures have one size and are grey or all RGB.
#include <algorithm>

#include "formats.hpp"
#include "input_file.hpp"
#include "png_file.hpp"
#include "raw_array.hpp"

namespace ntkrob::io {
namespace {

std::vector<std::string> subfolders(const std::string& folder) {
  std::vector<std::string> names;
  for (const std::string& name : list_folder(folder))
    if (name[0] != '.' && is_folder(folder + "/" + name)) names.push_back(name);
  return names;
}

bool has_pictures(const std::string& folder) {
  for (const std::string& name : list_folder(folder))
    if (ends_with(lower(name), ".png")) return true;
  return false;
}

/// The split folders of an input: {folder, is test}. Without train/ and test/ inside, the name decides where there are
/// several inputs; a single one is the training split.
std::vector<std::pair<std::string, bool>> split_folders(const std::string& input, bool only_input) {
  const std::vector<std::string> names = subfolders(input);
  const bool splits = !names.empty() && std::all_of(names.begin(), names.end(), [](const std::string& name) {
    return name == "train" || name == "test";
  });
  if (!splits) return {{input, !only_input && names_test_split(input)}};
  std::vector<std::pair<std::string, bool>> result;
  for (const std::string& name : names) result.emplace_back(input + "/" + name, name == "test");
  return result;
}

void append_picture(const std::string& path, std::size_t label, RawSplit& split) {
  const Picture picture = read_png_file(path);
  const std::vector<std::size_t> shape = {0, static_cast<std::size_t>(picture.shape.height),
                                          static_cast<std::size_t>(picture.shape.width),
                                          static_cast<std::size_t>(picture.shape.channels)};
  if (!split.x) {
    split.x.emplace();
    split.y.emplace();
    split.x->where = split.y->where = path;
    split.x->shape = shape;
    split.y->shape = {0};
    split.y->kind = RawArray::Kind::ints;
  }
  for (std::size_t d = 1; d < 4; ++d)
    NTKROB_CHECK(split.x->shape[d] == shape[d], IoError, path, ": is ", shape[1], " x ", shape[2], " x ", shape[3],
                 ", but ", split.x->where, " is ", split.x->shape[1], " x ", split.x->shape[2], " x ",
                 split.x->shape[3], "; all pictures must have one size and number of channels");
  split.x->bytes.insert(split.x->bytes.end(), picture.pixels.begin(), picture.pixels.end());
  split.y->ints.push_back(static_cast<std::int64_t>(label));
  ++split.x->shape[0];
  ++split.y->shape[0];
}

}  // namespace

bool recognise_png(const Probe& probe) {
  if (!probe.folder) return probe.head.compare(0, 8, "\x89PNG\r\n\x1a\n", 8) == 0;
  for (const auto& [folder, is_test] : split_folders(probe.path, true))
    for (const std::string& name : subfolders(folder))
      if (has_pictures(folder + "/" + name)) return true;
  return false;
}

Dataset read_png(const std::vector<std::string>& inputs, const IdxFiles&) {
  RawDataset raw;
  raw.file = inputs[0];
  std::vector<std::pair<std::string, bool>> folders;
  for (const std::string& input : inputs) {
    NTKROB_CHECK(is_folder(input), IoError, input,
                 ": a single picture is no data set; give the folder that has one subfolder of PNG files per class");
    for (auto& folder : split_folders(input, inputs.size() == 1)) folders.push_back(std::move(folder));
  }
  for (const auto& [folder, is_test] : folders)
    for (const std::string& name : subfolders(folder)) raw.class_names.push_back(name);
  std::sort(raw.class_names.begin(), raw.class_names.end());
  raw.class_names.erase(std::unique(raw.class_names.begin(), raw.class_names.end()), raw.class_names.end());
  for (const auto& [folder, is_test] : folders)
    for (const std::string& name : subfolders(folder)) {
      const auto position = std::lower_bound(raw.class_names.begin(), raw.class_names.end(), name);
      const auto label = static_cast<std::size_t>(position - raw.class_names.begin());
      for (const std::string& file : list_folder(folder + "/" + name))
        if (ends_with(lower(file), ".png"))
          append_picture(folder + "/" + name + "/" + file, label, is_test ? raw.test : raw.train);
    }
  return assemble(std::move(raw));
}

}  // namespace ntkrob::io
