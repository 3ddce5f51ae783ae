/// What the readers of all formats produce, and the one place that gives it a meaning.
///
/// A reader knows bytes; which axis is which (axes.cpp), what the values mean (values.cpp), which class a label is
/// (labels.cpp) and how it fits together (assemble.cpp) is decided here alone, so that every format follows the same
/// rules and gives the same messages.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ntkrob/data/dataset.hpp"
#include "ntkrob/data/format.hpp"

namespace ntkrob::io {

/// Labels are class numbers below this.
constexpr std::int64_t kMaxClasses = 65536;
/// No deflate stream expands further than this (zlib's own bound): tells a plausible size from an absurd one before
/// allocation.
constexpr std::size_t kMaxInflation = 1032;

struct RawArray;

/// The numbers of an array that stay in its file, and come in blocks of rows.
struct Rows {
  std::function<RawArray(std::size_t first, std::size_t n)> load;  // throws: IoError
  std::size_t total = 0, block = 1;                                // rows there are; rows that are read at a time
  std::size_t n_bytes = 0;                                         // what all of them take in memory
  std::size_t memory = SIZE_MAX;                                   // the limit for that
  std::vector<std::function<void(RawArray&)>> steps;               // what every block goes through
};

/// An array as a file holds it. One of bytes, ints, floats is used, according to `kind`; texts are entries of `names`.
struct RawArray {
  enum class Kind { bytes, ints, floats, texts };
  std::string where;  // "file: x_train", for messages
  std::vector<std::size_t> shape;
  Kind kind = Kind::bytes;
  std::vector<std::uint8_t> bytes;
  std::vector<std::int64_t> ints;               // of texts: the index of each in `names`
  Matrix<float> floats;                         // shape[0] x (product of the rest)
  std::vector<std::string> names;               // of texts: the different ones
  std::map<std::int64_t, std::string> members;  // of an enumeration: what its values are called
  std::shared_ptr<Rows> in_file;                // where set, the numbers are not here: bytes, ints, floats are empty

  std::size_t count() const { return shape.empty() ? 1 : shape[0]; }
  std::string shape_text() const;
  /// One number as double, whatever the kind (not texts).
  double number(std::size_t i) const;

  /// Does to the array what concerns every row by itself: now, or, of an array in a file, to every block that is read.
  /// `kind` and `shape` of the latter are the caller's to set.
  void apply(std::function<void(RawArray&)> step);
  /// Calls use(block, index of its first row): once with the array itself, or with one block of the file after the
  /// other.
  void each_block(const std::function<void(RawArray& block, std::size_t first)>& use);
  /// Takes the numbers out of the file. throws: ResourceError, before reading, where memory is too small
  void load();
};

struct RawSplit {
  std::optional<RawArray> x, y;
  std::optional<RawArray> labels;  // only where they differ from the arg max of y
};

struct RawDataset {
  std::string file;
  RawSplit train, test;
  bool own = false;       // written by ntkrob: axes and values are as file-format.md says
  bool pictures = false;  // the format says which axis is which (PNG, CIFAR)
  bool targets = false;   // floating-point y are targets, also where they happen to be one-hot
  std::optional<std::pair<float, float>> value_range;
  std::vector<float> feature_low, feature_high;
  bool beyond_range = false;
  index classes = 0;  // 0: inferred from names, targets, labels
  std::vector<std::string> class_names;
  std::vector<std::string> columns;  // of a table: the names of its features, or empty
  bool sparse = false;               // features behind the last one that is written are 0
  Provenance provenance;
  std::vector<std::string> notes;
};

/// Checks everything and builds the data set. throws: IoError naming file, array, index, value, limit, remedy;
/// ConfigError: options that do not fit
Dataset assemble(RawDataset raw, const ReadOptions& options);

/// The rows `rows` of an array, ascending; of one in a file they stay there.
RawArray rows_of(const RawArray& from, const std::vector<index>& rows);
/// Product of the extents, overflow checked. throws: IoError naming where.
std::size_t product(const std::vector<std::size_t>& shape, const std::string& where);
/// Axis i of the result is axis order[i] of the array. In place, without a second copy, where the first axis stays.
/// An array in a file stays there where the first axis does, and is loaded elsewhere.
void permute_axes(RawArray& array, const std::vector<std::size_t>& order);
/// The axes in the opposite order: arrays of Fortran and MATLAB.
void reverse_axes(RawArray& array);

// The steps of assemble().

/// Brings x into the order N H W C (signals: N T 1 C; rows: N D) and tells the shape of a sample.
///   n_labels: how many labels there are, 0 where that is not known
ImageShape take_axes(RawArray& x, const RawDataset& raw, const ReadOptions& options, std::size_t n_labels,
                     std::vector<std::string>& notes);
/// Pixels of all splits: what their values mean, how they are kept. Sets value_low, value_high, splits' pixels.
void take_values(RawDataset& raw, const ReadOptions& options, Dataset& data);
/// Labels, targets, classes and class names of all splits.
void take_labels(RawDataset& raw, const ReadOptions& options, Dataset& data);

}  // namespace ntkrob::io
