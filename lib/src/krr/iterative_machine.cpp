#include "ntkrob/krr/iterative_machine.hpp"

#include <algorithm>
#include <cmath>

#include "krr/block_cg.hpp"
#include "krr/keep.hpp"
#include "krr/pivoted_cholesky.hpp"

namespace ntkrob {
namespace {

constexpr index kAutomaticRank = 2000;
constexpr index kAutomaticShare = 5;

/// Vectors of n x c that a solve holds at once: labels, solution, residual, two bases, directions and products.
constexpr std::size_t kVectors = 12;

template <class R>
std::size_t solve_bytes(const Kernel& kernel, index n, index c, index rank) {
  const std::size_t vectors = checked_mul(static_cast<std::size_t>(n), static_cast<std::size_t>(c), "vectors");
  return krr::preconditioner_bytes(n, rank, sizeof(R)) + kVectors * vectors * sizeof(double) +
         kernel.gram_apply_bytes<R>(n, c);
}

}  // namespace

void SolveOptions::validate(index n) const {
  NTKROB_CHECK(rank >= 0 && rank <= n, ConfigError, field("rank"), " is ", given(rank), ", must be in ",
               limit("[0, ", n, "]"), ", the number of support images");
  NTKROB_CHECK(tolerance > 0 && tolerance < 1, ConfigError, field("tolerance"), " is ", given(tolerance), ", must be ",
               limit("above 0 and below 1"));
  NTKROB_CHECK(max_iterations > 0, ConfigError, field("iterations"), " is ", given(max_iterations), ", must be ",
               limit("at least 1"));
}

template <class R>
SolvePlan plan_solve(const Kernel& kernel, index n, index c, const SolveOptions& options) {
  options.validate(n);
  const std::size_t budget = kernel.memory_budget();
  SolvePlan plan;
  plan.rank = options.rank > 0 ? options.rank : std::clamp<index>(n / kAutomaticShare, 1, kAutomaticRank);
  while (options.rank == 0 && plan.rank > 1 && solve_bytes<R>(kernel, n, c, plan.rank) > budget)
    plan.rank = plan.rank * 3 / 4;
  plan.bytes = solve_bytes<R>(kernel, n, c, plan.rank);
  NTKROB_CHECK(plan.bytes <= budget, ResourceError, "memory budget of ", limit(budget),
               " bytes is too small: a solve for ", n, " support images with rank ", plan.rank, " needs ",
               given(plan.bytes), " bytes; ",
               advice("raise ", field("memory"), plan.rank > 1 ? text(" or lower ", field("rank")) : ""));
  plan.pairs = checked_mul(static_cast<std::size_t>(n), static_cast<std::size_t>(n + 1), "pairs") / 2;
  return plan;
}
template SolvePlan plan_solve<float>(const Kernel&, index, index, const SolveOptions&);
template SolvePlan plan_solve<double>(const Kernel&, index, index, const SolveOptions&);

template <class R>
BasicIterativeMachine<R>::BasicIterativeMachine(Kernel kernel, ImageShape shape, ConstView2D<R> support,
                                                ConstView2D<R> labels, Ridge ridge, const SolveOptions& options)
    : BasicKernelExpansion<R>(std::move(kernel), shape) {
  const index n = support.rows, c = labels.cols;
  NTKROB_CHECK(std::isfinite(ridge.value) && ridge.value > 0, ConfigError, "the ridge is ", ridge.value,
               ", an iterative solve needs one that is finite and above 0");
  const SolvePlan plan = plan_solve<R>(this->kernel(), n, c, options);
  this->begin_fit(support, labels);
  krr::keep(labels, labels_);
  const Kernel& k = this->kernel();
  report_.bytes = plan.bytes;

  std::vector<double> diagonal(static_cast<std::size_t>(n));
  k.diag(this->support(), diagonal.data());
  double trace = 0;
  for (const double d : diagonal) trace += d;
  report_.trace_over_n = trace / static_cast<double>(n);
  NTKROB_CHECK(report_.trace_over_n > 0, NotPositiveDefinite, "the Gram matrix of ", n, " support images has trace ",
               trace, "; the images are all zero and the kernel has no bias");
  report_.lambda = ridge.relative ? ridge.value * report_.trace_over_n : ridge.value;

  SolveProgress state;
  const auto tell = [&](double fraction) {
    state.fraction = fraction;
    if (options.progress) options.progress(state);
  };
  const krr::PivotedFactor factor =
      krr::pivoted_cholesky<R>(k, this->support(), diagonal, plan.rank, Rng(options.seed, "pivots"),
                               [&](index done) { tell(static_cast<double>(done) / static_cast<double>(plan.rank)); });
  report_.rank = factor.rank;
  report_.left = factor.left / trace;
  const krr::Preconditioner preconditioner(k.backend(), factor, report_.lambda + factor.left / static_cast<double>(n));
  state.iterating = true;

  krr::CgLimits limits;
  limits.tolerance = options.tolerance;
  limits.max_iterations = options.max_iterations;
  limits.what = text("the solve for ", n, " support images with ridge ", report_.lambda, " and rank ", report_.rank);
  limits.progress = [&](index iteration, double residual) {
    state.iteration = iteration;
    state.residual = residual;
  };
  const auto product = [&](ConstView2D<double> v, View2D<double> out) {
    k.gram_apply<R>(this->prepared(), v, out,
                    [&](index done, index total) { tell(static_cast<double>(done) / static_cast<double>(total)); });
    for (index i = 0; i < n; ++i)
      for (index j = 0; j < v.cols; ++j) out(i, j) += report_.lambda * v(i, j);
  };
  const auto precondition = [&](ConstView2D<double> r, View2D<double> z) { preconditioner.apply(r, z); };
  alpha_ = Matrix<double>(n, c);
  const krr::CgResult result = krr::block_cg(k.backend(), product, precondition, labels_.view(), limits, alpha_.view());

  report_.iterations = result.iterations;
  report_.restarts = result.restarts;
  report_.history = result.history;
  report_.residual = result.residual;
  for (index j = 0; j < c; ++j) {
    double square = 0;
    for (index i = 0; i < n; ++i) square += labels_(i, j) * labels_(i, j);
    const double r = result.residual[static_cast<std::size_t>(j)] * std::sqrt(square);
    report_.coefficient_bound = std::max(report_.coefficient_bound, r / report_.lambda);
    report_.prediction_bound = std::max(report_.prediction_bound, r * std::sqrt(report_.trace_over_n / report_.lambda));
  }
  this->end_fit(alpha_.view());
}

template <class R>
std::vector<double> BasicIterativeMachine<R>::residuals(ConstView2D<double> alpha) const {
  this->check_fitted();
  Matrix<double> product(alpha.rows, alpha.cols);
  this->kernel().template gram_apply<R>(this->prepared(), alpha, product.view());
  for (index i = 0; i < alpha.rows; ++i)
    for (index c = 0; c < alpha.cols; ++c) product(i, c) += report_.lambda * alpha(i, c);
  return krr::relative_residuals(labels_.view(), product.view());
}

template class BasicIterativeMachine<float>;
template class BasicIterativeMachine<double>;

}  // namespace ntkrob
