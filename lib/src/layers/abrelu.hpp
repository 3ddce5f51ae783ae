/// a min(x,0) + b max(x,0): the arc-cosine kernels of order 0 and 1 (Cho & Saul 2009; Tsuchida 2018).
///
///     q <- (a-b)^2/(2 pi) (sin theta - theta cos theta) sqrt(AB) + m q,   A <- m A,   m = (a^2 + b^2)/2,
///     Theta <- Theta (m - (a-b)^2/(2 pi) theta)
/// In normalised form only s = (a-b)^2 / (a^2+b^2) remains (0: linear, 1: ReLU, 2: absolute value):
///     u' = u - s h/pi,   t' = t (1 - s theta/pi) = t du'/du.
#pragma once

#include "layers/arc_cosine.hpp"

namespace ntkrob::layers {

/// Slopes: a layer with static double negative(params), positive(params), not both 0.
template <class Slopes>
struct AbReluFamily {
  static constexpr Law kLaw = Law::needs_gaussian;
  static constexpr int kCoefficients = 1;  // s

  NTKROB_HD static double half_square(const double* params) {
    const double a = Slopes::negative(params), b = Slopes::positive(params);
    return (a * a + b * b) / 2;
  }

  NTKROB_HD static Variance sample(Variance in, const double* params, double* c, double* dc) {
    const double m = half_square(params), difference = Slopes::negative(params) - Slopes::positive(params);
    c[0] = difference * difference / (2 * m);
    dc[0] = 0;
    return {m * in.a, m * in.da};
  }
  NTKROB_HD static SelfState self(SelfState in, const double* params) {
    const double m = half_square(params);
    return {m * in.a, m * in.t, m * in.da, m * in.dt};
  }

  template <class S>
  static Covariance<S> textbook(Covariance<S> in, const double* params) {
    const double pi = 3.14159265358979323846, difference = Slopes::negative(params) - Slopes::positive(params);
    const S f(difference * difference / (2 * pi)), m(half_square(params));
    const S root = sqrt_or_zero(in.a * in.b - in.q * in.q);
    const S d = m - f * angle(root, in.q);
    return {f * root + d * in.q, in.t * d, m * in.a, m * in.b};
  }

  /// du'/du and u'.
  template <class V>
  struct Bend {
    V gain, u;
    NTKROB_HD Bend(V gap, V s) {
      const Arc<V> arc(gap);
      const V turn = s * arc.angle, loss = s * arc.h, rest = V(1) - s;
      gain = select_greater(gap, V(1), rest + turn, V(1) - turn);
      u = select_greater(gap, V(1), ((V(2) - s) - rest * arc.w) - loss, arc.w - loss);
    }
  };

  template <class V>
  NTKROB_HD static void value(PairValue<V>& s, const V* x, const V*) {
    const Bend<V> bend(s.u, x[0]);
    s.t = bend.gain * s.t;
    s.u = bend.u;
  }

  template <class V>
  NTKROB_HD static void gradient(PairGradient<V>& s, const V* x, const V*, const V*) {
    const Bend<V> bend(s.u, x[0]);
    const V slope = s.t * (x[0] * arc_slope(s.u));
    s.dt = fma(bend.gain, s.dt, -(slope * s.du));
    s.et = fma(bend.gain, s.et, -(slope * s.eu));
    s.du = bend.gain * s.du;
    s.eu = bend.gain * s.eu;
    s.t = bend.gain * s.t;
    s.u = bend.u;
  }
};

/// b > 0 is no restriction: (a, b), (b, a) and (-a, -b) have the same kernel.
struct AbRelu : AbReluFamily<AbRelu> {
  static constexpr int kParameterCount = 2;
  static constexpr LayerParameter kParameters[kParameterCount] = {{"a", 0, -1e6, 1e6}, {"b", 1, 1e-6, 1e6}};
  NTKROB_HD static double negative(const double* params) { return params[0]; }
  NTKROB_HD static double positive(const double* params) { return params[1]; }
};

}  // namespace ntkrob::layers
