/// a exp(b x^2), for b < 0 the bell of a radial basis function (Williams 1997).
///
///     q <- a^2/sqrt(N),   Theta <- Theta 4 b^2 q a^2/N^(3/2),   N = (1 - 2bA)(1 - 2bB) - 4 b^2 q^2
/// In normalised form with n = sqrt(1 - 4bA), w = 2 |b| A/n:
///     E = (sqrt(n_x/n_y) - sqrt(n_y/n_x))^2/2 + w_x w_y u (2-u),
///     u' = E / (1 + E + sqrt(1 + E)),   t' = t w_x w_y (1-u) (1+E)^(-3/2).
/// For b > 0 the expectations exist only where 4bA < 1.
#pragma once

#include "layers/smooth.hpp"

namespace ntkrob::layers {

struct Gaussian : Smooth<Gaussian> {
  static constexpr int kCoefficients = 3;  // sqrt(n), 1/sqrt(n), w
  static constexpr int kParameterCount = 2;
  static constexpr LayerParameter kParameters[kParameterCount] = {{"a", 1, 1e-6, 1e6}, {"b", -1, -1e6, 1e6}};

  /// 1 - 4bA, checked.
  template <class N>
  static N spread(N a, const double* params) {
    NTKROB_CHECK(4 * params[1] * a.v < 1, NumericalError, "gaussian: the expectation of exp(2 b x^2), b = ", params[1],
                 ", is infinite at variance ", a.v, ", the limit is 1/(4b) = ", 1 / (4 * params[1]),
                 "; use a smaller b, or smaller w and b of the dense layer before it");
    return N(1) - N(4 * params[1]) * a;
  }

  template <class N>
  static N coefficients(N a, const double* params, N* c) {
    const N n = sqrt(spread(a, params));
    c[0] = sqrt(n);
    c[1] = N(1) / c[0];
    c[2] = N(2 * std::abs(params[1])) * a / n;
    return N(params[0] * params[0]) / n;
  }

  template <class N>
  static N slope(N a, const double* params) {
    const N square = spread(a, params);
    return N(4 * params[1] * params[1] * params[0] * params[0]) * a / (square * sqrt(square));
  }

  template <class N>
  NTKROB_HD static void pair(N& u, N& t, const N* x, const N* y) {
    const N d = x[0] * y[1] - y[0] * x[1], w = x[2] * y[2];
    const N e = N(0.5) * (d * d) + w * (u * (N(2) - u));
    const N one = N(1) + e, root = sqrt(one);
    t = (w / one) * ((N(1) - u) / root) * t;
    u = e / (one + root);
  }

  template <class S>
  static Covariance<S> textbook(Covariance<S> in, const double* params) {
    const S a2(params[0] * params[0]), c(-2 * params[1]), one(1), q = c * in.q;
    const S n = (one + c * in.a) * (one + c * in.b) - q * q, k = a2 / sqrt_or_zero(n);
    const auto variance = [&](S a) { return a2 / sqrt_or_zero(one + S(2) * c * a); };
    return {k, in.t * k * c * q / n, variance(in.a), variance(in.b)};
  }
};

}  // namespace ntkrob::layers
