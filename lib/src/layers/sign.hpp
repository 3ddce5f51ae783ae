/// sign: the arc-cosine kernel of order 0 (Cho & Saul 2009), q <- 1 - 2 theta/pi = (2/pi) arcsin(cos theta), a <- 1.
///
/// The derivative of sign is 0 almost everywhere and counts as 0: Theta <- 0. This is the tangent kernel of a finite
/// net whose gradients are computed by the chain rule: only the layers behind the last sign are trained. The covariance
/// (NNGP) has a full derivative with respect to the inputs. A zero sample counts as a very small one: a <- 1.
#pragma once

#include "layers/arc_cosine.hpp"

namespace ntkrob::layers {

struct Sign {
  static constexpr Law kLaw = Law::needs_gaussian;
  static constexpr int kCoefficients = 0;
  static constexpr int kParameterCount = 0;
  static constexpr const LayerParameter* kParameters = nullptr;

  NTKROB_HD static Variance sample(Variance, const double*, double*, double*) { return {1, 0}; }
  NTKROB_HD static SelfState self(SelfState, const double*) { return {1, 0, 0, 0}; }

  template <class S>
  static Covariance<S> textbook(Covariance<S> in, const double*) {
    const S theta = angle(sqrt_or_zero(in.a * in.b - in.q * in.q), in.q);
    return {S(1) - S(0.63661977236758134308) * theta, S(0), S(1), S(1)};
  }

  /// u' = 2 theta/pi.
  template <class V>
  NTKROB_HD static V turn(V gap) {
    const Arc<V> arc(gap);
    const V twice = V(2) * arc.angle;
    return select_greater(gap, V(1), V(2) - twice, twice);
  }

  template <class V>
  NTKROB_HD static void value(PairValue<V>& s, const V*, const V*) {
    s.u = turn(s.u);
    s.t = V(0);
  }

  template <class V>
  NTKROB_HD static void gradient(PairGradient<V>& s, const V*, const V*, const V*) {
    const V slope = V(2) * arc_slope(s.u);
    s.du = slope * s.du;
    s.eu = slope * s.eu;
    s.dt = s.et = s.t = V(0);
    s.u = turn(s.u);
  }
};

}  // namespace ntkrob::layers
