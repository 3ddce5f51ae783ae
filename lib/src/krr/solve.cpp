#include "krr/solve.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "krr/refinement.hpp"

namespace ntkrob::krr {
namespace {

/// Inner products of the support set are kept for the gradient up to this size (n = 8192 in float32); beyond, they are
/// formed twice. On a device it is at least an eighth of what there is.
constexpr std::size_t kProductsLimit = std::size_t(256) << 20;

constexpr index kMostIterations = 100;

/// The least ridge of a float32 factor, relative to trace/n: several times what rounding moves the eigenvalues by.
constexpr double narrow_ridge(index n) { return 0x1p-28 * static_cast<double>(n); }

std::size_t memory_limit(const Kernel& kernel) {
  const std::size_t budget = kernel.options().memory_budget;
  return budget > 0 ? budget : kernel.backend().info().most_array_bytes();
}

/// A place for n x n numbers: as it is where it has the size, else without the old one beside the new.
template <class T>
void resize(Arrays& arrays, Array<T>& a, index n) {
  if (a.rows() == n) return;
  a = Array<T>();
  if (n > 0) a = Array<T>(arrays, n, n);
}

/// The diagonal as float64, gathered before it goes to the host.
std::vector<double> diagonal_of(Arrays& arrays, const Array<float>& a) {
  Array<double> gathered(arrays, a.rows(), 1);
  arrays.copy(ConstView2D<float>(a.view().data, a.rows(), 1, a.cols() + 1), gathered.view());
  std::vector<double> result(static_cast<std::size_t>(a.rows()));
  arrays.copy(ConstView2D<double>(gathered.view()), View2D<double>(result.data(), a.rows(), 1));
  return result;
}
std::vector<double> diagonal_of(Arrays& arrays, const Array<double>& a) {
  std::vector<double> result(static_cast<std::size_t>(a.rows()));
  arrays.diagonal(a.view(), result.data());
  return result;
}

}  // namespace

void check_gram_memory(const Kernel& kernel, index n, std::size_t bytes_per_entry, const std::string& what,
                       const std::string& remedy) {
  const auto count = static_cast<std::size_t>(n);
  const std::size_t bytes = checked_mul(checked_mul(count, count, "Gram matrix"), bytes_per_entry, "Gram matrix");
  const std::size_t limit = memory_limit(kernel);
  const bool budget = kernel.options().memory_budget > 0;
  NTKROB_CHECK(limit == 0 || bytes <= limit, ResourceError, "the Gram matrix of ", n, " support images needs ",
               given(bytes), " bytes", what, ", ", budget ? "the memory budget is " : "this device has ",
               ntkrob::limit(limit), "; ",
               advice("use fewer support images", budget ? text(" or raise ", field("memory")) : "", remedy));
}

template <class R>
std::size_t products_bytes(const Kernel& kernel, index n) {
  if (kernel.program() != nullptr) return 0;
  const std::size_t share = kernel.backend().arrays().on_host() ? 0 : memory_limit(kernel) / 8;
  const std::size_t bytes = static_cast<std::size_t>(n) * static_cast<std::size_t>(n) * sizeof(R);
  return bytes <= std::max(kProductsLimit, share) ? bytes : 0;
}

template <class R>
void GramSolver<R>::form(const Kernel& kernel, const PreparedSet<R>& support, const Ridge& ridge) {
  const index n = support.samples.rows;
  Arrays& arrays = kernel.backend().arrays();
  resize(arrays, gram_, n);
  resize(arrays, products_, keeps_products_ && products_bytes<R>(kernel, n) > 0 ? n : 0);
  kernel.gram<R>(support, gram_.view(), products_.view());

  diagonal_ = diagonal_of(arrays, gram_);
  double trace = 0;
  for (const double d : diagonal_) trace += d;
  report_ = FitReport();
  report_.trace_over_n = trace / static_cast<double>(n);
  NTKROB_CHECK(report_.trace_over_n > 0, NotPositiveDefinite, "the Gram matrix of ", n, " support images has trace ",
               trace, "; the images are all zero and the kernel has no bias");
  report_.lambda = ridge.relative ? ridge.value * report_.trace_over_n : ridge.value;
}

template <class R>
void GramSolver<R>::factor_wide(const Kernel& kernel, double relative_limit, const LogSink& log) {
  Arrays& arrays = kernel.backend().arrays();
  const index n = gram_.rows();
  const double wanted = report_.lambda, limit = relative_limit * report_.trace_over_n;
  arrays.set_diagonal(diagonal_.data(), report_.lambda, gram_.view());
  for (;;) {
    const index pivot = kernel.backend().factor_spd(gram_.view());
    if (pivot < 0) break;
    arrays.mirror_upper(gram_.view());  // factor_spd destroys the diagonal and the lower triangle only
    arrays.set_diagonal(diagonal_.data(), report_.lambda, gram_.view());
    const double next = 2 * std::max(report_.lambda, 1e-12 * report_.trace_over_n);
    NTKROB_CHECK(next <= limit, NotPositiveDefinite, "the Gram matrix of n = ", n,
                 " support images is not positive definite: pivot ", pivot, " failed with ridge ", report_.lambda, " (",
                 report_.lambda / report_.trace_over_n, " of trace/n, limit ", relative_limit, "); image ", pivot,
                 " is probably a near-duplicate of an earlier one: ", advice("remove it or raise ", field("ridge")));
    ntkrob::log(log, LogLevel::debug, text("pivot ", pivot, " of ", n, " failed with ridge ", report_.lambda));
    report_.lambda = next;
    ++report_.escalations;
    arrays.set_diagonal(diagonal_.data(), report_.lambda, gram_.view());
  }
  describe(diagonal_of(arrays, gram_));
  if (report_.escalations > 0)
    ntkrob::log(log, LogLevel::warning,
                text("the Gram matrix of ", n, " support images was not positive definite with ridge ", wanted,
                     "; raised to ", report_.lambda, " (", report_.lambda / report_.trace_over_n, " of trace/n) in ",
                     report_.escalations, " doublings; near-duplicate images are the usual cause"));
}

template <class R>
std::string GramSolver<R>::factor_narrow(const Kernel& kernel) {
  Arrays& arrays = kernel.backend().arrays();
  const index n = gram_.rows();
  resize(arrays, narrow_, n);
  // A smaller ridge would drown in float32. A preconditioner may differ from the matrix, but must be definite.
  const double ridge = std::max(report_.lambda, narrow_ridge(n) * report_.trace_over_n);
  arrays.set_diagonal(diagonal_.data(), ridge, gram_.view());
  arrays.copy(ConstView2D<double>(gram_.view()), narrow_.view());
  arrays.set_diagonal(diagonal_.data(), report_.lambda, gram_.view());
  const index pivot = kernel.backend().factor_spd(narrow_.view());
  if (pivot >= 0) return text("pivot ", pivot, " of the float32 factor failed");
  describe(diagonal_of(arrays, narrow_));
  return {};
}

template <class R>
std::string GramSolver<R>::refine(const Kernel& kernel, View2D<double> b) {
  const double trace = (report_.trace_over_n + report_.lambda) * static_cast<double>(gram_.rows());
  const Refinement result = krr::refine(kernel.backend(), gram_.view(), narrow_.view(), trace, kMostIterations, b);
  report_.iterations = std::max(report_.iterations, result.iterations);
  if (result.converged) return {};
  if (!result.definite) return text("the matrix is not positive definite with ridge ", report_.lambda);
  return text("after ", result.iterations, " iterations the residual is ", result.residual, ", not ", kRounding);
}

template <class R>
void GramSolver<R>::give_up_refining(const Kernel& kernel, const std::string& reason, double relative_limit,
                                     const LogSink& log) {
  ntkrob::log(log, LogLevel::warning,
              text("the float32 factor of ", gram_.rows(), " support images is of no use, ", reason,
                   ": they are factored in float64"));
  factor_wide(kernel, relative_limit, log);
  narrow_ = Array<float>();
  report_.factor = Factor::float64;
  report_.refused = reason;
}

template <class R>
void GramSolver<R>::fit(const Kernel& kernel, const PreparedSet<R>& support, const Ridge& ridge, Factor factor,
                        const LogSink& log, View2D<double> alpha) {
  const bool refined = factor == Factor::refined;
  NTKROB_CHECK(std::isfinite(ridge.value) && ridge.value >= 0, ConfigError, "the ridge is ", ridge.value,
               ", must be finite and at least 0");
  check_gram_memory(kernel, support.samples.rows, refined ? sizeof(double) + sizeof(float) : sizeof(double),
                    refined ? " with its float32 factor" : "",
                    refined ? text(" or give ", field("factor", "float64"))
                            : text(" (without the matrix: evaluate with ", field("solver", "cg"), ")"));
  log_ = refined ? log : LogSink();
  if (!refined) narrow_ = Array<float>();
  form(kernel, support, ridge);
  if (refined) {
    report_.factor = Factor::refined;
    std::string reason = factor_narrow(kernel);
    if (reason.empty()) reason = refine(kernel, alpha);
    if (reason.empty()) return;
    give_up_refining(kernel, reason, ridge.escalation_limit, log);
  } else {
    factor_wide(kernel, ridge.escalation_limit, log);
  }
  if (!alpha.empty()) kernel.backend().solve_spd(gram_.view(), alpha);
}

template <class R>
void GramSolver<R>::solve(const Kernel& kernel, View2D<double> b) {
  if (report_.factor == Factor::refined) {
    const std::string reason = refine(kernel, b);
    if (reason.empty()) return;
    give_up_refining(kernel, reason, 0, log_);  // the ridge stays that of the solutions there are already
  }
  kernel.backend().solve_spd(gram_.view(), b);
}

template <class R>
void GramSolver<R>::describe(const std::vector<double>& factor_diagonal) {
  double smallest = std::numeric_limits<double>::infinity(), largest = 0;
  for (const double d : factor_diagonal) {
    smallest = std::min(smallest, d);
    largest = std::max(largest, d);
  }
  report_.smallest_pivot = smallest * smallest;
  report_.condition = (largest / smallest) * (largest / smallest);
}

template std::size_t products_bytes<float>(const Kernel&, index);
template std::size_t products_bytes<double>(const Kernel&, index);
template class GramSolver<float>;
template class GramSolver<double>;

}  // namespace ntkrob::krr
