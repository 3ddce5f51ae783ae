/// Dense layer: q <- w^2 q + b^2, Theta <- q(new) + w^2 Theta (Jacot 2018; Lee 2019).
///
/// In normalised form. With A' = w^2 A + b^2 put c = w sqrt(A/A') and s = b/sqrt(A'): (c, s) is a unit vector, and
///     1 - q'/sqrt(A'B') = c_x c_y u + ((c_x - c_y)^2 + (s_x - s_y)^2) / 2,        t' = (1 - u') + c_x c_y t.
/// Only differences of per-sample numbers occur, so the gap keeps its relative accuracy. b = 0 gives c = 1, s = 0
/// exactly.
#pragma once

#include <cmath>

#include "ntkrob/layers/layer.hpp"

namespace ntkrob::layers {

struct Dense {
  static constexpr Law kLaw = Law::makes_gaussian;
  static constexpr int kCoefficients = 2;  // c, s
  static constexpr int kParameterCount = 2;
  static constexpr LayerParameter kParameters[kParameterCount] = {{"w", 1.4142135623730951, 1e-6, 1e6},
                                                                  {"b", 0.1, 0, 1e6}};

  NTKROB_HD static Variance sample(Variance in, const double* params, double* c, double* dc) {
    const double w = params[0], b = params[1];
    const double a = w * w * in.a + b * b, da = w * w * in.da;
    if (b == 0 || a == 0) {
      c[0] = 1;
      c[1] = dc[0] = dc[1] = 0;
      return {a, da};
    }
    const double root = std::sqrt(a), root_in = std::sqrt(in.a);
    c[0] = w * root_in / root;
    c[1] = b / root;
    // c^2 = w^2 A / A', s^2 = b^2 / A'.
    const double dlog_in = in.a > 0 ? in.da / in.a : 0.0;
    dc[0] = c[0] * (dlog_in - da / a) / 2;
    dc[1] = -c[1] * (da / a) / 2;
    return {a, da};
  }

  NTKROB_HD static SelfState self(SelfState in, const double* params) {
    const double w2 = params[0] * params[0], b2 = params[1] * params[1];
    const double a = w2 * in.a + b2, da = w2 * in.da;
    return {a, a + w2 * in.t, da, da + w2 * in.dt};
  }

  template <class S>
  static Covariance<S> textbook(Covariance<S> in, const double* params) {
    const S w2(params[0] * params[0]), b2(params[1] * params[1]);
    const S q = w2 * in.q + b2;
    return {q, q + w2 * in.t, w2 * in.a + b2, w2 * in.b + b2};
  }

  template <class V>
  NTKROB_HD static void value(PairValue<V>& s, const V* x, const V* y) {
    const V cc = x[0] * y[0];
    const V dc = x[0] - y[0], ds = x[1] - y[1];
    s.u = fma(cc, s.u, V(0.5) * fma(dc, dc, ds * ds));
    s.t = fma(cc, s.t, V(1) - s.u);
  }

  template <class V>
  NTKROB_HD static void gradient(PairGradient<V>& s, const V* x, const V* dx, const V* y) {
    const V cc = x[0] * y[0];
    const V dcc = dx[0] * y[0];  // d(c_x c_y) / d log a
    const V dc = x[0] - y[0], ds = x[1] - y[1];
    const V eu = fma(cc, s.eu, fma(dcc, s.u, fma(dc, dx[0], ds * dx[1])));
    s.et = fma(cc, s.et, fma(dcc, s.t, -eu));
    s.eu = eu;
    s.du = cc * s.du;
    s.dt = fma(cc, s.dt, -s.du);
    s.u = fma(cc, s.u, V(0.5) * fma(dc, dc, ds * ds));
    s.t = fma(cc, s.t, V(1) - s.u);
  }
};

}  // namespace ntkrob::layers
