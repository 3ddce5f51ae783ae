/// The regression behind a kernel machine: Gram matrix, ridge, Cholesky factor, escalation, solves. Private to krr.
#pragma once

#include <memory>
#include <vector>

#include "ntkrob/krr/machine.hpp"

namespace ntkrob::krr {

/// Refuses n x n matrices before their allocation: overcommitted, they would die later, without a message.
///   bytes_per_entry: of all of them together   what: what they are beside the Gram matrix, for the message
///   throws: ResourceError with the bytes needed, where they exceed the kernel's budget, or without one the memory
void check_gram_memory(const Kernel& kernel, index n, std::size_t bytes_per_entry, const std::string& what = {},
                       const std::string& remedy = {});

/// Bytes of the inner products of n support images for Kernel::gram_grad, or 0: they would be large, and are formed
/// twice, or the kernel is of a network on images, which has none.
template <class R>
std::size_t products_bytes(const Kernel& kernel, index n);

/// (K(S,S) + lambda I) alpha = Y. Matrices of n x n stay in the memory of the kernel's backend; right-hand sides and
/// solutions are host matrices. One call at a time.
template <class R>
class GramSolver {
 public:
  explicit GramSolver(bool keeps_products) : keeps_products_(keeps_products) {}

  /// alpha: Y on entry, the solution on return (n x C). Memory of an earlier fit of the same size is kept, and with
  /// Factor::refined a copy of `log`.   throws: as the constructor of BasicKernelMachine
  void fit(const Kernel& kernel, const PreparedSet<R>& support, const Ridge& ridge, Factor factor, const LogSink& log,
           View2D<double> alpha);
  /// b = (K + lambda I)^-1 b, in the manner of the last fit.   b: n x r
  ///   throws: NotPositiveDefinite where refinement does not converge and there is no float64 factor
  void solve(const Kernel& kernel, View2D<double> b);

  const FitReport& report() const { return report_; }
  /// For Kernel::gram_grad: n x n, or empty (products_bytes).
  ConstView2D<R> products() const { return products_.view(); }

 private:
  void form(const Kernel& kernel, const PreparedSet<R>& support, const Ridge& ridge);
  /// Makes the float64 factor, with lambda raised to at most `relative_limit` where that is needed.
  ///   throws: NotPositiveDefinite; gram_ is then K + lambda I
  void factor_wide(const Kernel& kernel, double relative_limit, const LogSink& log);
  /// Makes the float32 factor.   returns: empty, or why there is none
  std::string factor_narrow(const Kernel& kernel);
  /// b = (K + lambda I)^-1 b with it.   returns: empty, or why there is no solution (b is then as it was)
  std::string refine(const Kernel& kernel, View2D<double> b);
  void give_up_refining(const Kernel& kernel, const std::string& reason, double relative_limit, const LogSink& log);
  void describe(const std::vector<double>& factor_diagonal);

  bool keeps_products_;
  Array<double> gram_;   // n x n: float64 factor (lower) under K (strict upper), or K + lambda I where it is refined
  Array<float> narrow_;  // n x n: float32 factor (lower), or empty
  Array<R> products_;    // n x n, or empty
  std::vector<double> diagonal_;  // of K
  FitReport report_;
  LogSink log_;
};

}  // namespace ntkrob::krr
