#include "ntkrob/krr/gradient_flow.hpp"

#include <algorithm>
#include <cmath>

#include "krr/solve.hpp"

namespace ntkrob {
namespace {

constexpr index kRows = 256;  // samples predicted together

/// (1 - exp(-l s)) / l, with its limit s at 0. Rounding may leave eigenvalues of a Gram matrix below 0: they count as
/// 0.
double response(double l, double s) { return l > 0 ? -std::expm1(-l * s) / l : s; }

double row_dot(ConstView2D<double> a, ConstView2D<double> b, index i) {
  double sum = 0;
  for (index j = 0; j < a.cols; ++j) sum += a(i, j) * b(i, j);
  return sum;
}

}  // namespace

double largest_learning_rate(double largest_eigenvalue, index n, index classes, double momentum) {
  NTKROB_CHECK(momentum >= 0 && momentum < 1, ConfigError, field("momentum"), " is ", given(momentum), ", must be in ",
               limit("[0, 1)"));
  NTKROB_CHECK(largest_eigenvalue > 0 && std::isfinite(largest_eigenvalue), ConfigError, "the largest eigenvalue is ",
               largest_eigenvalue, ", must be positive and finite");
  return 2 * (1 + momentum) * static_cast<double>(n) * static_cast<double>(classes) / largest_eigenvalue;
}

template <class R>
BasicGradientFlow<R>::BasicGradientFlow(Kernel kernel, ConstView2D<R> samples, ConstView2D<R> labels, Ridge ridge,
                                        const LogSink& log)
    : kernel_(kernel),
      covariance_(kernel.with_output(Output::nngp)),
      samples_(samples),
      labels_(labels.rows, labels.cols),
      ridge_(ridge),
      log_(log) {
  NTKROB_CHECK(samples.rows > 0, ShapeError, "gradient flow needs at least one sample");
  NTKROB_CHECK(labels.rows == samples.rows && labels.cols > 0, ShapeError, "labels are ", labels.rows, " x ",
               labels.cols, ", expected ", samples.rows, " rows and at least one column");
  NTKROB_CHECK(std::isfinite(ridge.value) && ridge.value >= 0, ConfigError, "the ridge is ", ridge.value,
               ", must be finite and at least 0");
  convert(labels, labels_.view());
  for (index i = 0; i < labels_.rows(); ++i)
    for (index j = 0; j < labels_.cols(); ++j)
      NTKROB_CHECK(std::isfinite(labels_(i, j)), NonFinite, "label (", i, ",", j, ") is ", labels_(i, j));
}

template <class R>
BasicGradientFlow<R>::~BasicGradientFlow() = default;
template <class R>
BasicGradientFlow<R>::BasicGradientFlow(BasicGradientFlow&&) noexcept = default;

template <class R>
void BasicGradientFlow<R>::decompose() {
  if (!vectors_.empty()) return;
  const index n = samples_.rows();
  krr::check_gram_memory(kernel_, n, 3 * sizeof(double), " with its eigenvectors and scratch");
  // What eigenvalues need beside memory (a library, its address space) is asked for before the matrix is formed.
  Matrix<double> one(1, 1);
  double value = 0;
  kernel_.backend().symmetric_eigen(one.view(), &value);
  Matrix<double> gram(n, n);
  kernel_.matrix(samples_.view(), samples_.view(), Pairing::same, gram.view());
  double trace = 0;
  for (index i = 0; i < n; ++i) trace += gram(i, i);
  lambda_ = ridge_.relative ? ridge_.value * trace / static_cast<double>(n) : ridge_.value;
  values_.resize(static_cast<std::size_t>(n));
  kernel_.backend().symmetric_eigen(gram.view(), values_.data());
  vectors_ = std::move(gram);
}

template <class R>
void BasicGradientFlow<R>::invert(View2D<double> b) {
  if (solver_) return solver_->solve(kernel_, b);
  auto solver = std::make_unique<krr::GramSolver<R>>(false);
  PreparedSet<R> prepared;
  kernel_.prepare(ConstView2D<R>(samples_.view()), prepared);
  solver->fit(kernel_, prepared, ridge_, Factor::float64, log_, b);
  solver_ = std::move(solver);
}

template <class R>
void BasicGradientFlow<R>::damp(double time, View2D<double> b) {
  Backend& backend = kernel_.backend();
  if (std::isinf(time)) return invert(b);
  decompose();
  const double s = time / static_cast<double>(labels_.size());
  Matrix<double> modes(b.rows, b.cols);
  backend.gemm(Transpose::no, Transpose::no, 1.0, vectors_.view(), ConstView2D<double>(b), 0.0, modes.view());
  for (index k = 0; k < b.rows; ++k) {
    const double g = response(std::max(values_[static_cast<std::size_t>(k)], 0.0) + lambda_, s);
    for (index j = 0; j < b.cols; ++j) modes(k, j) *= g;
  }
  backend.gemm(Transpose::yes, Transpose::no, 1.0, vectors_.view(), ConstView2D<double>(modes.view()), 0.0, b);
}

template <class R>
const std::vector<double>& BasicGradientFlow<R>::eigenvalues() {
  decompose();
  return values_;
}

template <class R>
void BasicGradientFlow<R>::predict(ConstView2D<R> x, double time, View2D<double> mean, double* variance) {
  NTKROB_CHECK(time >= 0, ConfigError, field("time"), " is ", given(time), ", must be ", limit("at least 0"));
  NTKROB_CHECK_SHAPE(x, x.rows, samples_.cols());
  NTKROB_CHECK_SHAPE(mean, x.rows, classes());
  Backend& backend = kernel_.backend();
  const index n = samples_.rows();
  const bool ntk = kernel_.options().output == Output::ntk;
  Matrix<double> coefficients = labels_;
  damp(time, coefficients.view());
  if (variance != nullptr && ntk && prior_.empty()) {
    krr::check_gram_memory(kernel_, n, 2 * sizeof(double), " with that of the other kernel");
    Matrix<double> prior(n, n);
    covariance_.matrix(samples_.view(), samples_.view(), Pairing::same, prior.view());
    prior_ = std::move(prior);
  }
  for (index first = 0; first < x.rows; first += kRows) {
    const index m = std::min(kRows, x.rows - first);
    const ConstView2D<R> part = x.middle_rows(first, m);
    Matrix<double> k(m, n);
    kernel_.matrix(part, samples_.view(), Pairing::cross, k.view());
    backend.gemm(Transpose::no, Transpose::no, 1.0, k.view(), coefficients.view(), 0.0, mean.middle_rows(first, m));
    if (variance == nullptr) continue;

    double* v = variance + first;
    covariance_.diag(part, v);
    Matrix<double> w(n, m), weights(m, n);  // w = g K(S,x), and its transpose
    for (index i = 0; i < m; ++i)
      for (index j = 0; j < n; ++j) w(j, i) = k(i, j);
    damp(ntk ? time : 2 * time, w.view());
    for (index i = 0; i < m; ++i)
      for (index j = 0; j < n; ++j) weights(i, j) = w(j, i);
    if (ntk) {
      // -2 N(x,S) + w^T N(S,S), both against w
      covariance_.matrix(part, samples_.view(), Pairing::cross, k.view());
      backend.gemm(Transpose::no, Transpose::no, 1.0, weights.view(), prior_.view(), -2.0, k.view());
      for (index i = 0; i < m; ++i) v[i] += row_dot(k.view(), weights.view(), i);
    } else {
      for (index i = 0; i < m; ++i) v[i] -= row_dot(k.view(), weights.view(), i);
    }
    for (index i = 0; i < m; ++i) {
      NTKROB_CHECK(std::isfinite(v[i]), NonFinite, "the variance of sample ", first + i, " is ", v[i]);
      v[i] = std::max(v[i], 0.0);
    }
  }
  for (index i = 0; i < mean.rows; ++i)
    for (index j = 0; j < mean.cols; ++j)
      NTKROB_CHECK(std::isfinite(mean(i, j)), NonFinite, "the mean of sample ", i, " is ", mean(i, j));
}

template class BasicGradientFlow<float>;
template class BasicGradientFlow<double>;

}  // namespace ntkrob
