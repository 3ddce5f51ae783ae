/// Small Models with known answers, for tests of everything that takes a Model.
#pragma once

#include <cmath>

#include "ntkrob/base/random.hpp"
#include "ntkrob/model/model.hpp"

namespace ntkrob::kit {

/// f(x) = W x + b. The worst point of a ball is known in closed form.
class LinearModel : public Model {
 public:
  LinearModel(index d, index classes, std::uint64_t seed) : weight(classes, d), bias(1, classes) {
    const Rng rng(seed, "linear");
    for (index k = 0; k < weight.size(); ++k)
      weight.data()[k] = static_cast<float>(rng.normal(static_cast<std::uint64_t>(k)));
    for (index k = 0; k < classes; ++k)
      bias(0, k) = static_cast<float>(rng.normal(static_cast<std::uint64_t>(weight.size() + k)));
  }
  ImageShape input_shape() const override { return {1, 1, weight.cols()}; }
  index classes() const override { return weight.rows(); }
  void logits(ConstView2D<float> x, View2D<float> out) const override {
    NTKROB_CHECK_SHAPE(x, x.rows, weight.cols());
    NTKROB_CHECK_SHAPE(out, x.rows, weight.rows());
    for (index i = 0; i < x.rows; ++i)
      for (index k = 0; k < weight.rows(); ++k) {
        double sum = bias(0, k);
        for (index j = 0; j < x.cols; ++j) sum += static_cast<double>(weight(k, j)) * x(i, j);
        out(i, k) = static_cast<float>(sum);
      }
  }
  void input_grad(ConstView2D<float> x, ConstView2D<float> cotangent, View2D<float> dx) const override {
    NTKROB_CHECK_SHAPE(dx, x.rows, weight.cols());
    for (index i = 0; i < x.rows; ++i)
      for (index j = 0; j < x.cols; ++j) {
        double sum = 0;
        for (index k = 0; k < weight.rows(); ++k) sum += static_cast<double>(cotangent(i, k)) * weight(k, j);
        dx(i, j) = static_cast<float>(sum);
      }
  }

  Matrix<float> weight;  // C x D
  Matrix<float> bias;    // 1 x C
};

/// Linear, with a gradient that is not finite in row 2, component 1.
class NaNGradient : public LinearModel {
 public:
  using LinearModel::LinearModel;
  void input_grad(ConstView2D<float> x, ConstView2D<float> c, View2D<float> dx) const override {
    LinearModel::input_grad(x, c, dx);
    dx(2, 1) = NAN;
  }
};

/// f_k(x) = sum_h V_kh sin(U_h . x + phase_h): smooth, nonlinear, with many local maxima.
class SineModel : public Model {
 public:
  SineModel(index d, index hidden, index classes, std::uint64_t seed)
      : inner(hidden, d), phase(1, hidden), outer(classes, hidden) {
    const Rng rng(seed, "sine");
    std::uint64_t k = 0;
    const double scale = 2 / std::sqrt(static_cast<double>(d));
    for (index i = 0; i < inner.size(); ++i) inner.data()[i] = static_cast<float>(scale * rng.normal(k++));
    for (index i = 0; i < hidden; ++i) phase(0, i) = static_cast<float>(rng.uniform(k++, 0, 6.28));
    for (index i = 0; i < outer.size(); ++i) outer.data()[i] = static_cast<float>(rng.normal(k++));
  }
  ImageShape input_shape() const override { return {1, 1, inner.cols()}; }
  index classes() const override { return outer.rows(); }

  /// The same function in double, for gradient tests. x: one row
  double logit(ConstView2D<double> x, index k) const {
    double sum = 0;
    for (index h = 0; h < inner.rows(); ++h) {
      double u = phase(0, h);
      for (index j = 0; j < inner.cols(); ++j) u += static_cast<double>(inner(h, j)) * x(0, j);
      sum += outer(k, h) * std::sin(u);
    }
    return sum;
  }
  void logits(ConstView2D<float> x, View2D<float> out) const override {
    NTKROB_CHECK_SHAPE(x, x.rows, inner.cols());
    NTKROB_CHECK_SHAPE(out, x.rows, outer.rows());
    for (index i = 0; i < x.rows; ++i)
      for (index k = 0; k < outer.rows(); ++k) {
        double sum = 0;
        for (index h = 0; h < inner.rows(); ++h) sum += outer(k, h) * std::sin(argument(x.row(i), h));
        out(i, k) = static_cast<float>(sum);
      }
  }
  void input_grad(ConstView2D<float> x, ConstView2D<float> cotangent, View2D<float> dx) const override {
    NTKROB_CHECK_SHAPE(dx, x.rows, inner.cols());
    for (index i = 0; i < x.rows; ++i) {
      for (index j = 0; j < x.cols; ++j) dx(i, j) = 0;
      for (index h = 0; h < inner.rows(); ++h) {
        double back = 0;
        for (index k = 0; k < outer.rows(); ++k) back += static_cast<double>(cotangent(i, k)) * outer(k, h);
        back *= std::cos(argument(x.row(i), h));
        for (index j = 0; j < x.cols; ++j) dx(i, j) += static_cast<float>(back * inner(h, j));
      }
    }
  }

  Matrix<float> inner;  // H x D
  Matrix<float> phase;  // 1 x H
  Matrix<float> outer;  // C x H

 private:
  double argument(const float* x, index h) const {
    double u = phase(0, h);
    for (index j = 0; j < inner.cols(); ++j) u += static_cast<double>(inner(h, j)) * x[j];
    return u;
  }
};

/// n x d numbers, uniform in [low, high).
inline Matrix<float> uniform_matrix(index n, index d, std::uint64_t seed, double low = 0, double high = 1) {
  const Rng rng(seed, "uniform");
  Matrix<float> m(n, d);
  for (index k = 0; k < m.size(); ++k)
    m.data()[k] = static_cast<float>(rng.uniform(static_cast<std::uint64_t>(k), low, high));
  return m;
}

}  // namespace ntkrob::kit
