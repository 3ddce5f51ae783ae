#include "part_files.hpp"

#include <algorithm>

#include "formats.hpp"
#include "input_file.hpp"
#include "read_options.hpp"

namespace ntkrob::io {
namespace {

/// The name of a file without its endings.
std::string stem(const std::string& path) {
  std::string name = file_name(path);
  for (const char* ending : {".gz", ".npy", ".npz", ".h5", ".hdf5", ".mat", ".csv", ".txt", ".tsv", ".data"})
    if (ends_with(lower(name), ending)) name.resize(name.size() - std::string(ending).size());
  return name;
}

/// One array for an option that names a file.
std::optional<RawArray> only_array(const std::string& path, const char* option, Role role, const ReadOptions& options) {
  if (path.empty()) return std::nullopt;
  const Catalogue catalogue = catalogue_of(path, budget_of(options));
  const ArrayEntry* found = catalogue.arrays.size() == 1 ? &catalogue.arrays.front() : nullptr;
  std::vector<std::string> names;
  std::size_t fitting = 0;
  for (const ArrayEntry& entry : catalogue.arrays) {
    names.push_back(entry.name);
    if (catalogue.arrays.size() == 1 || meaning_of(entry.name).role != role) continue;
    ++fitting;
    found = &entry;
  }
  NTKROB_CHECK(found != nullptr && fitting <= 1, IoError, path, ": ", field(option),
               " names a file of one array, this one holds ", names_text(names), "; ",
               advice("give it as the input, with ", field("x"), " and ", field("y")));
  return role == Role::images ? load_images(path, *found, options) : load_array(path, *found, options);
}

}  // namespace

Catalogue catalogue_of(const std::string& path, const std::shared_ptr<ReadBudget>& budget) {
  const Probe probe = probe_of(path);
  NTKROB_CHECK(!probe.folder, IoError, path, ": is a folder, expected a file of one array");
  if (recognise_hdf5(probe)) return hdf5_catalogue(path);
  if (recognise_npz(probe)) return npz_catalogue(path, budget);
  if (recognise_npy(probe)) return npy_catalogue(path, budget);
  if (recognise_csv(probe)) return table_catalogue(path, budget);
  return idx_catalogue(path, budget);  // says what is wrong where it is none
}

RawDataset read_parts(const std::vector<std::string>& files, const ReadOptions& options) {
  RawDataset raw;
  raw.file = files[0];
  Catalogue all;
  all.file = text(files[0], " and ", files.size() - 1, files.size() == 2 ? " other file" : " other files");
  for (const std::string& file : files) {
    Catalogue one = catalogue_of(file, budget_of(options));
    for (ArrayEntry& entry : one.arrays) {
      const bool bare = one.arrays.size() == 1 && (entry.name.empty() || entry.name.rfind("arr_", 0) == 0);
      entry.name = bare ? stem(file) : stem(file) + "/" + entry.name;
      all.arrays.push_back(std::move(entry));
    }
    for (const std::string& note : one.notes) all.notes.push_back(file + ": " + note);
  }
  take_arrays(all, options, raw);
  // Files of usual names need no word about the names, but it is said which is which.
  if (std::none_of(raw.notes.begin(), raw.notes.end(),
                   [](const std::string& note) { return note.rfind("training images", 0) == 0; }))
    for (const RawSplit* split : {&raw.train, &raw.test})
      if (split->x && split->y)
        raw.notes.push_back(
            text(split == &raw.train ? "training" : "test", " split: ", split->x->where, ", ", split->y->where));
  return raw;
}

RawDataset read_named_parts(const ReadOptions& options) {
  const PartFiles& parts = options.parts;
  const auto check_pair = [](const std::string& images, const std::string& labels, const char* which) {
    NTKROB_CHECK(images.empty() || !labels.empty(), ConfigError, images, ": ", which,
                 " images without labels; give the labels file with ", field(text(which, "-labels")));
    NTKROB_CHECK(labels.empty() || !images.empty(), ConfigError, labels, ": ", which,
                 " labels without images; give the images file with ", field(text(which, "-images")));
  };
  check_pair(parts.train_images, parts.train_labels, "train");
  check_pair(parts.test_images, parts.test_labels, "test");
  RawDataset raw;
  raw.file = parts.train_images.empty() ? parts.test_images : parts.train_images;
  raw.train.x = only_array(parts.train_images, "train-images", Role::images, options);
  raw.train.y = only_array(parts.train_labels, "train-labels", Role::labels, options);
  raw.test.x = only_array(parts.test_images, "test-images", Role::images, options);
  raw.test.y = only_array(parts.test_labels, "test-labels", Role::labels, options);
  for (RawSplit* split : {&raw.train, &raw.test}) {
    if (!split->x) continue;
    NTKROB_CHECK(split->x->shape.size() >= 2, IoError, split->x->where, ": shape ", split->x->shape_text(),
                 "; images have 2 to 4 dimensions, this looks like labels");
    NTKROB_CHECK(split->y->shape.size() <= 2, IoError, split->y->where, ": shape ", split->y->shape_text(),
                 "; labels have one dimension, this looks like images");
  }
  return raw;
}

bool are_parts(const std::vector<std::string>& files) {
  const auto role = [](const std::string& file) { return meaning_of(stem(file)).role; };
  return std::any_of(files.begin(), files.end(), [&](const std::string& f) { return role(f) == Role::images; }) &&
         std::any_of(files.begin(), files.end(), [&](const std::string& f) { return role(f) == Role::labels; });
}

}  // namespace ntkrob::io
