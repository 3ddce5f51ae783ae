/// Products with a packed right-hand operand, as a table of functions per instruction set. Part of SimdTable.
#pragma once

#include "ntkrob/base/view.hpp"

namespace ntkrob {

/// A packed operand op(b) (k x n) is a row of panels of `width` columns each, the last one padded with zeros; a panel
/// is k x width, row-major.
template <class R>
struct ProductFunctions {
  index width;
  /// One panel: columns first .. first + width of op(b) = b, or of b^T with transpose.   panel: k * width numbers
  void (*pack)(bool transpose, ConstView2D<R> b, index first, R* panel);
  /// c = alpha a op(b) + beta c for the columns that begin at `panels`.   a: n x k   c: n x m
  void (*multiply)(R alpha, ConstView2D<R> a, const R* panels, R beta, View2D<R> c);
  /// As Backend::add_thin.
  void (*thin)(ConstView2D<R> a, ConstView2D<R> vt, View2D<double> sum);
};

}  // namespace ntkrob
