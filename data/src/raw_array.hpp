/// What the readers of all formats produce, and the one place that gives it a meaning.
///
/// A reader knows bytes; whether an array is NHWC, what its values mean, and how labels and images fit together is
/// decided by assemble() alone, so that every format follows the same rules and gives the same messages.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ntkrob/data/dataset.hpp"

namespace ntkrob::io {

/// Labels are class numbers below this.
constexpr std::int64_t kMaxClasses = 65536;
/// No deflate stream expands further than this (zlib's own bound): tells a plausible size from an absurd one before
/// allocation.
constexpr std::size_t kMaxInflation = 1032;

/// An array as a file holds it. Exactly one of bytes, ints, floats is used, according to `kind`.
struct RawArray {
  enum class Kind { bytes, ints, floats };
  std::string where;  // "file: x_train", for messages
  std::vector<std::size_t> shape;
  Kind kind = Kind::bytes;
  std::vector<std::uint8_t> bytes;
  std::vector<std::int64_t> ints;
  Matrix<float> floats;  // shape[0] x (product of the rest)

  std::size_t count() const { return shape.empty() ? 1 : shape[0]; }
  std::string shape_text() const;
};

struct RawSplit {
  std::optional<RawArray> x, y;
  std::optional<RawArray> labels;  // only where they differ from the arg max of y
};

struct RawDataset {
  std::string file;
  RawSplit train, test;
  bool guess_layout = false;  // plain files: [N,C,H,W] with C = 1 or 3 is recognised
  std::optional<std::pair<float, float>> value_range;
  bool beyond_range = false;
  index classes = 0;  // 0: inferred from names, targets, labels
  std::vector<std::string> class_names;
};

/// Checks everything and builds the data set. throws: IoError naming file, array, index, value, limit, remedy.
Dataset assemble(RawDataset raw);

/// Product of the extents, overflow checked. throws: IoError naming where.
std::size_t product(const std::vector<std::size_t>& shape, const std::string& where);

}  // namespace ntkrob::io
