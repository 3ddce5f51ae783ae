#include "folder_advice.hpp"

#include <algorithm>
#include <vector>

#include "echo.hpp"
#include "input_file.hpp"
#include "ntkrob/base/error.hpp"

namespace ntkrob::io {
namespace {

bool holds(const std::string& name, const std::vector<const char*>& words) {
  return std::any_of(words.begin(), words.end(),
                     [&](const char* word) { return name.find(word) != std::string::npos; });
}

/// A path as one word of a shell, where it is none as it stands.
std::string word(const std::string& path) {
  const std::string shown = echoed(path);
  return shown.find_first_of(" ()[]&;|<>$\"'`\\*?!#~") == std::string::npos ? shown : "\"" + shown + "\"";
}

/// The only file of this split and role; empty where there are none or several.
std::string only(const std::vector<std::string>& names, const std::vector<const char*>& split,
                 const std::vector<const char*>& role) {
  std::string found;
  for (const std::string& name : names)
    if (holds(lower(name), split) && holds(lower(name), role)) {
      if (!found.empty()) return {};
      found = name;
    }
  return found;
}

}  // namespace

std::string folder_advice(const std::string& folder) {
  std::vector<std::string> arrays;
  std::size_t pictures = 0;
  const auto look = [&](const std::string& inside, const FolderEntry& entry) {
    const std::string name = lower(entry.name);
    for (const char* end : {".npz", ".npy", ".txt", ".csv"})
      if (ends_with(name, end)) arrays.push_back(inside + entry.name);
    pictures += inside.empty() && ends_with(name, ".png") ? 1 : 0;
  };
  for (const FolderEntry& entry : entries_of(folder)) {
    if (entry.name[0] == '.') continue;
    if (!entry.folder) {
      look("", entry);
      continue;
    }
    try {
      for (const FolderEntry& inner : entries_of(folder + "/" + entry.name))
        if (!inner.folder && inner.name[0] != '.') look(entry.name + "/", inner);
    } catch (const Error&) {  // closed to us: it is only about advice
    }
  }
  const std::vector<const char*> images{"img", "image", "x_", "_x"}, labels{"label", "target", "y_", "_y"};
  const std::string x = only(arrays, {"train"}, images), y = only(arrays, {"train"}, labels);
  if (!x.empty() && !y.empty() && x != y) {
    std::string advice =
        text("; these look like arrays of images and labels: give ", field("train-images", word(folder + "/" + x)), " ",
             field("train-labels", word(folder + "/" + y)));
    const std::string x_test = only(arrays, {"test"}, images), y_test = only(arrays, {"test"}, labels);
    if (!x_test.empty() && !y_test.empty() && x_test != y_test)
      advice += text(" ", field("test-images", word(folder + "/" + x_test)), " ",
                     field("test-labels", word(folder + "/" + y_test)));
    return advice;
  }
  if (pictures > 0)
    return text("; its ", pictures,
                pictures == 1 ? " PNG file says no class: put it" : " PNG files say no class: put them",
                " into one subfolder per class, named after it");
  return {};
}

}  // namespace ntkrob::io
