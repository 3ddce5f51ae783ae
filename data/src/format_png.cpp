/// Folders of PNG files: <dir>/<class>/*.png, or <dir>/train/<class>/*.png and <dir>/test/<class>/*.png under the usual
/// names of splits.
///
/// Class names are the folder names (labels.cpp numbers them); all pictures have one size. Hidden files and folders are
/// skipped, everything else that is not read is named.
#include <algorithm>
#include <map>

#include "catalogue.hpp"
#include "formats.hpp"
#include "input_file.hpp"
#include "png_file.hpp"
#include "raw_array.hpp"
#include "read_options.hpp"
#include "taken.hpp"

namespace ntkrob::io {
namespace {

bool is_hidden(const std::string& name) {
  const std::string small = lower(name);
  return name[0] == '.' || small == "__macosx" || small == "thumbs.db" || small == "desktop.ini";
}

bool is_png(const std::string& name) { return ends_with(lower(name), ".png"); }

bool is_other_picture(const std::string& name) {
  for (const char* ending : {".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm"})
    if (ends_with(lower(name), ending)) return true;
  return false;
}

std::vector<FolderEntry> visible(const std::string& folder) {
  std::vector<FolderEntry> entries = entries_of(folder);
  entries.erase(
      std::remove_if(entries.begin(), entries.end(), [](const FolderEntry& entry) { return is_hidden(entry.name); }),
      entries.end());
  return entries;
}

std::vector<std::string> subfolders(const std::string& folder) {
  std::vector<std::string> names;
  for (const FolderEntry& entry : visible(folder))
    if (entry.folder) names.push_back(entry.name);
  return names;
}

bool holds(const std::string& folder, bool (*wanted)(const std::string&)) {
  const std::vector<FolderEntry> entries = visible(folder);
  return std::any_of(entries.begin(), entries.end(), [&](const FolderEntry& entry) { return wanted(entry.name); });
}

/// Pictures in a folder and in the folders inside.
std::size_t count_pictures(const std::string& folder) {
  std::size_t n = 0;
  for (const FolderEntry& entry : visible(folder)) {
    if (!entry.folder)
      n += is_png(entry.name);
    else
      for (const FolderEntry& file : visible(folder + "/" + entry.name)) n += is_png(file.name);
  }
  return n;
}

/// In the order of their names; numbers in the order of numbers, so that class 10 is not before class 2.
std::vector<std::string> class_folders(const std::string& folder) {
  std::vector<std::string> names = subfolders(folder);
  if (std::all_of(names.begin(), names.end(), [](const std::string& name) { return whole_number(name).has_value(); }))
    std::sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
      return std::pair(*whole_number(a), a) < std::pair(*whole_number(b), b);
    });
  return names;
}

bool holds_classes(const std::string& folder) {
  for (const std::string& name : subfolders(folder))
    if (holds(folder + "/" + name, is_png)) return true;
  return false;
}

enum class Split3 { none, train, test, validation };

Split3 split_of(const std::string& name) {
  const std::string small = lower(name);
  if (small == "train" || small == "training") return Split3::train;
  if (small == "test" || small == "testing") return Split3::test;
  if (small == "val" || small == "valid" || small == "validation") return Split3::validation;
  return Split3::none;
}

/// What is found below one input.
struct Tree {
  std::vector<std::pair<std::string, bool>> folders;  // with one subfolder per class; whether it is the test split
  std::vector<std::string> notes;
};

/// The folder with the classes or the splits: where a folder holds nothing but one folder, that one.
std::string descend(std::string folder, std::vector<std::string>& notes) {
  const std::string top = folder;
  constexpr int kMaxLevels = 4;
  for (int level = 0; level < kMaxLevels && !holds_classes(folder); ++level) {
    const std::vector<std::string> names = subfolders(folder);
    if (names.size() != 1 || holds(folder, is_png) || split_of(names[0]) != Split3::none) break;
    folder += "/" + names[0];
  }
  if (folder != top) notes.push_back("classes are in " + folder);
  return folder;
}

Tree look(const std::string& input, bool only_input) {
  Tree tree;
  const std::string top = descend(input, tree.notes);
  std::map<Split3, std::string> splits;
  std::vector<std::string> others;
  for (const std::string& name : subfolders(top)) {
    const Split3 split = split_of(name);
    const std::string path = top + "/" + name;
    // A class may be called "train": then it holds pictures itself.
    if (split != Split3::none && (holds_classes(path) || (split != Split3::train && holds(path, is_png))))
      splits[split] = path;
    else
      others.push_back(name);
  }
  const bool has_train = splits.count(Split3::train) > 0 && holds_classes(splits[Split3::train]);
  if (!has_train) {
    const bool test_only = splits.count(Split3::test) > 0 && !holds(splits[Split3::test], is_png) && others.empty();
    if (test_only)
      tree.folders.emplace_back(splits[Split3::test], true);
    else
      tree.folders.emplace_back(top, !only_input && names_test_split(input));
    if (!only_input)
      tree.notes.push_back(text(tree.folders[0].second ? "test" : "training", " split: ", tree.folders[0].first));
    return tree;
  }
  tree.folders.emplace_back(splits[Split3::train], false);
  tree.notes.push_back("training split: " + splits[Split3::train]);
  const auto take_test = [&](Split3 split) {
    if (splits.count(split) == 0) return false;
    const std::string& path = splits[split];
    if (!holds_classes(path)) {
      const std::vector<FolderEntry> entries = visible(path);
      tree.notes.push_back(text(
          "left out: ", path, ", ",
          std::count_if(entries.begin(), entries.end(), [](const FolderEntry& entry) { return is_png(entry.name); }),
          " pictures without a folder for their class"));
      return false;
    }
    tree.folders.emplace_back(path, true);
    tree.notes.push_back("test split: " + path);
    return true;
  };
  const bool test = take_test(Split3::test);
  if (splits.count(Split3::validation) > 0) {
    if (test)
      tree.notes.push_back(text("left out: ", splits[Split3::validation], ", a validation split of ",
                                count_pictures(splits[Split3::validation]), " pictures (", field("test-file"),
                                " reads it as the test split of the training folder alone)"));
    else
      take_test(Split3::validation);
  }
  if (!others.empty()) tree.notes.push_back("left out beside the splits: " + names_text(others));
  return tree;
}

/// Pictures of both splits, which have one size and one number of channels.
class Collector {
 public:
  Collector(RawDataset& raw, std::shared_ptr<ReadBudget> budget) : raw_(raw), budget_(std::move(budget)) {}

  void add_class(const std::string& folder, const std::string& name, bool is_test) {
    const std::string path = folder + "/" + name;
    std::size_t read = 0;
    std::vector<std::string> others;
    for (const auto& [file, folder_inside] : visible(path)) {
      if (is_png(file) && !folder_inside) {
        add(path + "/" + file, name, is_test);
        ++read;
      } else if (is_other_picture(file)) {
        others.push_back(file);
      } else {
        left_out_.push_back(name + "/" + file);
      }
    }
    NTKROB_CHECK(read > 0 || others.empty(), IoError, path, ": holds ", others.size(), " pictures that are no PNG (",
                 others.front(), ", ...) and none that is; convert them: mogrify -format png ", path, "/*",
                 others.front().substr(others.front().rfind('.')));
    if (read == 0) empty_.push_back(name);
    for (const std::string& other : others) {
      if (first_other_.empty()) first_other_ = path + "/" + other;
      ++n_others_;
    }
  }

  /// What lies beside the folders of the classes.
  void add_beside(const std::string& folder) {
    for (const auto& [name, folder_inside] : visible(folder)) {
      const std::string path = folder + "/" + name;
      if (folder_inside) continue;
      if (!is_file(path))
        links_.push_back(path);
      else if (is_png(name) || is_other_picture(name))
        unlabelled_.push_back(name);
      else
        left_out_.push_back(name);
    }
  }

  void finish() {
    const auto say = [&](const std::string& clause) { raw_.notes.push_back(clause); };
    if (n_others_ > 0)
      say(text("attention: left out ", n_others_, " pictures that are no PNG (", first_other_,
               ", ...); convert them: mogrify -format png FILES"));
    if (!empty_.empty())
      say(text("left out: ", empty_.size(), empty_.size() == 1 ? " folder" : " folders",
               " without pictures: ", names_text(empty_)));
    if (!left_out_.empty())
      say(text("left out: ", left_out_.size(), left_out_.size() == 1 ? " file" : " files",
               " that are no pictures: ", names_text(left_out_)));
    if (!unlabelled_.empty())
      say(text("left out: ", unlabelled_.size(),
               " pictures without a folder for their class: ", names_text(unlabelled_)));
    if (!links_.empty())
      say(text("left out: ", links_.size(), links_.size() == 1 ? " link" : " links",
               " to nowhere: ", names_text(links_)));
    if (widened_ > 0) say(text(widened_, " grey pictures among RGB ones were widened to RGB"));
  }

 private:
  void add(const std::string& path, const std::string& name, bool is_test) {
    Picture picture = read_png_file(path, *budget_);
    const std::size_t taken = picture.pixels.size();
    RawSplit& split = is_test ? raw_.test : raw_.train;
    const auto size = [](index i) { return static_cast<std::size_t>(i); };
    if (!split.x) {
      split.x.emplace();
      split.y.emplace();
      split.x->where = path;
      split.y->where = path.substr(0, path.size() - file_name(path).size() - 1 - name.size() - 1);
      split.x->shape = {0, size(picture.shape.height), size(picture.shape.width), size(picture.shape.channels)};
      split.y->shape = {0};
      split.y->kind = RawArray::Kind::texts;
      if (first_.empty()) {
        first_ = path;
        shape_ = picture.shape;
      }
    }
    NTKROB_CHECK(picture.shape.height == shape_.height && picture.shape.width == shape_.width, IoError, path, ": is ",
                 picture.shape.height, " x ", picture.shape.width, ", but ", first_, " is ", shape_.height, " x ",
                 shape_.width, "; all pictures must have one size: mogrify -resize ", shape_.width, "x", shape_.height,
                 "! FILES");
    if (picture.shape.channels == 3 && shape_.channels == 1) widen_all();
    if (picture.shape.channels == 1 && shape_.channels == 3) {
      widen(picture.pixels);
      ++widened_;
    }
    split.x->shape[3] = size(shape_.channels);
    make_room(split.x->bytes, picture.pixels.size(), *budget_, path);
    split.x->bytes.insert(split.x->bytes.end(), picture.pixels.begin(), picture.pixels.end());
    budget_->give_back(taken);
    make_room(split.y->ints, 1, *budget_, path);
    auto& names = split.y->names;
    if (names.empty() || names.back() != name) names.push_back(name);
    split.y->ints.push_back(static_cast<std::int64_t>(names.size()) - 1);
    ++split.x->shape[0];
    ++split.y->shape[0];
  }

  static void widen(std::vector<std::uint8_t>& grey) {
    std::vector<std::uint8_t> colour;
    colour.reserve(3 * grey.size());
    for (const std::uint8_t value : grey) colour.insert(colour.end(), 3, value);
    grey = std::move(colour);
  }

  void widen_all() {
    for (RawSplit* split : {&raw_.train, &raw_.test}) {
      if (!split->x) continue;
      widened_ += split->x->shape[0];
      budget_->take(3 * split->x->bytes.size(), split->x->where);
      budget_->give_back(split->x->bytes.capacity());
      widen(split->x->bytes);
      split->x->shape[3] = 3;
    }
    shape_.channels = 3;
  }

  RawDataset& raw_;
  std::shared_ptr<ReadBudget> budget_;
  std::string first_;
  ImageShape shape_;
  std::size_t widened_ = 0, n_others_ = 0;
  std::string first_other_;
  std::vector<std::string> empty_, left_out_, unlabelled_, links_;
};

}  // namespace

bool recognise_png(const Probe& probe) {
  if (!probe.folder) return probe.head.compare(0, 8, "\x89PNG\r\n\x1a\n", 8) == 0;
  for (const auto& [folder, is_test] : look(probe.path, true).folders)
    for (const std::string& name : subfolders(folder))
      if (holds(folder + "/" + name, is_png) || holds(folder + "/" + name, is_other_picture)) return true;
  return false;
}

RawDataset read_png(const std::vector<std::string>& inputs, const ReadOptions& options) {
  RawDataset raw;
  raw.file = inputs[0];
  raw.pictures = true;
  expect_no_array_names(options, inputs[0], "a folder of pictures");
  Collector collector(raw, budget_of(options));
  for (const std::string& input : inputs) {
    NTKROB_CHECK(is_folder(input), IoError, input,
                 ": a single picture is no data set; give the folder that has one subfolder of PNG files per class");
    const Tree tree = look(input, inputs.size() == 1);
    raw.notes.insert(raw.notes.end(), tree.notes.begin(), tree.notes.end());
    for (const auto& [folder, is_test] : tree.folders) {
      for (const std::string& name : class_folders(folder)) collector.add_class(folder, name, is_test);
      collector.add_beside(folder);
    }
  }
  collector.finish();
  return raw;
}

}  // namespace ntkrob::io
