/// What runs inside one sweep over an image, laid out for one instruction set: plain data, all memory and tables given.
///
/// A patch is the set of pairs of positions (p, q) of two images whose distance q - p is one fixed offset: a rectangle.
/// Everything but pooling keeps offsets apart, so patches are worked on one after the other and stay in cache. A plane
/// holds one number per pair of a patch and sample: kImageLanes samples y side by side for every position, row by row.
#pragma once

#include "images/list.hpp"
#include "ntkrob/backend/program.hpp"

namespace ntkrob {

/// Samples y taken together.
constexpr index kImageLanes = 16;

/// The taps of a window along one axis of a patch. Outputs and, in `both` and `back`, inputs are counted from the
/// corner of their patch, other inputs from that of their image.
struct AxisTaps {
  List both;            // by output: inputs inside both images
  List back;            // by input: the outputs that read it
  List x_in, y_in;      // by output: taps inside the image x, y
  List x_only, y_only;  // by output: taps inside one image only
  bool one_sided;       // whether there are any
};

struct Patch {
  index h, w;    // positions
  index xh, xw;  // its corner in the image x
  index yh, yw;
  index row;     // width of the images
  index stride;  // distance of rows in a plane, in positions
  index x_at(index r) const { return (xh + r) * row + xw; }
  index y_at(index r) const { return (yh + r) * row + yw; }
};

/// Distances, tangent kernels; or their adjoints.
template <class R>
struct Planes {
  R *d, *t;
};

/// Tables of samples: entry k of position p at x[k + p], y[kImageLanes (k + p)].
template <class R>
struct Tables {
  const R *x, *y;
};

/// A window, the dense layer behind it and pointwise layers behind that, at all pairs of a patch at once; each of the
/// three may be missing. Numbers are places in the tables. A is the variance in front of the pointwise layers.
template <class R>
struct ImageUnit {
  bool shift, dense, normal;  // normal: something follows that works on gap and normalised kernel
  R inverse_taps;
  index root_in;         // of the input
  index mid, inverse;    // sqrt A, 1 / sqrt A (or 0)
  index c, beta, share;  // dense: w scale_in / scale_out; b / scale_out; c times the variance in front
  index root_out;
  const ChainLayer* run;
  int n_run;
  const index *coefficients, *derivatives;  // of each layer of the run; derivatives by log A, of x only
  index next;                               // distance of coefficient k + 1
};

template <class R>
struct UnitCall {
  const ImageUnit<R>* unit;
  Tables<R> tables;
  Patch in, out;
  const AxisTaps *h, *w;
  Planes<R> from, to;
  Planes<R> tape;             // sums over the window; null in a pass without gradient
  Planes<R> from_g, to_g;     // backward: from_g is added to
  R* scratch;                 // rows of the widest plane
  double *mid_log, *out_log;  // by position of x, derivatives by log A and by the logarithm of the output's variance
  double* in_variance;        // by position of x, by the variance of the input
};

template <class R>
struct InputCall {
  Patch patch;
  index channels;
  const R* x;  // positions x channels
  const R* y;  // planes: channel, then position and lane
  index y_plane;
  Planes<R> to;  // forward: values; backward: adjoints
  R* scratch;
  double* dx;  // positions x channels, added to
};

/// Widths of an operation between offsets: pair by pair of one patch, to or from rows that hold all output offsets.
template <class R>
struct CrossCall {
  Patch in;
  List targets;  // by column of the patch: places in the row
  Planes<R> plane, rows;
  index row;         // length of a row, in positions
  bool covariances;  // D is passed on as K = (a + b - D) / 2
  index root_in;
  Tables<R> tables;
  R* scratch;
  double* in_variance;
};

/// The last step of an operation between offsets: weights, and back to distances.
template <class R>
struct FinishCall {
  Patch patch;
  Planes<R> plane;
  const R *x_h, *x_w, *y_h, *y_w;  // weights, by position in an image
  bool covariances;
  index root_out;
  Tables<R> tables;
  R* scratch;
  double* out_variance;
};

/// The product of two branches at all pairs of a patch.
template <class R>
struct ProductCall {
  Patch patch;  // of the result
  index stride_one, stride_two;
  Planes<R> one, two, to;  // backward: to holds adjoints
  Planes<R> one_g, two_g;  // backward: added to
  index root_one, root_two, factor;
  Tables<R> tables;
  R* scratch;
  double *one_variance, *two_variance;
};

template <class R>
struct ImageFunctions {
  void (*input)(const InputCall<R>&);
  void (*input_back)(const InputCall<R>&);
  void (*unit)(const UnitCall<R>&);
  void (*unit_back)(const UnitCall<R>&);
  void (*product)(const ProductCall<R>&);
  void (*product_back)(const ProductCall<R>&);
  void (*spread)(const CrossCall<R>&);  // patch to rows, added
  void (*gather)(const CrossCall<R>&);  // adjoints of rows to the adjoint of the patch
  void (*finish)(const FinishCall<R>&);
  void (*finish_back)(const FinishCall<R>&);
  void (*add)(const R* from, index n, R* to);
  /// sum[lane] += the sum over n positions
  void (*total)(const R* plane, index n, double* sum);
};

}  // namespace ntkrob
