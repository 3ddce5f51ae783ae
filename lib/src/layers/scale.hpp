/// x -> a x: q <- a^2 q, Theta <- a^2 Theta (Novak 2020). Weighs a branch, as residual nets do, and as a concatenation
/// does with its shares of the channels. Gap and normalised tangent kernel stay as they are.
#pragma once

#include "ntkrob/layers/layer.hpp"

namespace ntkrob::layers {

struct Scale {
  static constexpr Law kLaw = Law::keeps;
  static constexpr int kCoefficients = 0;
  static constexpr int kParameterCount = 1;
  static constexpr LayerParameter kParameters[kParameterCount] = {{"a", 1, 1e-6, 1e6}};

  NTKROB_HD static Variance sample(Variance in, const double* params, double*, double*) {
    const double square = params[0] * params[0];
    return {square * in.a, square * in.da};
  }
  NTKROB_HD static SelfState self(SelfState in, const double* params) {
    const double square = params[0] * params[0];
    return {square * in.a, square * in.t, square * in.da, square * in.dt};
  }
  template <class S>
  static Covariance<S> textbook(Covariance<S> in, const double* params) {
    const S square(params[0] * params[0]);
    return {square * in.q, square * in.t, square * in.a, square * in.b};
  }
  template <class V>
  NTKROB_HD static void value(PairValue<V>&, const V*, const V*) {}
  template <class V>
  NTKROB_HD static void gradient(PairGradient<V>&, const V*, const V*, const V*) {}
};

}  // namespace ntkrob::layers
