/// Which offsets between positions of x and y a network needs, and what operations join them.
///
/// Offsets of the two axes are independent: a value needs all pairs of an offset along heights and one along widths.
#pragma once

#include <map>

#include "images/layout.hpp"

namespace ntkrob {

/// One axis of the pairs of a value with a given offset.
struct Line {
  index x, y, n;  // first position in each image, number of pairs
};
inline Line line_of(index positions, index offset) {
  return {offset < 0 ? -offset : 0, offset > 0 ? offset : 0, positions - (offset < 0 ? -offset : offset)};
}

/// The pairs of one axis of a stored value: offset by offset, one after the other.
struct StoredAxis {
  std::vector<index> offsets, begin;
  index n = 0;
  StoredAxis() = default;
  StoredAxis(index positions, const std::vector<index>& needed);
  index place(index offset) const;
};

/// Where an operation between offsets adds the pairs of one axis of its input, by offset of the input.
class OffsetTargets {
 public:
  /// both_taps: any two taps; else the same one on both sides
  OffsetTargets(const Axis& axis, bool both_taps, const StoredAxis& to);
  List at(index offset) const { return by_offset_.at(offset).view(); }

 private:
  std::map<index, OwnList> by_offset_;
};

/// What joins the offsets of one axis, as lists over all stored pairs: those of the input that a pair of the output
/// reads, and those of the output that a pair of the input is read by.
struct Joints {
  OwnList sources, targets;
  Joints(const Axis& axis, bool both_taps, const StoredAxis& from, const StoredAxis& to);
};

/// Offsets of an operation's input that one axis of its output needs at the given ones, ascending.
std::vector<index> input_offsets(const Op& op, const Axis& axis, const std::vector<index>& outputs);

/// By value, ascending: the offsets along heights and widths that `target` needs at offset 0. Empty: not at all.
struct NeededOffsets {
  std::vector<std::vector<index>> h, w;
  NeededOffsets(const Layout& layout, int target);
};

}  // namespace ntkrob
