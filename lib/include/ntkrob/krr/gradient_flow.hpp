/// What an infinitely wide net predicts while gradient descent trains it, and the Bayesian posterior: closed forms.
///
/// Full-batch gradient descent on the squared loss
///     L = 1/(2 n C) sum_i |f(s_i) - y_i|^2                                           n samples s_i, C outputs
/// in the limit of small steps. Time is learning rate times steps, and the normalisation is that of neural_tangents'
/// predict.gradient_descent_mse and gradient_descent_mse_ensemble, so that times and learning rates carry over. With
/// the kernel K of what is trained, lambda on its diagonal, and
///     g(l) = (1 - exp(-l t / (n C))) / l         applied to the eigenvalues of K(S,S) + lambda I; g(l) -> 1/l as t ->
///     inf
/// the outputs at x are Gaussian over the random initialisation, every output alike, with N the covariance (NNGP)
/// kernel:
///     mean        K(x,S) g Y
///     variance    all layers trained, K = NTK:    N(x,x) - 2 K(x,S) g N(S,x) + K(x,S) g N(S,S) g K(S,x)
///                 last layer only, K = NNGP:      N(x,x) - K(x,S) g_2t K(S,x)           (g_2t: g at twice the time)
/// (Jacot 2018, arXiv 1806.07572; Lee 2019, arXiv 1902.06720, eqs. 10-16; Novak 2020). At infinite time the mean of NTK
/// is kernel ridge regression (krr/machine.hpp), and mean and variance of NNGP are the posterior of a Gaussian process
/// whose observations have noise of variance lambda.
#pragma once

#include <limits>
#include <memory>
#include <vector>

#include "ntkrob/base/log.hpp"
#include "ntkrob/krr/machine.hpp"

namespace ntkrob {

/// Beyond this learning rate gradient descent (with momentum m: heavy ball) on L diverges, since its largest mode
/// grows: 2 (1 + m) n C / largest eigenvalue of K(S,S). As neural_tangents' max_learning_rate; momentum after Goh, "Why
/// momentum really works", Distill 2017.   throws: ConfigError for a momentum outside [0, 1) or an eigenvalue that is
/// not positive
double largest_learning_rate(double largest_eigenvalue, index n, index classes, double momentum = 0);

/// Trained on (S, Y) for any time. R is the precision of images and kernel values, float or double; all that follows is
/// float64. The kernel's backend must outlive it. One call at a time.
template <class R>
class BasicGradientFlow {
 public:
  static constexpr double kForever = std::numeric_limits<double>::infinity();

  /// kernel.options().output: ntk, all layers are trained; nngp, the last one.   samples: n x D   labels: n x C, copied
  ///   throws: ShapeError; NonFinite; ResourceError where the matrices exceed the kernel's budget (or the memory)
  BasicGradientFlow(Kernel kernel, ConstView2D<R> samples, ConstView2D<R> labels, Ridge ridge = {0.0},
                    const LogSink& log = {});
  ~BasicGradientFlow();
  BasicGradientFlow(BasicGradientFlow&&) noexcept;

  /// Mean and variance at time t of the outputs at x; t = 0: the untrained nets, t = kForever: fully trained.
  ///   x: M x D   mean: M x C (overwritten)
  ///   variance: M (overwritten), or null: not computed. Never negative: what rounding makes negative is 0.
  ///   cost: M n D for kernel values; with variance M n^2, and for ntk twice that. The first call with a finite time
  ///   solves an eigenvalue problem, O(n^3); the first one with kForever factors a matrix, and raises the ridge as
  ///   Ridge says where that fails
  ///   throws: ConfigError (negative time); ShapeError; NonFinite; NotPositiveDefinite
  void predict(ConstView2D<R> x, double time, View2D<double> mean, double* variance = nullptr);

  /// Of K(S,S) without ridge, ascending. The first call solves the eigenvalue problem.
  const std::vector<double>& eigenvalues();
  index classes() const { return labels_.cols(); }
  const Kernel& kernel() const { return kernel_; }

 private:
  /// b <- g b at time t.   b: n x r
  void damp(double time, View2D<double> b);
  void decompose();
  /// b = (K + lambda I)^-1 b
  void invert(View2D<double> b);

  Kernel kernel_, covariance_;
  Matrix<R> samples_;
  Matrix<double> labels_;
  Ridge ridge_;
  LogSink log_;
  std::vector<double> values_;                  // eigenvalues
  double lambda_ = 0;                           // the ridge on them
  Matrix<double> vectors_;                      // rows: eigenvectors; empty before the first finite time
  std::unique_ptr<krr::GramSolver<R>> solver_;  // null before the first infinite time
  Matrix<double> prior_;                        // N(S,S) for the variance of ntk; empty before
};

using GradientFlow = BasicGradientFlow<float>;

}  // namespace ntkrob
