/// The identity.
#pragma once

#include "ntkrob/layers/layer.hpp"

namespace ntkrob::layers {

struct Identity {
  static constexpr Law kLaw = Law::keeps;
  static constexpr int kCoefficients = 0;
  static constexpr int kParameterCount = 0;
  static constexpr const LayerParameter* kParameters = nullptr;

  NTKROB_HD static Variance sample(Variance in, const double*, double*, double*) { return in; }
  NTKROB_HD static SelfState self(SelfState in, const double*) { return in; }
  template <class S>
  static Covariance<S> textbook(Covariance<S> in, const double*) {
    return in;
  }
  template <class V>
  NTKROB_HD static void value(PairValue<V>&, const V*, const V*) {}
  template <class V>
  NTKROB_HD static void gradient(PairGradient<V>&, const V*, const V*, const V*) {}
};

}  // namespace ntkrob::layers
