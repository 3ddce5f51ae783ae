/// A Program laid out for one instruction set: plain data, all memory and tables given.
///
/// Two layouts. With pairs of positions (full), one pair of samples at a time: a value is height * width rows, one per
/// position of x, of the positions of y. Without, kLanes samples y at once: rows are positions, columns are samples. A
/// value that needs only p = q in a program that needs pairs elsewhere is one row, the line of positions.
#pragma once

#include "ntkrob/backend/program.hpp"

namespace ntkrob {

/// Samples y taken together where no pairs of positions are needed; also the padding of rows.
constexpr index kImageLanes = 16;

template <class R>
struct ImageValue {
  index height, width;
  index rows, cols, stride;  // cols numbers of a row count, stride is padded
  bool full;
  bool line;           // one row: x moves along it, too
  index y_row;         // distance of the y tables of neighbouring rows: 0 where all rows see the same y
  R *d, *t, *gd, *gt;  // state; adjoints, or null
  const R* x_root;     // sqrt of variances: by row, or along a line
  const R* y_root;
  double* x_root_grad;  // height * width, or null
};

template <class R>
struct ImageStep {
  Operation type;
  int in, other, out;
  ChainLayer layer;
  const R *x, *dx, *y;   // coefficients of a pointwise layer, and derivatives of x's by log a
  index x_next, y_next;  // distance of coefficient k + 1
  double* x_log_grad;    // height * width, or null
  Window window;
  index low_h, low_w;              // padding in front
  const R *inverse_h, *inverse_w;  // pool: 1 / divisor of each output row, column
  R* scratch;                      // rows of the widest intermediate
};

template <class R>
struct ImageJob {
  const ImageStep<R>* steps;
  int n_steps;
  ImageValue<R>* values;
  index channels;
  const R* x;  // positions x channels
  const R* y;  // planes: channel, then y's position (full) or position and lane
  index y_plane;
  double* dx;  // positions x channels, or null: added to
};

template <class R>
struct ImageFunctions {
  /// Steps begin .. end; the input is made when begin is 0.
  void (*forward)(const ImageJob<R>&, int begin, int end);
  /// Steps end - 1 .. 0. The adjoints of the last one's output are given; all others are zero.
  void (*backward)(const ImageJob<R>&, int end);
};

}  // namespace ntkrob
