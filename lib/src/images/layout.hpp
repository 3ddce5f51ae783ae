/// How a Program is cut into units, and where the numbers of a sample lie in its table.
#pragma once

#include <vector>

#include "images/list.hpp"
#include "layers/all.hpp"
#include "ntkrob/backend/program.hpp"

namespace ntkrob {

/// One axis of a window.
struct Axis {
  index in, out, taps, step, dilation, low;
  bool circular;

  /// The input index of a tap; outside the image negative, or `in` and more.
  index source(index o, index tap) const {
    const index i = o * step + tap * dilation - low;
    return circular ? ((i % in) + in) % in : i;
  }
  bool inside(index i) const { return i >= 0 && i < in; }
  /// f(tap, input index) for the taps inside the image.
  template <class F>
  void for_each_source(index o, F&& f) const {
    for (index tap = 0; tap < taps; ++tap)
      if (inside(source(o, tap))) f(tap, source(o, tap));
  }
};

/// A List with its memory.
struct OwnList {
  std::vector<int> begin{0}, item;
  void close() { begin.push_back(static_cast<int>(item.size())); }
  List view() const { return {begin.data(), item.data()}; }
};

Axis axis(index in, index out, index taps, index step, const Window& w);

/// A window that keeps the offset between positions of x and y, but for its stride.
inline bool keeps_offsets(const Op& op) {
  return op.type == Operation::shift && op.window.padding != Padding::circular;
}
/// Operations whose output at one offset reads others: their results are stored.
inline bool crosses(const Op& op) {
  return op.type == Operation::pool || op.type == Operation::mean || op.type == Operation::flatten ||
         (op.type == Operation::shift && !keeps_offsets(op));
}

/// Operations in -> out done at once. Values between them are not kept; only that in front of the run matters.
struct Unit {
  int in, mid, out;
  bool shift = false, dense = false, normal = false;
  Window window;
  double w = 1, b = 0;
  std::vector<int> run;                          // operations
  std::vector<ChainLayer> layers;                // of the run without layer norms, which change neither gap nor t
  std::vector<index> coefficients, derivatives;  // places
  index place_mid = 0, place_inverse = 0, place_c = 0, place_beta = 0, place_share = 0;
};

/// Tables: numbers of sample after sample for x; for y kImageLanes samples side by side, without derivatives.
struct Layout {
  const Program& program;
  std::vector<Unit> units;
  std::vector<int> unit_of;     // by value: the unit that makes it, or -1
  std::vector<index> root;      // by value: place of the roots of its variances, or -1 inside units
  index y_size = 0, size = 0;   // numbers of a sample in the tables of y, of x
  std::vector<index> factor;    // by value: place of the scales of a product's factors by its own
  std::vector<index> variance;  // by value: place in arrays of double
  index doubles = 0;
  std::vector<int> group;  // by value: values joined by linear operations are in one, named after its first member

  explicit Layout(const Program& program);
  const ValueShape& shape(int v) const { return program.values[static_cast<std::size_t>(v)]; }
  const Op& op(int k) const { return program.ops[static_cast<std::size_t>(k)]; }
  bool is_product(int v) const { return v > 0 && op(v - 1).type == Operation::product; }
  /// A dense layer without bias.
  bool is_linear(int k) const {
    return op(k).type == Operation::pointwise && op(k).layer.kind == layers::k_dense && op(k).layer.params[1] == 0;
  }
  Axis axis_h(const Op& op, int out) const {
    return axis(shape(op.in).height, shape(out).height, op.window.kh, op.window.sh, op.window);
  }
  Axis axis_w(const Op& op, int out) const {
    return axis(shape(op.in).width, shape(out).width, op.window.kw, op.window.sw, op.window);
  }

 private:
  bool inside_unit(int v) const;
  void find_units();
  void place();
  void group_values();
  std::vector<std::vector<int>> readers_;  // by value: operations
};

/// Whether what follows a value reads its variances for more than linear operations.
bool read_by_nonlinear(const Program& program, int value);
/// Pools whose variances nonlinear layers read. They are the pooled covariances of a sample with itself.
std::vector<int> exact_pools(const Program& program);

}  // namespace ntkrob
