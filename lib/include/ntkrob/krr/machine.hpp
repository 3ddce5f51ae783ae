/// Kernel ridge regression: the kernel machine f(x) = K(x, S) (K(S,S) + lambda I)^-1 Y, and its derivatives.
///
/// S: support inputs (n x D), Y: labels (n x C). The Gram matrix and its Cholesky factor are float64 in both
/// precisions. Sources: KIP (Nguyen, Chen, Lee, arXiv 2011.00050); adv-KIP (Tsilivis, Su, Kempe, arXiv 2207.11727);
/// formulas in lib/doc/numerics.md.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ntkrob/base/log.hpp"
#include "ntkrob/krr/expansion.hpp"

namespace ntkrob {
namespace krr {
template <class R>
class GramSolver;
}

/// lambda = value * trace(K_SS) / n (relative, the default) or value itself.
struct Ridge {
  double value = 1e-6;
  bool relative = true;
  /// On a failed factorisation the ridge is doubled (from at least 1e-12 trace/n) up to this relative limit, then
  /// NotPositiveDefinite{n, pivot, ridge} is thrown.
  double escalation_limit = 1e-2;
};

/// How the regression is solved.
enum class Factor {
  float64,  // by a Cholesky factor in float64
  /// By conjugate gradients in float64, preconditioned with a Cholesky factor in float32, to the residual that a
  /// float64 factor leaves: for devices whose float64 is slow. Where that fails the float64 factor takes over, with a
  /// warning.
  refined
};

/// "float64" or "refined".   throws: ConfigError
Factor parse_factor(const std::string& text);

/// What the fit did; for reports.
struct FitReport {
  double lambda = 0;  // the ridge actually added to the diagonal
  double trace_over_n = 0;
  int escalations = 0;        // how often the ridge was doubled
  double condition = 0;       // (largest / smallest diagonal of the factor)^2: a lower bound of the condition number;
                              // refined: of the float32 factor, which has a larger ridge where this one is tiny
  double smallest_pivot = 0;  // smallest squared diagonal of the factor
  Factor factor = Factor::float64;  // the one in use
  index iterations = 0;             // refined: the most that one solve has taken
  std::string refused;              // why the float64 factor took over from the refined one, or empty
};

/// The fitted machine. R: see BasicKernelExpansion.
template <class R>
class BasicKernelMachine : public BasicKernelExpansion<R> {
 public:
  /// Copies support (n x D) and labels (n x C), builds the Gram matrix, factors and solves. With Factor::refined the
  /// log is kept for later solves.
  ///   throws: ShapeError, NonFinite, NotPositiveDefinite, ResourceError (Gram matrix larger than the budget)
  BasicKernelMachine(Kernel kernel, ImageShape shape, ConstView2D<R> support, ConstView2D<R> labels, Ridge ridge = {},
                     const LogSink& log = {}, Factor factor = Factor::float64);
  ~BasicKernelMachine() override;

  /// As a new machine with the same kernel, shape and ridge; memory is kept where the shapes are the same.
  void refit(ConstView2D<R> support, ConstView2D<R> labels, const LogSink& log = {});

  const FitReport& report() const;
  ConstView2D<R> labels() const { return labels_.view(); }

  /// Derivatives of a loss L through prediction and solve, the dependence of a relative ridge on the trace included.
  /// The inputs x are constants (for adversarial x: the envelope theorem, Danskin).
  ///   x: B x D   out: B x C, the logits (overwritten)   dsupport: n x D (overwritten)
  ///   dlabels: n x C (overwritten) or empty
  ///   cotangent(first_row, logits block, g block): g = dL/df(x); called in order on the calling thread, and looks
  ///   whether the logits are finite
  ///   cost: cross part 2 products of B n D, Gram part 2 of n n D
  void support_grad(ConstView2D<R> x, const Kernel::StripCotangent<R>& cotangent, View2D<R> out, View2D<R> dsupport,
                    View2D<R> dlabels) const;
  /// The same for a cotangent that is known already.   g: B x C
  void support_grad(ConstView2D<R> x, ConstView2D<R> g, View2D<R> dsupport, View2D<R> dlabels) const;

 private:
  Matrix<R> labels_;      // n x C
  Matrix<double> alpha_;  // n x C, float64 solution
  Ridge ridge_;
  Factor factor_;
  std::unique_ptr<krr::GramSolver<R>> solver_;
};

using KernelMachine = BasicKernelMachine<float>;

/// Bytes of the n x n matrices that a machine of precision R keeps in the memory of its backend: Gram matrix or factor,
/// the float32 factor of Factor::refined, and the inner products for gradients where there is room for them.
template <class R>
std::size_t machine_bytes(const Kernel& kernel, index n, Factor factor);

}  // namespace ntkrob
