/// gelu, x Phi(x) with the exact normal distribution function (Tsuchida 2021; derived by Stein's identity):
///
///     q <- q/4 + ( q beta + (AB + q^2 (1/(1+A) + 1/(1+B) - 1)) / sqrt(N) ) / 2 pi,
///     Theta <- Theta ( 1/4 + ( beta + q/sqrt(N) (1/(1+A) + 1/(1+B) + 1/N) ) / 2 pi ),
///     N = (1+A)(1+B) - q^2,   beta = arcsin( q / sqrt((1+A)(1+B)) )
/// In normalised form with the angles of arc_sine.hpp, z = sqrt(AB), y = u (2-u), k = c_x^2 + c_y^2:
///     angular:  z/sqrt(A'B') ( u/4 + ( fall + u beta + y (k R^3/(C cos beta (C + cos beta)) + (k-1) R/cos beta) ) / 2
///     pi ),
///               C = cos arcsin R;
///     mismatch: ( (A'+B')/2 - E[phi phi at theta = 0] - (sqrt(A')-sqrt(B'))^2/2 ) / sqrt(A'B') term by term where the
///               variances are close.
#pragma once

#include "layers/arc_sine.hpp"
#include "layers/smooth.hpp"

namespace ntkrob::layers {

struct Gelu : Smooth<Gelu> {
  static constexpr int kCoefficients = 9;  // s, c, cos psi, psi, sqrt(A), 1/sqrt(A), sqrt(A'), 1/sqrt(A'), 1/sqrt(1+2A)
  static constexpr int kParameterCount = 0;
  static constexpr const LayerParameter* kParameters = nullptr;
  static constexpr double kInverseTwoPi = 0.15915494309189533577;

  template <class N>
  NTKROB_HD static N coefficients(N a, const double*, N* c) {
    const auto angles = ArcSineSample<N>::of(a);
    c[0] = angles.s;
    c[1] = angles.c;
    c[2] = angles.cos_psi;
    c[3] = angles.psi;
    c[4] = sqrt(a);
    c[5] = N(1) / c[4];
    c[8] = N(1) / sqrt(N(1) + N(2) * a);
    const N variance = a * (N(0.25) + N(kInverseTwoPi) * (angles.psi + N(2) * a / (N(1) + a) * c[8]));
    c[6] = sqrt(variance);
    c[7] = N(1) / c[6];
    return variance;
  }

  template <class N>
  NTKROB_HD static N slope(N a, const double*) {
    const N one = N(1) + a, two = one + a, root = sqrt(two);
    return N(0.25) + N(kInverseTwoPi) * (atan(a / root) + a / root * (N(2) / one + N(1) / two));
  }

  /// ( (A'+B')/2 - E at theta = 0 ) / sqrt(AB): terms of second order in the difference of the variances.
  template <class N>
  NTKROB_HD static N spread(const ArcSinePair<N>& angles, const N* x, const N* y) {
    const N d = x[4] - y[4], sum = x[4] + y[4], z = x[4] * y[4];
    const N dx = d * x[5], dy = d * y[5], gap = N(0.5) * (dx * dy);
    const N n1 = x[1] * y[1] / angles.cos_one;  // 1/sqrt(1+A+B)
    // z (1/sqrt(1+2A) - 1/sqrt(1+A+B)) and its mirror image.
    const N rx = x[8] * n1, ry = y[8] * n1, ab = d * sum;
    const N fx = z * rx * (ab * rx) / (x[8] + n1), fy = z * ry * (ab * ry) / (y[8] + n1);
    const N at_x = x[1] * x[1] * (dy * (x[4] * sum * x[8]) - fx), at_y = y[1] * y[1] * (fy - dx * (y[4] * sum * y[8]));
    const N turn = N(0.25) * (dy * (sum * x[5])) * (x[3] - y[3]);
    return N(0.25) * gap + N(kInverseTwoPi) * (angles.spread + N(0.5) * (gap * (x[3] + y[3])) + turn + (at_x + at_y));
  }

  template <class N>
  NTKROB_HD static void pair(N& u, N& t, const N* x, const N* y) {
    const ArcSinePair<N> angles(u, x, y);
    const N k = (x[4] * x[7]) * (y[4] * y[7]), cc = x[1] * x[1] + y[1] * y[1], quarter(0.25), scale(kInverseTwoPi);
    const N &r = angles.r, &c1 = angles.cos_one, &c = angles.cos_beta, rc = r / c;
    const N bend = cc * (rc * (r * r / (c1 * (c1 + c)))) + (cc - N(1)) * rc;
    const N angular = quarter * u + scale * (angles.fall + u * angles.beta + u * (N(2) - u) * bend);
    const N dg = x[6] - y[6], half_square = N(0.5) * ((dg * x[7]) * (dg * y[7]));
    const N plain = N(1) - k * (quarter + scale * (angles.one + r / c1 * cc));
    const N mismatch = select_greater(quarter, half_square, k * spread(angles, x, y) - half_square, plain);
    const N inverse = x[1] * y[1] / c;  // 1/sqrt(N)
    t = k * (quarter + scale * (angles.beta + rc * (N(1) - u) * (cc + inverse * inverse))) * t;
    u = k * angular + mismatch;
  }

  template <class S>
  static Covariance<S> textbook(Covariance<S> in, const double*) {
    const S one(1), quarter(0.25), scale(kInverseTwoPi), right(1.57079632679489661923);
    const auto covariance = [&](S q, S a, S b) {
      const S sa = one + a, sb = one + b, root = sqrt_or_zero(sa * sb - q * q);
      const S k = one / sa + one / sb - one;
      return quarter * q + scale * (q * (right - angle(root, q)) + (a * b + q * q * k) / root);
    };
    const S sa = one + in.a, sb = one + in.b, n = sa * sb - in.q * in.q, root = sqrt_or_zero(n);
    const S slope = quarter + scale * (right - angle(root, in.q) + in.q / root * (one / sa + one / sb + one / n));
    return {covariance(in.q, in.a, in.b), in.t * slope, covariance(in.a, in.a, in.a), covariance(in.b, in.b, in.b)};
  }
};

}  // namespace ntkrob::layers
