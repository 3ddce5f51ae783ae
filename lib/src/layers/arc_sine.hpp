/// beta = arcsin(s_x s_y cos theta) for two samples, as differences of angles that do not cancel: for erf and gelu.
///
/// A sample of variance a (in units of the activation) has s = sqrt(a/(1+a)), c = sqrt(1/(1+a)) and psi = arcsin(s^2),
/// cos psi = sqrt(1+2a)/(1+a). With R = s_x s_y, all through tan((p - q)/2) = (sin p - sin q) / (cos p + cos q):
///     fall  = arcsin R - beta              = 2 atan( R u / (cos arcsin R + cos beta) )
///     spread = (psi_x + psi_y)/2 - arcsin R = 2 atan( E / (cos m + cos arcsin R) ),  m = (psi_x + psi_y)/2,
///     E = sin m - R = (s_x^2 + s_y^2)/2 (1/cos delta - 1) + (s_x - s_y)^2 / 2,       delta = (psi_x - psi_y)/2
/// and 1 - R = (c_x^2 + c_y^2 + (s_x - s_y)^2)/2.
#pragma once

#include "ntkrob/layers/layer.hpp"

namespace ntkrob::layers {

template <class N>
struct ArcSineSample {
  N s, c, cos_psi, psi;

  NTKROB_HD static ArcSineSample of(N a) {
    const N one = N(1) + a, root = sqrt(one + a);
    return {sqrt(a / one), N(1) / sqrt(one), root / one, atan(a / root)};
  }
};

template <class N>
struct ArcSinePair {
  N r, cos_one, cos_beta, one, fall, spread, beta;  // R, cos arcsin R, cos beta, arcsin R, and the angles above

  /// s, c, cos psi of either sample.
  NTKROB_HD ArcSinePair(N u, const N* x, const N* y) {
    r = x[0] * y[0];
    const N ds = x[0] - y[0], half(0.5);
    const N low = half * (x[1] * x[1] + y[1] * y[1] + ds * ds);  // 1 - R
    cos_one = sqrt(low * (N(1) + r));
    cos_beta = sqrt((low + r * u) * (low + r * (N(2) - u)));
    one = atan(r / cos_one);
    fall = N(2) * atan(r * u / (cos_one + cos_beta));
    beta = one - fall;
    const N d_sin = ds * (x[0] + y[0]), d_cos = x[2] - y[2];
    const N sin2 = N(0.25) * (d_sin * d_sin + d_cos * d_cos), cos_delta = sqrt(N(1) - sin2);
    const N excess = sin2 / (cos_delta * (N(1) + cos_delta));
    const N e = half * ((x[0] * x[0] + y[0] * y[0]) * excess + ds * ds);
    spread = N(2) * atan(e / (half * (x[2] + y[2]) / cos_delta + cos_one));
  }
};

}  // namespace ntkrob::layers
