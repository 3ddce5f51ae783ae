/// Data sets: images, labels, where they come from. In memory, but for pixels that are many and are wanted once.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ntkrob/base/state_dict.hpp"
#include "ntkrob/base/view.hpp"

namespace ntkrob {

struct Split;

/// Pixels that stay in a file because they are many, and come in blocks of rows. See ReadOptions::in_memory.
struct PixelsInFile {
  /// Rows first .. of a split: n and its pixels, no labels.
  using Use = std::function<void(const Split& block, index first)>;

  bool bytes = false;                    // uint8, else float
  double low = 0, high = 0;              // no pixel lies outside
  std::function<void(const Use&)> read;  // calls it for all blocks in their order. throws: IoError
};

/// One split. Pixels are kept in the type of the file: uint8 (0..255 means [0,1]) or float in the value range.
struct Split {
  index n = 0;
  std::vector<std::uint8_t> bytes;  // n * D when the pixels are uint8
  Matrix<float> pixels;             // n x D when they are float
  std::vector<int> labels;          // n, in [0, classes); the arg max of targets where only those exist
  Matrix<float> targets;            // n x classes, or empty: soft or learned labels

  std::shared_ptr<const PixelsInFile> in_file;  // where set, `bytes` and `pixels` are empty

  bool is_bytes() const { return in_file ? in_file->bytes : !bytes.empty(); }
  /// Calls use(block, index of its first row) until all rows were seen; once with the split itself where it is in
  /// memory.
  void each_block(const PixelsInFile::Use& use) const;
  /// The same with its pixels in memory.   size: numbers in a row
  Split loaded(index size) const;
  /// The smallest and the largest pixel; 0, 0 of an empty split. cost: a pass over all pixels
  std::pair<double, double> extremes() const;
  bool empty() const { return n == 0; }
};

/// How a data set came to be. Stored in the group "provenance".
struct Provenance {
  std::string library_version;
  std::string command;                                       // what made it
  std::vector<std::pair<std::string, std::string>> options;  // every option, as text
  std::string parent;                                        // file name of the data it was made from
  std::string parent_checksum;                               // "crc32:xxxxxxxx" of its training pixels and labels
  std::vector<std::string> chain;                            // the commands that made its parents, the oldest first
  std::vector<std::string> reading;  // what was recognised or assumed of the parent, and asked for
  std::vector<std::pair<std::string, std::vector<double>>> curves;  // e.g. "loss", one value per step
  Matrix<float> initial_images;                                     // n x D or empty
};

/// What a sample is: pictures of height x width x channels; signals of `height` steps, width 1; tables of features,
/// 1 x 1.
enum class DataKind { picture, signal, table };

struct Dataset {
  ImageShape shape;
  index classes = 0;
  std::vector<std::string> class_names;          // classes names, or empty
  float value_low = 0, value_high = 1;           // of float pixels
  bool beyond_range = false;                     // float pixels may lie outside it (a set optimised without clipping)
  std::vector<std::string> feature_names;        // of a table, channels each, or empty
  std::vector<float> feature_low, feature_high;  // channels each, or empty: the values that were mapped to 0 and 1
  Split train, test;
  Provenance provenance;
  bool own = false;  // read from a file that ntkrob wrote
  std::vector<std::string>
      notes;  // what the reader recognised or assumed, one line each, options marked (base/error.hpp)

  DataKind kind() const;
  /// "images of 28 x 28 x 1", "signals of 128 steps, 9 channels", "rows of 13 features".
  std::string kind_text() const;

  /// The split as float in [0,1], n x D. which: "train" or "test"; throws: ConfigError when the split is absent.
  Matrix<float> images(const std::string& which) const;
  /// The first n of them.
  Matrix<float> images(const std::string& which, index n) const;
  const Split& split(const std::string& which) const;
  /// crc32 over pixels, labels and targets (if any) of the training split, "crc32:xxxxxxxx".
  std::string checksum() const;
  /// throws: IoError naming `where`: pixels not finite or outside the value range, labels out of range, counts that
  ///         differ
  void validate(const std::string& where) const;
};

}  // namespace ntkrob
