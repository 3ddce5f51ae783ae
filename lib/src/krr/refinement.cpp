#include "krr/refinement.hpp"

#include <algorithm>
#include <cmath>

namespace ntkrob::krr {
namespace {

/// A cycle ends when its recursion is this far below what is accepted, so that the check that follows passes.
constexpr double kGoal = kRounding / 4;

/// Of |b|: a larger residual is no solution, however large x is (the matrix is singular to rounding).
constexpr double kMostOfSide = 0x1p-10;

using Columns = std::vector<double>;  // a number for each column

Columns dots(const Matrix<double>& a, const Matrix<double>& b) {
  Columns sums(static_cast<std::size_t>(a.cols()), 0.0);
  for (index i = 0; i < a.rows(); ++i)
    for (index c = 0; c < a.cols(); ++c) sums[static_cast<std::size_t>(c)] += a(i, c) * b(i, c);
  return sums;
}

/// z = (L L^T)^-1 r in float32, with every column scaled to its range.
void precondition(Backend& backend, ConstView2D<float> factor, const Matrix<double>& r, Matrix<double>& z) {
  Columns size(static_cast<std::size_t>(r.cols()), 0.0);
  for (index i = 0; i < r.rows(); ++i)
    for (index c = 0; c < r.cols(); ++c) {
      double& s = size[static_cast<std::size_t>(c)];
      s = std::max(s, std::abs(r(i, c)));
    }
  for (double& s : size) s = s > 0 ? s : 1;
  Matrix<float> narrow(r.rows(), r.cols());
  for (index i = 0; i < r.rows(); ++i)
    for (index c = 0; c < r.cols(); ++c) narrow(i, c) = static_cast<float>(r(i, c) / size[static_cast<std::size_t>(c)]);
  backend.solve_spd(factor, narrow.view());
  for (index i = 0; i < r.rows(); ++i)
    for (index c = 0; c < r.cols(); ++c)
      z(i, c) = static_cast<double>(narrow(i, c)) * size[static_cast<std::size_t>(c)];
}

/// The columns' conjugate gradients, side by side.
class Solver {
 public:
  Solver(Backend& backend, ConstView2D<double> a, ConstView2D<float> factor, double trace, ConstView2D<double> y,
         index max_iterations)
      : backend_(backend),
        a_(a),
        factor_(factor),
        trace_(trace),
        y_(y),
        max_iterations_(max_iterations),
        x_(y.rows, y.cols),
        r_(y),
        z_(y.rows, y.cols),
        w_(y.rows, y.cols),
        right_(dots(r_, r_)) {}

  Refinement run() {
    for (double before = 2;;) {
      if (!cycle()) return result_;
      multiply(x_);
      for (index i = 0; i < r_.rows(); ++i)
        for (index c = 0; c < r_.cols(); ++c) r_(i, c) = y_(i, c) - w_(i, c);
      result_.residual = residual();
      result_.converged = result_.residual <= kRounding;
      if (result_.converged || !(result_.residual <= before / 2)) return result_;
      before = result_.residual;
    }
  }
  const Matrix<double>& solution() const { return x_; }

 private:
  /// From the residual r_ until the recursion reaches the goal.   returns: whether it has
  bool cycle() {
    precondition(backend_, factor_, r_, z_);
    Matrix<double> d = z_, before;
    Columns rho = dots(r_, z_), step(rho.size()), turn(rho.size());
    for (;;) {
      result_.residual = residual();
      if (!(result_.residual > kGoal)) return true;
      if (result_.iterations == max_iterations_) return false;
      multiply(d);
      const Columns curvature = dots(d, w_);
      for (std::size_t c = 0; c < step.size(); ++c) {
        if (curvature[c] < 0) {
          result_.definite = false;
          return false;
        }
        step[c] = curvature[c] == 0 ? 0 : rho[c] / curvature[c];  // 0: this column is solved exactly
      }
      before = r_;
      for (index i = 0; i < r_.rows(); ++i)
        for (index c = 0; c < r_.cols(); ++c) {
          x_(i, c) += step[static_cast<std::size_t>(c)] * d(i, c);
          r_(i, c) -= step[static_cast<std::size_t>(c)] * w_(i, c);
        }
      precondition(backend_, factor_, r_, z_);
      const Columns now = dots(r_, z_), old = dots(before, z_);
      for (std::size_t c = 0; c < turn.size(); ++c) turn[c] = rho[c] == 0 ? 0 : (now[c] - old[c]) / rho[c];
      for (index i = 0; i < d.rows(); ++i)
        for (index c = 0; c < d.cols(); ++c) d(i, c) = z_(i, c) + turn[static_cast<std::size_t>(c)] * d(i, c);
      rho = now;
      ++result_.iterations;
    }
  }

  /// w_ = A v
  void multiply(const Matrix<double>& v) {
    backend_.gemm(Transpose::no, Transpose::no, 1.0, a_, v.view(), 0.0, w_.view());
  }

  /// The largest of r_ over the columns; NaN where there is one.
  double residual() const {
    const Columns part = dots(r_, r_), size = dots(x_, x_);
    double worst = 0;
    for (std::size_t c = 0; c < part.size(); ++c) {
      const double right = std::sqrt(right_[c]);
      const double scale = std::min(right + trace_ * std::sqrt(size[c]), kMostOfSide / kRounding * right);
      const double relative = part[c] == 0 ? 0 : std::sqrt(part[c]) / scale;
      if (!(relative <= worst)) worst = relative;
    }
    return worst;
  }

  Backend& backend_;
  ConstView2D<double> a_;
  ConstView2D<float> factor_;
  double trace_;
  ConstView2D<double> y_;
  index max_iterations_;
  Matrix<double> x_, r_, z_, w_;  // n x c; z_: r_ through the preconditioner, w_: a product with A
  Columns right_;                 // squared norms of y
  Refinement result_;
};

}  // namespace

Refinement refine(Backend& backend, ConstView2D<double> a, ConstView2D<float> factor, double trace,
                  index max_iterations, View2D<double> b) {
  Solver solver(backend, a, factor, trace, b, max_iterations);
  const Refinement result = solver.run();
  if (result.converged) convert(solver.solution().view(), b);
  return result;
}

}  // namespace ntkrob::krr
