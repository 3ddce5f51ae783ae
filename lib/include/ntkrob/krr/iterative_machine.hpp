/// Kernel ridge regression without the n x n matrix: the machine of machine.hpp, solved by preconditioned conjugate
/// gradients.
///
/// (K(S,S) + lambda I) alpha = Y is solved for all classes at once by block conjugate gradients; every iteration forms
/// the pairs again, tile by tile, in float64 sums (Kernel::gram_apply). The preconditioner is F F^T + mu I with F
/// (n x rank) from randomly pivoted Cholesky, and mu = lambda + the mean diagonal of what F leaves. Memory is n rank
/// numbers instead of n^2. The system is that of the direct machine, entry by entry, so predictions agree to the
/// residual.
///
/// Sources: O'Leary, "The block conjugate gradient algorithm", 1980, in the form of Dubrulle, "Retooling the method of
/// block conjugate gradients", 2001; Chen, Epperly, Tropp, Webber, arXiv 2207.06503, with the blocks of Epperly, Tropp,
/// Webber, arXiv 2410.03969; Frangella, Tropp, Udell, arXiv 2110.02820. The bounds: lib/doc/numerics.md.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "ntkrob/krr/machine.hpp"

namespace ntkrob {

/// Where a solve stands.
struct SolveProgress {
  bool iterating = false;  // false while the preconditioner is made
  index iteration = 0;     // finished so far
  double fraction = 0;     // of the preconditioner, or of the pairs of this iteration
  double residual = 1;     // the largest relative residual so far
};

struct SolveOptions {
  /// Columns of the preconditioner. 0: a fifth of n, at most 2000 and what the budget holds. More columns mean fewer
  /// iterations; a column costs n (rank + D) operations, an iteration n^2 D.
  index rank = 0;
  /// The largest |Y_c - (K + lambda I) alpha_c| / |Y_c| over the classes c that is accepted.
  double tolerance = 1e-6;
  index max_iterations = 1000;
  std::uint64_t seed = 0;  // of the pivots
  /// Called from the calling thread many times per iteration; may throw to stop.
  std::function<void(const SolveProgress&)> progress;

  /// throws: ConfigError
  void validate(index n) const;
};

/// What a solve will take, decided before it begins.
struct SolvePlan {
  index rank = 0;
  std::size_t bytes = 0;  // preconditioner, vectors and tiles together
  std::size_t pairs = 0;  // kernel values formed by one iteration
};

/// n support images, c classes. R: the precision of the machine.
///   throws: ConfigError (options), ResourceError with the bytes needed when they exceed the kernel's budget
template <class R>
SolvePlan plan_solve(const Kernel& kernel, index n, index c, const SolveOptions& options);

/// What the solve did.
struct SolveReport {
  double lambda = 0;  // added to the diagonal
  double trace_over_n = 0;
  index rank = 0;                // columns the preconditioner got; fewer than planned where the matrix has no more
  double left = 0;               // mean diagonal that they leave, relative to trace_over_n
  index iterations = 0;          // products with the Gram matrix, those of the checks not counted
  index restarts = 0;            // cycles begun again from the residual of the solution itself
  std::vector<double> history;   // largest relative residual after every iteration, by recursion
  std::vector<double> residual;  // per class, relative, formed anew from the final solution: not by recursion
  /// Bounds from that residual, the largest over the classes: of |alpha - exact alpha|, |r| / lambda; and of
  /// |f(x) - exact f(x)| for an x with k(x,x) = trace / n, |r| sqrt(trace / n / lambda). For other x it grows as
  /// sqrt(k(x,x)). Both are worst cases: the exact system with the kernel values of this precision.
  double coefficient_bound = 0;
  double prediction_bound = 0;
  std::size_t bytes = 0;
};

template <class R>
class BasicIterativeMachine : public BasicKernelExpansion<R> {
 public:
  /// Copies support (n x D) and labels (n x C) and solves. The ridge must be above 0; it is never raised.
  ///   throws: ShapeError; NonFinite; ConfigError (options, ridge 0); ResourceError (budget); NotPositiveDefinite;
  ///   NumericalError when the tolerance is not reached, with residual, iterations and remedy; what progress throws
  BasicIterativeMachine(Kernel kernel, ImageShape shape, ConstView2D<R> support, ConstView2D<R> labels,
                        Ridge ridge = {}, const SolveOptions& options = {});

  const SolveReport& report() const { return report_; }
  /// The solution in float64; coefficients() is its rounding to R.   n x C
  ConstView2D<double> solution() const { return alpha_.view(); }
  /// |Y_c - (K + lambda I) alpha_c| / |Y_c| for every class c, formed from alpha (n x C); 0 for a class with Y_c = 0 =
  /// alpha_c.   cost: one iteration
  std::vector<double> residuals(ConstView2D<double> alpha) const;

 private:
  Matrix<double> labels_, alpha_;  // n x C
  SolveReport report_;
};

using IterativeMachine = BasicIterativeMachine<float>;

}  // namespace ntkrob
