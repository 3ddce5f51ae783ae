#include "krr/solve.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace ntkrob::krr {
namespace {

/// Puts K back: factor_spd destroys the diagonal and the lower triangle only.
void restore_lower(const std::vector<double>& diagonal, View2D<double> a) {
  for (index i = 0; i < a.rows; ++i) {
    for (index j = 0; j < i; ++j) a(i, j) = a(j, i);
    a(i, i) = diagonal[static_cast<std::size_t>(i)];
  }
}

void describe_factor(ConstView2D<double> factor, FitReport& report) {
  double smallest = std::numeric_limits<double>::infinity(), largest = 0;
  for (index i = 0; i < factor.rows; ++i) {
    smallest = std::min(smallest, factor(i, i));
    largest = std::max(largest, factor(i, i));
  }
  report.smallest_pivot = smallest * smallest;
  report.condition = (largest / smallest) * (largest / smallest);
}

/// Inner products of the support set are kept for the gradient up to this size (n = 8192 in float32); beyond, they are
/// formed twice.
constexpr std::size_t kProductsLimit = std::size_t(256) << 20;

}  // namespace

void check_gram_memory(const Kernel& kernel, index n, int matrices) {
  const auto count = static_cast<std::size_t>(n);
  const std::size_t bytes = checked_mul(checked_mul(count, count, "Gram matrix"),
                                        sizeof(double) * static_cast<std::size_t>(matrices), "Gram matrix");
  const std::size_t budget = kernel.options().memory_budget;
  const std::size_t limit = budget > 0 ? budget : kernel.backend().info().memory_bytes;
  NTKROB_CHECK(limit == 0 || bytes <= limit, ResourceError, "the Gram matrix of ", n, " support images needs ", bytes,
               " bytes", matrices > 1 ? " with its eigenvectors and scratch" : "", ", ",
               budget > 0 ? "the memory budget is " : "this device has ", limit, "; use fewer support images",
               budget > 0 ? " or raise --memory" : "",
               matrices == 1 ? " (without the matrix: evaluate --solver cg)" : "");
}

template <class R>
FitReport factor_gram(const Kernel& kernel, const PreparedSet<R>& support, const Ridge& ridge, const LogSink& log,
                      Matrix<double>& factor, Matrix<R>& products) {
  const index n = support.samples.rows;
  NTKROB_CHECK(std::isfinite(ridge.value) && ridge.value >= 0, ConfigError, "the ridge is ", ridge.value,
               ", must be finite and at least 0");
  check_gram_memory(kernel, n);
  if (factor.rows() != n) factor = Matrix<double>(n, n);
  const bool keep = static_cast<std::size_t>(n) * static_cast<std::size_t>(n) * sizeof(R) <= kProductsLimit;
  if (!keep || products.rows() != n) products = keep ? Matrix<R>(n, n) : Matrix<R>();
  kernel.gram(support, factor.view(), products.view());

  std::vector<double> diagonal(static_cast<std::size_t>(n));
  double trace = 0;
  for (index i = 0; i < n; ++i) {
    diagonal[static_cast<std::size_t>(i)] = factor(i, i);
    trace += factor(i, i);
  }
  FitReport report;
  report.trace_over_n = trace / static_cast<double>(n);
  NTKROB_CHECK(report.trace_over_n > 0, NotPositiveDefinite, "the Gram matrix of ", n, " support images has trace ",
               trace, "; the images are all zero and the kernel has no bias");

  const double limit = ridge.escalation_limit * report.trace_over_n;
  report.lambda = ridge.relative ? ridge.value * report.trace_over_n : ridge.value;
  const double wanted = report.lambda;
  for (;;) {
    for (index i = 0; i < n; ++i) factor(i, i) += report.lambda;
    const index pivot = kernel.backend().factor_spd(factor.view());
    if (pivot < 0) break;
    const double next = 2 * std::max(report.lambda, 1e-12 * report.trace_over_n);
    NTKROB_CHECK(next <= limit, NotPositiveDefinite, "the Gram matrix of n = ", n,
                 " support images is not positive definite: pivot ", pivot, " failed with ridge ", report.lambda, " (",
                 report.lambda / report.trace_over_n, " of trace/n, limit ", ridge.escalation_limit, "); image ", pivot,
                 " is probably a near-duplicate of an earlier one: remove it or raise --ridge");
    ntkrob::log(log, LogLevel::debug, text("pivot ", pivot, " of ", n, " failed with ridge ", report.lambda));
    report.lambda = next;
    ++report.escalations;
    restore_lower(diagonal, factor.view());
  }
  describe_factor(factor.view(), report);
  if (report.escalations > 0)
    ntkrob::log(log, LogLevel::warning,
                text("the Gram matrix of ", n, " support images was not positive definite with ridge ", wanted,
                     "; raised to ", report.lambda, " (", report.lambda / report.trace_over_n, " of trace/n) in ",
                     report.escalations, " doublings; near-duplicate images are the usual cause"));
  return report;
}

template FitReport factor_gram(const Kernel&, const PreparedSet<float>&, const Ridge&, const LogSink&, Matrix<double>&,
                               Matrix<float>&);
template FitReport factor_gram(const Kernel&, const PreparedSet<double>&, const Ridge&, const LogSink&, Matrix<double>&,
                               Matrix<double>&);

}  // namespace ntkrob::krr
