/// Products with a packed right-hand operand, as a table of functions per instruction set. Part of SimdTable.
#pragma once

#include "ntkrob/base/view.hpp"

namespace ntkrob {

/// A packed operand op(b) (k x n) is a row of panels of `width` columns each, the last one padded with zeros; a panel
/// is k x width, row-major. With bfloat16 operands a cell of `per_cell` 2 numbers takes the place of a float: rows 2p
/// and 2p + 1 of a column, in the low and the high half of its bits; a panel is ceil(k / 2) x width cells.
template <class R>
struct ProductFunctions {
  index width;
  index per_cell;
  /// One panel: columns first .. first + width of op(b) = b, or of b^T with transpose.   panel: ceil(k / per_cell) *
  /// width cells
  void (*pack)(bool transpose, ConstView2D<R> b, index first, R* panel);
  /// c = alpha a op(b) + beta c for the columns that begin at `panels`.   a: n x k   c: n x m
  void (*multiply)(R alpha, ConstView2D<R> a, const R* panels, R beta, View2D<R> c);
  // What follows is null for bfloat16 operands.
  /// As Backend::add_thin.
  void (*thin)(ConstView2D<R> a, ConstView2D<R> vt, View2D<double> sum);
  /// As Backend::gemm, on the calling thread: the bits of pack and multiply, without memory for panels.
  void (*gemm)(bool transpose_a, bool transpose_b, R alpha, ConstView2D<R> a, ConstView2D<R> b, R beta, View2D<R> c);
  /// As pack, back: into columns first .. first + width of b, or into these rows, transposed.
  void (*unpack)(bool transpose, const R* panel, index first, View2D<R> b);
  /// panel = L^-1 panel, panel = L^-T panel; L is the lower triangle of l.   l: n x n   panel: n x width
  void (*solve_lower)(ConstView2D<R> l, R* panel);
  void (*solve_lower_transposed)(ConstView2D<R> l, R* panel);
};

}  // namespace ntkrob
