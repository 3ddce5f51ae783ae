/// Dropout while training: every unit is kept with probability r and then multiplied by 1/r, independently in every
/// sample (Schoenholz 2017; conventions of neural_tangents, where `rate` is the share that is kept).
///
///     q <- q,   Theta <- Theta,   A <- A / r    between different samples;
///     both divided by r between a sample and itself, whose masks are one: k(x, x) is not the limit of k(x, y).
///
/// In normalised form u' = 1 - r + r u and t' = r t. Pairs of one sample go through self().
#pragma once

#include <cmath>

#include "ntkrob/layers/layer.hpp"

namespace ntkrob::layers {

struct Dropout {
  static constexpr Law kLaw = Law::adds_noise;
  static constexpr int kCoefficients = 1;  // sqrt(r)
  static constexpr int kParameterCount = 1;
  static constexpr LayerParameter kParameters[kParameterCount] = {{"rate", 0.9, 1e-3, 1}};

  NTKROB_HD static Variance sample(Variance in, const double* params, double* c, double* dc) {
    c[0] = std::sqrt(params[0]);
    dc[0] = 0;
    return {in.a / params[0], in.da / params[0]};
  }
  NTKROB_HD static SelfState self(SelfState in, const double* params) {
    return {in.a / params[0], in.t / params[0], in.da / params[0], in.dt / params[0]};
  }
  template <class S>
  static Covariance<S> textbook(Covariance<S> in, const double* params) {
    return {in.q, in.t, in.a / S(params[0]), in.b / S(params[0])};
  }
  template <class V>
  NTKROB_HD static void value(PairValue<V>& s, const V* x, const V* y) {
    const V rate = x[0] * y[0];
    s.u = fma(rate, s.u, V(1) - rate);
    s.t = rate * s.t;
  }
  template <class V>
  NTKROB_HD static void gradient(PairGradient<V>& s, const V* x, const V*, const V* y) {
    const V rate = x[0] * y[0];
    s.u = fma(rate, s.u, V(1) - rate);
    s.t = rate * s.t;
    s.du = rate * s.du;
    s.dt = rate * s.dt;
    s.eu = rate * s.eu;
    s.et = rate * s.et;
  }
};

}  // namespace ntkrob::layers
