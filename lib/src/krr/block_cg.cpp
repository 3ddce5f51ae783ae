#include "krr/block_cg.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace ntkrob::krr {
namespace {

/// Columns whose part outside of the others is below this, squared and relative, are dropped: they would be noise.
constexpr double kDependent = 1e-12;
/// A cycle ends when its recursion is this much below the tolerance, so that the check that follows passes.
constexpr double kSafety = 0.9;

std::vector<double> norms(ConstView2D<double> a) {
  std::vector<double> sums(static_cast<std::size_t>(a.cols), 0.0);
  for (index i = 0; i < a.rows; ++i)
    for (index c = 0; c < a.cols; ++c) sums[static_cast<std::size_t>(c)] += a(i, c) * a(i, c);
  for (double& sum : sums) sum = std::sqrt(sum);
  return sums;
}

double quotient(double part, double whole) { return part == 0 ? 0 : part / whole; }

double largest(const std::vector<double>& values) {
  double result = 0;
  for (const double v : values) result = v > result || std::isnan(v) ? v : result;
  return result;
}

/// A basis of residuals in the inner product of P^-1: s^T z = I, z = P^-1 s.
struct Basis {
  Matrix<double> s, z;   // n x k
  Matrix<double> parts;  // k x q: what was given is s parts
};

/// Cholesky with pivoting of the Gram matrix t^T zt, then t and zt times the inverse of the factor.
///   t: n x q   zt: P^-1 t
Basis orthonormal(Backend& backend, ConstView2D<double> t, ConstView2D<double> zt) {
  const index n = t.rows, q = t.cols;
  Matrix<double> h(q, q), root(q, q);
  backend.gemm(Transpose::yes, Transpose::no, 1.0, t, zt, 0.0, h.view());
  std::vector<double> rest;
  for (index j = 0; j < q; ++j) rest.push_back(h(j, j));
  std::vector<index> pivots;
  for (index k = 0; k < q; ++k) {
    index p = -1;
    double best = kDependent;
    for (index j = 0; j < q; ++j) {
      const double share = h(j, j) > 0 ? rest[static_cast<std::size_t>(j)] / h(j, j) : 0;
      if (share > best) best = share, p = j;
    }
    if (p < 0) break;
    const double pivot = std::sqrt(rest[static_cast<std::size_t>(p)]);
    for (index j = 0; j < q; ++j) {
      const bool done = std::find(pivots.begin(), pivots.end(), j) != pivots.end();
      double sum = (h(p, j) + h(j, p)) / 2;
      for (index l = 0; l < k; ++l) sum -= root(l, p) * root(l, j);
      root(k, j) = j == p ? pivot : done ? 0 : sum / pivot;
      rest[static_cast<std::size_t>(j)] -= root(k, j) * root(k, j);
    }
    rest[static_cast<std::size_t>(p)] = 0;
    pivots.push_back(p);
  }

  const auto k = static_cast<index>(pivots.size());
  Basis basis{Matrix<double>(n, k), Matrix<double>(n, k), Matrix<double>(root.view().middle_rows(0, k))};
  const auto divide = [&](ConstView2D<double> from, Matrix<double>& to) {
    for (index i = 0; i < n; ++i)
      for (index j = 0; j < k; ++j) {
        const index p = pivots[static_cast<std::size_t>(j)];
        double sum = from(i, p);
        for (index l = 0; l < j; ++l) sum -= to(i, l) * root(l, p);
        to(i, j) = sum / root(j, p);
      }
  };
  divide(t, basis.s);
  divide(zt, basis.z);
  return basis;
}

/// Conjugate gradients on one system: what stays the same from cycle to cycle.
class Solver {
 public:
  Solver(Backend& backend, const Operator& a, const Operator& precondition, ConstView2D<double> y,
         const CgLimits& limits, View2D<double> x, CgResult& result)
      : backend_(backend),
        a_(a),
        precondition_(precondition),
        size_(norms(y)),
        limits_(limits),
        x_(x),
        result_(result) {}

  /// Adds to x the solution for the residual r, as far as one cycle gets.
  void cycle(ConstView2D<double> r) {
    const index n = r.rows, c = r.cols;
    Basis basis = next_basis(r);
    Matrix<double> coefficients = basis.parts, d = basis.z;
    for (bool first = true; basis.s.cols() > 0; first = false) {
      NTKROB_CHECK(
          result_.iterations < limits_.max_iterations, NumericalError, limits_.what, ": after ", result_.iterations,
          " iterations the relative residual is ", given(relative(basis.s, coefficients)), ", the tolerance is ",
          limit(limits_.tolerance), "; ",
          advice("raise ", field("rank"), ", ", field("ridge"), ", ", field("iterations"), " or ", field("tolerance")));
      const index k = basis.s.cols();
      Matrix<double> w(n, k), step(k, k), inner(k, k), gain(k, c);
      a_(d.view(), w.view());
      if (!invert_projection(d, w, inner, step)) {
        NTKROB_CHECK(!first, NotPositiveDefinite, limits_.what,
                     ": the matrix is not positive definite in this precision; ",
                     advice("raise ", field("ridge"), " or use ", field("precision", "float64")));
        return;  // the search directions have lost their meaning: go on from the true residual
      }
      backend_.gemm(Transpose::no, Transpose::no, 1.0, step.view(), coefficients.view(), 0.0, gain.view());
      backend_.gemm(Transpose::no, Transpose::no, 1.0, d.view(), gain.view(), 1.0, x_);
      backend_.gemm(Transpose::no, Transpose::no, -1.0, w.view(), step.view(), 1.0, basis.s.view());
      basis = next_basis(basis.s.view());

      const index more = basis.s.cols();
      Matrix<double> next(more, c), directions = basis.z;
      backend_.gemm(Transpose::no, Transpose::no, 1.0, basis.parts.view(), coefficients.view(), 0.0, next.view());
      backend_.gemm(Transpose::no, Transpose::yes, 1.0, d.view(), basis.parts.view(), 1.0, directions.view());
      coefficients = std::move(next);
      d = std::move(directions);

      ++result_.iterations;
      const double residual = relative(basis.s, coefficients);
      NTKROB_CHECK(std::isfinite(residual), NonFinite, limits_.what, ": the residual of iteration ", result_.iterations,
                   " is not finite");
      result_.history.push_back(residual);
      if (limits_.progress) limits_.progress(result_.iterations, residual);
      if (residual <= kSafety * limits_.tolerance) return;
    }
  }

 private:
  Basis next_basis(ConstView2D<double> r) const {
    Matrix<double> z(r.rows, r.cols);
    precondition_(r, z.view());
    return orthonormal(backend_, r, z.view());
  }

  /// step = (d^T w)^-1. false where that is not positive definite.
  bool invert_projection(const Matrix<double>& d, const Matrix<double>& w, Matrix<double>& inner,
                         Matrix<double>& step) const {
    backend_.gemm(Transpose::yes, Transpose::no, 1.0, d.view(), w.view(), 0.0, inner.view());
    for (index i = 0; i < inner.rows(); ++i) {
      for (index j = 0; j < i; ++j) inner(i, j) = inner(j, i) = (inner(i, j) + inner(j, i)) / 2;
      step(i, i) = 1;
    }
    if (backend_.factor_spd(inner.view()) >= 0) return false;
    backend_.solve_spd(inner.view(), step.view());
    return true;
  }

  double relative(const Matrix<double>& s, const Matrix<double>& coefficients) const {
    Matrix<double> r(s.rows(), coefficients.cols());
    if (s.cols() > 0) backend_.gemm(Transpose::no, Transpose::no, 1.0, s.view(), coefficients.view(), 0.0, r.view());
    std::vector<double> part = norms(r.view());
    for (std::size_t c = 0; c < part.size(); ++c) part[c] = quotient(part[c], size_[c]);
    return largest(part);
  }

  Backend& backend_;
  const Operator &a_, &precondition_;
  std::vector<double> size_;  // of the columns of y
  const CgLimits& limits_;
  View2D<double> x_;
  CgResult& result_;
};

}  // namespace

std::vector<double> relative_residuals(ConstView2D<double> y, ConstView2D<double> ax) {
  NTKROB_CHECK_SHAPE(ax, y.rows, y.cols);
  Matrix<double> r(y);
  for (index i = 0; i < r.rows(); ++i)
    for (index c = 0; c < r.cols(); ++c) r(i, c) -= ax(i, c);
  std::vector<double> result = norms(r.view());
  const std::vector<double> size = norms(y);
  for (std::size_t c = 0; c < result.size(); ++c) result[c] = quotient(result[c], size[c]);
  return result;
}

CgResult block_cg(Backend& backend, const Operator& a, const Operator& precondition, ConstView2D<double> y,
                  const CgLimits& limits, View2D<double> x) {
  CgResult result;
  Solver solver(backend, a, precondition, y, limits, x, result);
  for (index i = 0; i < x.rows; ++i) std::fill_n(x.row(i), x.cols, 0.0);
  Matrix<double> r(y), ax(y.rows, y.cols);
  for (double before = std::numeric_limits<double>::infinity();;) {
    solver.cycle(r.view());
    a(x, ax.view());
    result.residual = relative_residuals(y, ax.view());
    const double worst = largest(result.residual);
    if (worst <= limits.tolerance) return result;
    NTKROB_CHECK(worst <= before / 2, NumericalError, limits.what, ": the relative residual stays at ", given(worst),
                 " after ", result.iterations, " iterations, the tolerance is ", limit(limits.tolerance),
                 "; rounding allows no better: ", advice("raise ", field("tolerance"), " or ", field("ridge")));
    before = worst;
    ++result.restarts;
    for (index i = 0; i < r.rows(); ++i)
      for (index c = 0; c < r.cols(); ++c) r(i, c) = y(i, c) - ax(i, c);
  }
}

}  // namespace ntkrob::krr
