/// The arrays of a file, or of files of one array each, before anybody knows which are images and which labels.
///
/// HDF5, NPZ, .npy and MATLAB files are read through it, so that they know the same names and leave the same things out
/// with the same words.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "raw_array.hpp"

namespace ntkrob::io {

struct ArrayEntry {
  std::string name;                                 // "x_train", "train/data"
  std::function<std::vector<std::size_t>()> shape;  // throws: IoError
  std::function<RawArray()> load;                   // throws: IoError; ResourceError where n_bytes is empty
  std::string identity = {};                        // equal for two names of one array; empty: not known
  // The array with its numbers left in the file, to be read in blocks of about so many bytes; empty: cannot be.
  std::function<RawArray(std::size_t block_bytes)> leave = {};
  std::function<std::size_t()> n_bytes = {};  // memory that load() takes; empty: it asks the budget itself
};

struct Catalogue {
  std::string file;
  std::vector<ArrayEntry> arrays;
  std::vector<std::string> notes;  // what is no array that can be read: "link x to another file"
};

enum class Part { none, train, test, validation };
enum class Role { none, images, labels, names, own };

/// What a name says: "X_test" images of the test split, "train/target" labels of the training split.
struct NameMeaning {
  Part part = Part::none;
  Role role = Role::none;
  int foreign = 0;  // words that say nothing
};
NameMeaning meaning_of(const std::string& name);

/// Chooses and loads images and labels of both splits by `options`, or by their names; what is left out goes into
/// raw.notes.
/// throws: IoError with the names there are; ConfigError where an option names none of them
void take_arrays(const Catalogue& catalogue, const ReadOptions& options, RawDataset& raw);

/// The array, its memory asked of the budget before.   throws: IoError; ResourceError
RawArray load_array(const std::string& file, const ArrayEntry& entry, const ReadOptions& options);
/// An array of images: its numbers, or, where they are more than options.in_memory, the array without them.
///   throws: IoError; ResourceError, before reading, where memory is too small
RawArray load_images(const std::string& file, const ArrayEntry& entry, const ReadOptions& options);

/// Names of a list are shown up to this many.
constexpr std::size_t kShownNames = 12;
/// Names as a list, at most a line long: "a, b, c, ..."; "nothing" where there are none.
std::string names_text(const std::vector<std::string>& names);

}  // namespace ntkrob::io
