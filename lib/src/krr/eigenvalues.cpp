#include "ntkrob/krr/eigenvalues.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <type_traits>

#include "ntkrob/base/random.hpp"

namespace ntkrob {
namespace {

double dot(const double* a, const double* b, index n) { return std::inner_product(a, a + n, b, 0.0); }

/// The basis of a Krylov space and its image, one vector per row, and the matrix in that basis.
class Krylov {
 public:
  Krylov(index n, index capacity, const SymmetricOperator& apply, Backend& backend)
      : n_(n), apply_(apply), backend_(backend), q_(capacity, n), aq_(capacity, n), t_(capacity, capacity) {}

  index size() const { return size_; }
  index room() const { return q_.rows() - size_; }

  /// Orthonormalises the rows of `block`, drops those that add nothing, and extends the basis by the rest. False: none.
  bool extend(View2D<double> block) {
    const index first = size_;
    for (index k = 0; k < block.rows && room() > 0; ++k) {
      double* v = block.row(k);
      const double before = std::sqrt(dot(v, v, n_));
      if (!(before > 0)) continue;
      for (index j = 0; j < n_; ++j) v[j] /= before;
      for (int pass = 0; pass < 2; ++pass)  // twice is enough (Parlett, The Symmetric Eigenvalue Problem, 6.9)
        for (index i = 0; i < size_; ++i) {
          const double c = dot(q_.row(i), v, n_);
          for (index j = 0; j < n_; ++j) v[j] -= c * q_(i, j);
        }
      const double after = std::sqrt(dot(v, v, n_));
      if (!(after > 1e-10)) continue;
      for (index j = 0; j < n_; ++j) q_(size_, j) = v[j] / after;
      ++size_;
    }
    if (size_ == first) return false;
    multiply(first);
    return true;
  }

  /// Ritz values, descending, and the coefficients of their vectors as rows.
  void solve(std::vector<double>& values, Matrix<double>& vectors) const {
    Matrix<double> t(size_, size_);
    for (index i = 0; i < size_; ++i)
      for (index j = 0; j < size_; ++j) t(i, j) = t_(i, j);
    std::vector<double> ascending(static_cast<std::size_t>(size_));
    backend_.symmetric_eigen(t.view(), ascending.data());
    values.assign(ascending.rbegin(), ascending.rend());
    vectors = Matrix<double>(size_, size_);
    for (index k = 0; k < size_; ++k) std::copy_n(t.row(size_ - 1 - k), size_, vectors.row(k));
  }

  /// r = A v - value v for the Ritz vector with these coefficients.
  double residual(double value, const double* coefficients, double* r) const {
    std::fill_n(r, n_, 0.0);
    for (index i = 0; i < size_; ++i)
      for (index j = 0; j < n_; ++j) r[j] += coefficients[i] * (aq_(i, j) - value * q_(i, j));
    return std::sqrt(dot(r, r, n_));
  }

  /// Keeps the span of the first `kept` Ritz vectors.
  void restart(index kept, const std::vector<double>& values, ConstView2D<double> vectors) {
    for (Matrix<double>* rows : {&q_, &aq_}) {
      Matrix<double> combined(kept, n_);
      backend_.gemm(Transpose::no, Transpose::no, 1.0, vectors.middle_rows(0, kept), rows->view().middle_rows(0, size_),
                    0.0, combined.view());
      convert(ConstView2D<double>(combined.view()), rows->view().middle_rows(0, kept));
    }
    size_ = kept;
    for (index i = 0; i < kept; ++i)
      for (index j = 0; j < kept; ++j) t_(i, j) = i == j ? values[static_cast<std::size_t>(i)] : 0;
  }

 private:
  /// Images of the new vectors, and their rows and columns of the projected matrix.
  void multiply(index first) {
    const index r = size_ - first;
    Matrix<double> v(n_, r), out(n_, r);
    for (index k = 0; k < r; ++k)
      for (index j = 0; j < n_; ++j) v(j, k) = q_(first + k, j);
    apply_(v.view(), out.view());
    for (index k = 0; k < r; ++k)
      for (index j = 0; j < n_; ++j) {
        NTKROB_CHECK(std::isfinite(out(j, k)), NonFinite, "a product with the matrix has the value ", out(j, k),
                     " in row ", j);
        aq_(first + k, j) = out(j, k);
      }
    for (index i = first; i < size_; ++i)
      for (index j = 0; j <= i; ++j)
        t_(i, j) = t_(j, i) = (dot(q_.row(i), aq_.row(j), n_) + dot(q_.row(j), aq_.row(i), n_)) / 2;
  }

  index n_, size_ = 0;
  const SymmetricOperator& apply_;
  Backend& backend_;
  Matrix<double> q_, aq_, t_;
};

/// All eigenvalues of a formed matrix; the bound is the backward error of the solver.
TopEigenvalues solve_whole(View2D<double> a, Backend& backend, index count) {
  const index n = a.rows;
  std::vector<double> ascending(static_cast<std::size_t>(n));
  backend.symmetric_eigen(a, ascending.data());
  TopEigenvalues top;
  top.values.assign(ascending.rbegin(), ascending.rbegin() + count);
  const double largest = std::max(std::abs(ascending.front()), std::abs(ascending.back()));
  const double backward = static_cast<double>(n) * std::numeric_limits<double>::epsilon() * largest;
  top.bounds.assign(static_cast<std::size_t>(count), backward);
  return top;
}

}  // namespace

void EigenOptions::validate() const {
  NTKROB_CHECK_RANGE("count", count, 1, index(1) << 20);
  NTKROB_CHECK(tolerance > 0 && tolerance < 1, ConfigError, field("tolerance"), " is ", given(tolerance),
               ", must be in ", limit("(0, 1)"));
  NTKROB_CHECK_RANGE("dense_rows", dense_rows, 0, 32760);
  NTKROB_CHECK_RANGE("max_products", max_products, 1, index(1) << 20);
}

TopEigenvalues top_eigenvalues(index n, const SymmetricOperator& apply, Backend& backend, const EigenOptions& options) {
  options.validate();
  NTKROB_CHECK(n > 0, ShapeError, "a matrix without rows has no eigenvalues");
  const index wanted = std::min(options.count, n), block = std::min(wanted + 4, n);
  Krylov krylov(n, std::min(n, 4 * wanted + 24), apply, backend);
  const Rng rng(options.seed, "eigenvalues");
  Matrix<double> residuals(block, n);
  for (index k = 0; k < residuals.size(); ++k) residuals.data()[k] = rng.normal(static_cast<std::uint64_t>(k));

  TopEigenvalues top;
  std::vector<double> values;
  Matrix<double> vectors;
  View2D<double> next = residuals.view();
  while (top.products < options.max_products && krylov.extend(next)) {
    ++top.products;
    krylov.solve(values, vectors);
    const index found = std::min(block, krylov.size()), shown = std::min(wanted, found);
    const double limit = options.tolerance * std::abs(values.front());
    top.values.assign(values.begin(), values.begin() + shown);
    top.bounds.assign(static_cast<std::size_t>(shown), 0.0);
    index open = 0, still_open = 0;  // what has converged needs no more directions
    for (index k = 0; k < found; ++k) {
      const double bound = krylov.residual(values[static_cast<std::size_t>(k)], vectors.row(k), residuals.row(open));
      if (k < shown) top.bounds[static_cast<std::size_t>(k)] = bound;
      if (bound > limit) ++open;
      if (bound > limit && k < shown) ++still_open;
    }
    top.converged = still_open == 0 && shown == wanted;
    if (top.converged) break;
    next = residuals.view().middle_rows(0, open);
    // The basis may be full with all n directions: then nothing is left to add, and extend() says so.
    if (krylov.room() < open && krylov.size() > block)
      krylov.restart(std::min(krylov.size(), wanted + block), values, vectors.view());
  }
  return top;
}

template <class R>
TopEigenvalues top_eigenvalues(const Kernel& kernel, ConstView2D<R> x, const EigenOptions& options) {
  options.validate();
  const index n = x.rows;
  NTKROB_CHECK(n > 0, ShapeError, "a Gram matrix without samples has no eigenvalues");
  if (n <= options.dense_rows) {
    Matrix<double> gram(n, n);
    kernel.matrix(x, x, Pairing::same, gram.view());
    return solve_whole(gram.view(), kernel.backend(), std::min(options.count, n));
  }
  const auto apply = [&](ConstView2D<double> v, View2D<double> out) {
    if constexpr (std::is_same<R, double>::value) {
      kernel.apply(x, x, Pairing::same, v, out);
    } else {
      Matrix<R> narrow(v.rows, v.cols), result(v.rows, v.cols);
      convert(v, narrow.view());
      kernel.apply(x, x, Pairing::same, ConstView2D<R>(narrow.view()), result.view());
      convert(ConstView2D<R>(result.view()), out);
    }
  };
  return top_eigenvalues(n, apply, kernel.backend(), options);
}

template TopEigenvalues top_eigenvalues(const Kernel&, ConstView2D<float>, const EigenOptions&);
template TopEigenvalues top_eigenvalues(const Kernel&, ConstView2D<double>, const EigenOptions&);

}  // namespace ntkrob
