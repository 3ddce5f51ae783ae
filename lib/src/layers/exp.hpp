/// a exp(b x) (Han 2022; moments of the log-normal distribution).
///
///     q <- a^2 exp(b^2 ((A+B)/2 + q)),   Theta <- Theta b^2 q(new)
/// In normalised form with m = b sqrt(A): u' = -expm1(-P), P = (m_x - m_y)^2/2 + m_x m_y u;   t' = t m_x m_y exp(-P).
#pragma once

#include "layers/smooth.hpp"

namespace ntkrob::layers {

struct Exp : Smooth<Exp> {
  static constexpr int kCoefficients = 1;  // m
  static constexpr int kParameterCount = 2;
  static constexpr LayerParameter kParameters[kParameterCount] = {{"a", 1, 1e-6, 1e6}, {"b", 1, 1e-6, 1e6}};

  template <class N>
  NTKROB_HD static N coefficients(N a, const double* params, N* c) {
    c[0] = N(params[1]) * sqrt(a);
    return N(params[0] * params[0]) * (N(1) + expm1(N(2 * params[1] * params[1]) * a));
  }

  template <class N>
  NTKROB_HD static N slope(N a, const double* params) {
    N unused[1];
    return N(params[1] * params[1]) * coefficients(a, params, unused);
  }

  template <class N>
  NTKROB_HD static void pair(N& u, N& t, const N* x, const N* y) {
    const N d = x[0] - y[0], z = x[0] * y[0];
    const N fall = expm1(-(N(0.5) * (d * d) + z * u));
    t = z * (N(1) + fall) * t;
    u = -fall;
  }

  template <class S>
  static Covariance<S> textbook(Covariance<S> in, const double* params) {
    const S a2(params[0] * params[0]), b2(params[1] * params[1]);
    const S q = a2 * exp(b2 * (S(0.5) * (in.a + in.b) + in.q));
    return {q, in.t * b2 * q, a2 * exp(S(2) * b2 * in.a), a2 * exp(S(2) * b2 * in.b)};
  }
};

}  // namespace ntkrob::layers
