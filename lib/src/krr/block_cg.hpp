/// Preconditioned block conjugate gradients for a symmetric positive definite operator. Private to krr.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "ntkrob/backend/backend.hpp"

namespace ntkrob::krr {

/// out = A v; v, out: n x q, any q up to the number of right-hand sides.
using Operator = std::function<void(ConstView2D<double> v, View2D<double> out)>;

struct CgLimits {
  double tolerance;  // largest |y_c - A x_c| / |y_c|
  index max_iterations;
  std::string what;  // the system, for messages
  std::function<void(index iteration, double residual)> progress;
};

struct CgResult {
  index iterations = 0, restarts = 0;
  std::vector<double> history;   // largest relative residual of the recursion after every iteration
  std::vector<double> residual;  // per right-hand side, relative, formed from x itself at the end
};

/// |y_c - A x_c| / |y_c| of every column; 0 / 0 counts as 0.   ax: A x
std::vector<double> relative_residuals(ConstView2D<double> y, ConstView2D<double> ax);

/// Solves A x = y (n x c) for all columns in one search space; `precondition` is z = P^-1 r with P symmetric positive
/// definite. Residuals are kept as S C with S^T P^-1 S = I, which stays well conditioned when columns of y are
/// dependent (classes of centred labels are) or converge at different speed. What the recursion believes is checked
/// against y - A x, and the iteration begins again from there until that is within the tolerance.
///   throws: NotPositiveDefinite; NumericalError when max_iterations are spent or a restart gains less than a factor 2
CgResult block_cg(Backend& backend, const Operator& a, const Operator& precondition, ConstView2D<double> y,
                  const CgLimits& limits, View2D<double> x);

}  // namespace ntkrob::krr
