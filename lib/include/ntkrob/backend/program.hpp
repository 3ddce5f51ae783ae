/// Program: a network on images, compiled for one image shape: what a backend runs for one pair of samples. Plain data.
///
/// A value is the state of a pair of samples between two operations: for positions p of x and q of y the squared
/// distance
///     D[p,q] = a[p] + b[q] - 2 K[p,q]
/// of the pre-activations (K their covariance, a and b the variances) and the tangent kernel T[p,q]. Distances instead
/// of covariances, because nearly coincident patches are the normal case (background, adversarial examples): every
/// operation below is free of cancellation in D, and linear in it wherever it mixes positions. Variances belong to one
/// sample and are computed once per sample.
///
/// Value 0 is the input, D = |x_p - y_q|^2 / C and T = 0; operation k makes value k + 1. The last value has one
/// position.
#pragma once

#include <vector>

#include "ntkrob/backend/chain.hpp"

namespace ntkrob {

enum class Padding { same, valid, circular };

/// A window of kh x kw taps at distance `dilation`, moved by (sh, sw). Geometry as in the common frameworks:
///   same, circular: out = ceil(n / s), pad = max((out - 1) s + reach - n, 0), the smaller half in front;
///   valid: out = (n - reach) / s + 1;   reach = (k - 1) dilation + 1
struct Window {
  index kh = 1, kw = 1, sh = 1, sw = 1, dilation = 1;
  Padding padding = Padding::same;
};

enum class Operation {
  pointwise,  // D, T of one layer of layers.def at every pair of positions (dense: a 1 x 1 convolution)
  shift,    // M'[p,q] = sum_t M[s p + t, s q + t] / (kh kw): the same tap on both sides. A convolution is shift, dense
  pool,     // M'[p,q] = sum_t sum_t' M[s p + t, s q + t'] / (divisor_x[p] divisor_y[q])
  mean,     // one position: the mean over all pairs (p, q); global average pooling
  flatten,  // one position: the mean over p = q
  normalise,  // layer norm: divides by sqrt((v_x[p] + eps)(v_y[q] + eps)); v_x[p] = a[p], or their mean over p
  sum,        // the sum of two values of one shape; fan-in of independent branches
  product     // K = K1 K2, T = T1 K2 + K1 T2: fan-in of independent branches that are multiplied
};

/// How pool divides.
enum class Divisor { none, window, inside };  // 1; kh kw; the number of taps inside the image

struct Op {
  Operation type = Operation::pointwise;
  int in = 0;                         // the value read
  int other = -1;                     // sum, product: the second value
  ChainLayer layer;                   // pointwise
  Window window;                      // shift, pool
  Divisor divisor = Divisor::window;  // pool
  double eps = 0;                     // normalise
  bool all_positions = false;         // normalise: v is the mean over positions
};

/// Height, width, and whether all pairs of positions are needed (full) or those with p = q.
struct ValueShape {
  index height = 1, width = 1;
  bool full = false;
  index positions() const { return height * width; }
};

struct Program {
  ImageShape input;
  std::vector<Op> ops;
  std::vector<ValueShape> values;  // ops.size() + 1
};

}  // namespace ntkrob
