/// Dense layer in the standard parameterisation (Sohl-Dickstein 2020): weights drawn with standard deviation w/sqrt(n),
/// n the number of inputs, and biases with b, without factors in the layer itself. Values are those of Dense, gradients
/// are not:
///
///     q <- w^2 q + b^2,   Theta <- n q + w^2 Theta + 1  (without the 1 where b = 0: no bias)
///
/// In normalised form, with c and s as in Dense: t' = (n/w^2) c_x c_y (1 - u) + s_x s_y / b^2 + c_x c_y t.
#pragma once

#include <cmath>

#include "layers/dense.hpp"

namespace ntkrob::layers {

struct Standard {
  static constexpr Law kLaw = Law::makes_gaussian;
  static constexpr int kCoefficients = 4;  // c, s, c sqrt(n)/w, s/b
  static constexpr int kParameterCount = 3;
  static constexpr LayerParameter kParameters[kParameterCount] = {
      Dense::kParameters[0], Dense::kParameters[1], {"in", 1, 1, 1e9, true}};

  NTKROB_HD static Variance sample(Variance in, const double* params, double* c, double* dc) {
    const Variance out = Dense::sample(in, params, c, dc);
    const double weights = std::sqrt(params[2]) / params[0], biases = params[1] > 0 ? 1 / params[1] : 0;
    c[2] = c[0] * weights;
    dc[2] = dc[0] * weights;
    c[3] = c[1] * biases;
    dc[3] = dc[1] * biases;
    return out;
  }

  NTKROB_HD static SelfState self(SelfState in, const double* params) {
    const double w2 = params[0] * params[0], bias = params[1] > 0 ? 1 : 0;
    return {w2 * in.a + params[1] * params[1], params[2] * in.a + w2 * in.t + bias, w2 * in.da,
            params[2] * in.da + w2 * in.dt};
  }

  template <class S>
  static Covariance<S> textbook(Covariance<S> in, const double* params) {
    const S n(params[2]), w2(params[0] * params[0]), b2(params[1] * params[1]), bias(params[1] > 0 ? 1.0 : 0.0);
    return {w2 * in.q + b2, n * in.q + w2 * in.t + bias, w2 * in.a + b2, w2 * in.b + b2};
  }

  template <class V>
  NTKROB_HD static void value(PairValue<V>& s, const V* x, const V* y) {
    const V t = s.t, gap = s.u;
    Dense::value(s, x, y);
    s.t = fma(x[2] * y[2], V(1) - gap, fma(x[3], y[3], (x[0] * y[0]) * t));
  }

  template <class V>
  NTKROB_HD static void gradient(PairGradient<V>& s, const V* x, const V* dx, const V* y) {
    const PairGradient<V> in = s;
    Dense::gradient(s, x, dx, y);
    const V cc = x[0] * y[0], nn = x[2] * y[2], cos = V(1) - in.u;
    s.t = fma(nn, cos, fma(x[3], y[3], cc * in.t));
    s.dt = fma(cc, in.dt, -(nn * in.du));
    s.et = fma(dx[2] * y[2], cos, fma(dx[3], y[3], fma(dx[0] * y[0], in.t, fma(cc, in.et, -(nn * in.eu)))));
  }
};

}  // namespace ntkrob::layers
