/// Solves in float64 with a factor in float32. Private to krr.
#pragma once

#include <vector>

#include "ntkrob/backend/backend.hpp"

namespace ntkrob::krr {

/// Accepted of |b - A x|, relative to |b| + trace(A) |x|; a float64 factor leaves some 2e-17 for kernels. And no more
/// than a thousandth of |b|.
constexpr double kRounding = 0x1p-52;

struct Refinement {
  bool converged = false;
  bool definite = true;  // false: a direction in which A is not
  index iterations = 0;
  double residual = 0;  // the largest |b_c - A x_c| / (|b_c| + trace |x_c|); formed from x itself where it converged
};

/// b = A^-1 b by conjugate gradients, preconditioned with a float32 Cholesky factor of A, or of a matrix close to it.
/// Each column iterates by itself; one product with A and one pass over the factor serve all. Rounding makes the
/// preconditioner a slightly different one in each iteration, for which the directions follow Polak and Ribiere (Golub
/// and Ye, "Inexact preconditioned conjugate gradient method with inner-outer iteration", 1999). What the recursion
/// believes is checked against b - A x, and goes on from there until that is accepted or gains less than a factor 2.
///   a, factor: n x n, of any memory   b: n x c, host; left as it was where it does not converge   trace: of a
Refinement refine(Backend& backend, ConstView2D<double> a, ConstView2D<float> factor, double trace,
                  index max_iterations, View2D<double> b);

}  // namespace ntkrob::krr
