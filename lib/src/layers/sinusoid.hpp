/// a sin(b x + c) and a cos(b x + c) (Pearce 2020; Louart 2018).
///
///     q <- a^2/2 ( exp(-b^2 ((A+B)/2 - q)) - cos(2c) exp(-b^2 ((A+B)/2 + q)) ),
///     Theta <- Theta a^2 b^2/2 ( exp(-b^2 ((A+B)/2 - q)) + cos(2c) exp(-b^2 ((A+B)/2 + q)) )        for sin;
/// cos(x) = sin(x + pi/2) turns the sign of cos(2c), called g below. With m = b sqrt(A), z = m_x m_y, r = sqrt(1 - g
/// exp(-2 m^2)), P = (m_x - m_y)^2/2, e = exp(-m^2):
///     angular:  -exp(-P) expm1(-z u) ( 1 + g + g expm1(-z (2-u)) ) / (r_x r_y),
///     mismatch: 1 - exp(-P) ( 1 - g - g expm1(-2 z) ) / (r_x r_y), or where the variances are close
///               ( -expm1(-P) (1 + g exp(-P-2z)) - g (e_x - e_y)^2/2 - (r_x - r_y)^2/2 ) / (r_x r_y),
///     t' = t z exp(-P) ( exp(-z u) + g exp(-z (2-u)) ) / (r_x r_y).
#pragma once

#include "layers/smooth.hpp"

namespace ntkrob::layers {

/// sign = 1: sin, -1: cos.
template <int sign>
struct Sinusoid : Smooth<Sinusoid<sign>> {
  static constexpr int kCoefficients = 7;  // m, r, 1/r, e, g, 1 + g, 1 - g
  static constexpr int kParameterCount = 3;
  static constexpr LayerParameter kParameters[kParameterCount] = {
      {"a", 1, 1e-6, 1e6}, {"b", 1, 1e-6, 1e6}, {"c", 0, -1e6, 1e6}};

  /// 1 + g and 1 - g.
  NTKROB_HD static double plus(const double* params) {
    const double f = sign > 0 ? std::cos(params[2]) : std::sin(params[2]);
    return 2 * f * f;
  }
  NTKROB_HD static double minus(const double* params) {
    const double f = sign > 0 ? std::sin(params[2]) : std::cos(params[2]);
    return 2 * f * f;
  }
  NTKROB_HD static double g(const double* params) { return sign * std::cos(2 * params[2]); }

  template <class N>
  NTKROB_HD static N coefficients(N a, const double* params, N* c) {
    const N square = N(params[1] * params[1]) * a;
    const N unit = N(minus(params)) - N(g(params)) * expm1(N(-2) * square);
    c[0] = N(params[1]) * sqrt(a);
    c[1] = sqrt(unit);
    c[2] = N(1) / c[1];
    c[3] = N(1) + expm1(-square);
    c[4] = N(g(params));
    c[5] = N(plus(params));
    c[6] = N(minus(params));
    return N(params[0] * params[0] / 2) * unit;
  }

  template <class N>
  NTKROB_HD static N slope(N a, const double* params) {
    const double ab = params[0] * params[1];
    return N(ab * ab / 2) * (N(plus(params)) + N(g(params)) * expm1(N(-2 * params[1] * params[1]) * a));
  }

  template <class N>
  NTKROB_HD static void pair(N& u, N& t, const N* x, const N* y) {
    const N z = x[0] * y[0], g = x[4], inverse = x[2] * y[2];
    const N dm = x[0] - y[0], dr = x[1] - y[1], de = x[3] - y[3], half(0.5);
    const N off = expm1(-(half * (dm * dm))), level = N(1) + off;  // exp(-P) - 1, exp(-P)
    const N near = expm1(-(z * u)), far = expm1(-(z * (N(2) - u))), both = expm1(N(-2) * z);
    const N angular = -(level * near * (x[5] + g * far));
    const N close = -(off * (N(1) + g * (level * (N(1) + both)))) - half * (g * (de * de) + dr * dr);
    const N product = x[1] * y[1];
    const N mismatch = select_greater(product, N(2) * (dr * dr), close, product - level * (x[6] - g * both));
    t = (x[0] * x[2]) * (y[0] * y[2]) * (level * (x[5] + near + g * far)) * t;
    u = (angular + mismatch) * inverse;
  }

  template <class S>
  static Covariance<S> textbook(Covariance<S> in, const double* params) {
    const S b2(params[1] * params[1]), half(0.5), amplitude(params[0] * params[0] / 2), gs(g(params));
    const S mean = half * (in.a + in.b);
    const S minus = exp(b2 * (in.q - mean)), plus = exp(S(0) - b2 * (in.q + mean));
    const auto variance = [&](S a) { return amplitude * (S(1) - gs * exp(S(-2) * b2 * a)); };
    return {amplitude * (minus - gs * plus), in.t * amplitude * b2 * (minus + gs * plus), variance(in.a),
            variance(in.b)};
  }
};

}  // namespace ntkrob::layers
