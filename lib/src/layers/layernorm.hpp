/// Layer normalisation over the features, in the limit of infinite width, where the mean is 0 (Lee 2019; Novak 2020):
///
///     q <- q / sqrt((a + eps)(b + eps)),   Theta likewise,   a <- a / (a + eps).
///
/// Gap and normalised tangent kernel stay as they are: only the variance changes.
#pragma once

#include "ntkrob/layers/layer.hpp"

namespace ntkrob::layers {

struct LayerNorm {
  static constexpr Law kLaw = Law::keeps;
  static constexpr int kCoefficients = 0;
  static constexpr int kParameterCount = 1;
  static constexpr LayerParameter kParameters[kParameterCount] = {{"eps", 1e-12, 1e-30, 1e6}};

  NTKROB_HD static Variance sample(Variance in, const double* params, double*, double*) {
    const double sum = in.a + params[0];
    return {in.a / sum, in.da * (params[0] / sum / sum)};
  }
  NTKROB_HD static SelfState self(SelfState in, const double* params) {
    const double sum = in.a + params[0];
    return {in.a / sum, in.t / sum, in.da * (params[0] / sum / sum), (in.dt - in.t * (in.da / sum)) / sum};
  }
  template <class S>
  static Covariance<S> textbook(Covariance<S> in, const double* params) {
    const S a = in.a + S(params[0]), b = in.b + S(params[0]), root = sqrt_or_zero(a * b);
    return {in.q / root, in.t / root, in.a / a, in.b / b};
  }
  template <class V>
  NTKROB_HD static void value(PairValue<V>&, const V*, const V*) {}
  template <class V>
  NTKROB_HD static void gradient(PairGradient<V>&, const V*, const V*, const V*) {}
};

}  // namespace ntkrob::layers
