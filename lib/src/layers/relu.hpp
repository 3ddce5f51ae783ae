/// ReLU: the arc-cosine kernels of order 0 and 1 (Cho & Saul 2009).
///
///     q <- ( sqrt(ab - q^2) + (pi - theta) q ) / 2 pi,   a <- a/2,   Theta <- Theta (pi - theta) / 2 pi,   cos theta =
///     q / sqrt(ab)
///
/// In normalised form, with u = 1 - cos theta and h(u) = sin theta - theta cos theta:
///     u' = u - h/pi,   t' = t (1 - theta/pi),   du'/du = 1 - theta/pi,   dt'/du = -t / (pi sin theta).
#pragma once

#include "layers/arc_cosine.hpp"

namespace ntkrob::layers {

struct Relu {
  static constexpr Law kLaw = Law::needs_gaussian;
  static constexpr int kCoefficients = 0;
  static constexpr int kParameterCount = 0;
  static constexpr const LayerParameter* kParameters = nullptr;

  NTKROB_HD static Variance sample(Variance in, const double*, double*, double*) { return {in.a / 2, in.da / 2}; }
  NTKROB_HD static SelfState self(SelfState in, const double*) { return {in.a / 2, in.t / 2, in.da / 2, in.dt / 2}; }

  template <class S>
  static Covariance<S> textbook(Covariance<S> in, const double*) {
    const double pi = 3.14159265358979323846;
    const S root = sqrt_or_zero(in.a * in.b - in.q * in.q);
    const S theta = angle(root, in.q);
    const S k0 = (S(pi) - theta) * S(0.5 / pi);
    return {root * S(0.5 / pi) + k0 * in.q, in.t * k0, S(0.5) * in.a, S(0.5) * in.b};
  }

  /// 1 - theta/pi, and u'.
  template <class V>
  struct Angle {
    V k0, u;
    NTKROB_HD explicit Angle(V gap) {
      const Arc<V> arc(gap);
      k0 = select_greater(gap, V(1), arc.angle, V(1) - arc.angle);
      u = select_greater(gap, V(1), V(1) - arc.h, arc.w - arc.h);
    }
  };

  template <class V>
  NTKROB_HD static void value(PairValue<V>& s, const V*, const V*) {
    const Angle<V> angle(s.u);
    s.t = angle.k0 * s.t;
    s.u = angle.u;
  }

  template <class V>
  NTKROB_HD static void gradient(PairGradient<V>& s, const V*, const V*, const V*) {
    const Angle<V> angle(s.u);
    const V slope = s.t * arc_slope(s.u);
    s.dt = fma(angle.k0, s.dt, -(slope * s.du));
    s.et = fma(angle.k0, s.et, -(slope * s.eu));
    s.du = angle.k0 * s.du;
    s.eu = angle.k0 * s.eu;
    s.t = angle.k0 * s.t;
    s.u = angle.u;
  }
};

}  // namespace ntkrob::layers
