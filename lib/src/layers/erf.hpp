/// a erf(b x) + c: the arc-sine kernel (Williams 1997).
///
///     q <- (2 a^2/pi) arcsin( h q / sqrt((1+hA)(1+hB)) ) + c^2,   h = 2 b^2,
///     Theta <- Theta (2 a^2/pi) h / sqrt((1+hA)(1+hB) - h^2 q^2)
/// In normalised form with the angles of arc_sine.hpp, k = sqrt(2 a^2/(pi A')), p = k sqrt(psi), o = c/sqrt(A'), where
/// (p, o) is a unit vector:
///     u' = k_x k_y (fall + sqrt(psi_x psi_y) - arcsin R) + ((p_x - p_y)^2 + (o_x - o_y)^2)/2,
///     sqrt(psi_x psi_y) - arcsin R = spread - (sqrt(psi_x) - sqrt(psi_y))^2/2,   t' = t k_x k_y R / cos beta.
#pragma once

#include "layers/arc_sine.hpp"
#include "layers/smooth.hpp"

namespace ntkrob::layers {

struct Erf : Smooth<Erf> {
  static constexpr int kCoefficients = 6;  // s, c, cos psi, sqrt(psi), k, o
  static constexpr int kParameterCount = 3;
  static constexpr LayerParameter kParameters[kParameterCount] = {
      {"a", 1, 1e-6, 1e6}, {"b", 1, 1e-6, 1e6}, {"c", 0, -1e6, 1e6}};

  /// 2 a^2 / pi and 2 b^2.
  NTKROB_HD static double height(const double* params) { return 0.63661977236758134308 * params[0] * params[0]; }
  NTKROB_HD static double width(const double* params) { return 2 * params[1] * params[1]; }

  template <class N>
  NTKROB_HD static N coefficients(N a, const double* params, N* c) {
    const auto angles = ArcSineSample<N>::of(N(width(params)) * a);
    const N variance = N(height(params)) * angles.psi + N(params[2] * params[2]);
    c[0] = angles.s;
    c[1] = angles.c;
    c[2] = angles.cos_psi;
    c[3] = sqrt(angles.psi);
    c[4] = sqrt(N(height(params)) / variance);
    c[5] = N(params[2]) / sqrt(variance);
    return variance;
  }

  template <class N>
  NTKROB_HD static N slope(N a, const double* params) {
    return N(height(params) * width(params)) / sqrt(N(1) + N(2 * width(params)) * a);
  }

  template <class N>
  NTKROB_HD static void pair(N& u, N& t, const N* x, const N* y) {
    const ArcSinePair<N> angles(u, x, y);
    const N k = x[4] * y[4], product = x[3] * y[3], d_root = x[3] - y[3], half_square = N(0.5) * (d_root * d_root);
    const N mismatch =
        select_greater(N(0.25) * product, half_square, angles.spread - half_square, product - angles.one);
    const N dp = x[4] * x[3] - y[4] * y[3], d_o = x[5] - y[5];
    t = k * (angles.r / angles.cos_beta) * t;
    u = k * (angles.fall + mismatch) + N(0.5) * (dp * dp + d_o * d_o);
  }

  template <class S>
  static Covariance<S> textbook(Covariance<S> in, const double* params) {
    const S k(height(params)), h(width(params)), c2(params[2] * params[2]), right(1.57079632679489661923);
    const S q = h * in.q, a = h * in.a, b = h * in.b, one(1);
    const S root = sqrt_or_zero((one + a) * (one + b) - q * q);
    const auto variance = [&](S v) { return k * angle(v, sqrt_or_zero(one + v + v)) + c2; };
    return {k * (right - angle(root, q)) + c2, in.t * k * h / root, variance(a), variance(b)};
  }
};

}  // namespace ntkrob::layers
