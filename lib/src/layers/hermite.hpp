/// Normalised Hermite polynomial He_n(x) / sqrt(n!) (Daniely 2016), for any variance:
///
///     q <- sum over k = n, n-2, .. >= 0 of d_k(A) d_k(B) rho^k,   rho = q / sqrt(AB),
///     d_k(A) = sqrt(n! / k!) / (2^j j!) A^(k/2) (A - 1)^j,   j = (n-k)/2,      Theta <- Theta dq(new)/dq,
/// from the expansion of He_n(sqrt(A) z) in Hermite polynomials of z. At variance 1 (behind a layernorm) only k = n
/// remains: q <- q^n. In normalised form, with e_k = d_k / sqrt(sum of d_k^2) and v = 1 - u:
///     u' = sum of (e_k^x - e_k^y)^2 / 2 + u sum of e_k^x e_k^y (1 + v + .. + v^(k-1)),   t' = t sum of k e_k^x e_k^y
///     v^(k-1).
#pragma once

#include <cmath>

#include "layers/smooth.hpp"

namespace ntkrob::layers {

struct Hermite : Smooth<Hermite> {
  static constexpr int kMaxDegree = 8;
  static constexpr int kCoefficients = kMaxDegree + 1;  // e_0 .. e_8
  static constexpr int kParameterCount = 1;
  static constexpr LayerParameter kParameters[kParameterCount] = {{"degree", 2, 1, kMaxDegree, true}};

  /// sqrt(n! / k!) / (2^j j!), j = (n-k)/2.
  NTKROB_HD static double factor(int n, int k) {
    double product = 1;
    for (int i = k + 1; i <= n; ++i) product *= i;
    product = std::sqrt(product);
    for (int j = 1; j <= (n - k) / 2; ++j) product /= 2 * j;
    return product;
  }
  template <class N>
  NTKROB_HD static N power(N x, int n) {
    N product(1);
    for (int k = 0; k < n; ++k) product = product * x;
    return product;
  }
  /// d_k(A) for k = 0 .. n; root = sqrt(A).
  template <class N>
  NTKROB_HD static void expand(N a, N root, int n, N* d) {
    for (int k = 0; k <= kMaxDegree; ++k) d[k] = N(0);
    for (int k = n; k >= 0; k -= 2) d[k] = N(factor(n, k)) * power(root, k) * power(a - N(1), (n - k) / 2);
  }
  /// Sum of their squares, without roots: its derivative exists at A = 0.
  template <class N>
  NTKROB_HD static N square(N a, int n) {
    N sum(0);
    for (int k = n; k >= 0; k -= 2) sum = sum + N(factor(n, k) * factor(n, k)) * power(a, k) * power(a - N(1), n - k);
    return sum;
  }

  template <class N>
  NTKROB_HD static N coefficients(N a, const double* params, N* c) {
    const int n = static_cast<int>(params[0]);
    const N sum = square(a, n), norm = sqrt(sum);
    expand(a, sqrt(a), n, c);
    for (int k = 0; k < kCoefficients; ++k) c[k] = c[k] / norm;
    return sum;
  }

  /// phi' = sqrt(n) times the polynomial of degree n - 1.
  template <class N>
  NTKROB_HD static N slope(N a, const double* params) {
    return N(params[0]) * square(a, static_cast<int>(params[0]) - 1);
  }

  template <class N>
  NTKROB_HD static void pair(N& u, N& t, const N* x, const N* y) {
    const N v = N(1) - u;
    N mismatch(0), tail(0), sum(0), gain(0);
#pragma unroll  // for devices: arrays with constant places lie in registers
    for (int k = kMaxDegree; k > 0; --k) {
      const N d = x[k] - y[k], product = x[k] * y[k];
      mismatch = mismatch + d * d;
      tail = tail + product;  // of all powers that v^(k-1) is a part of
      sum = sum * v + tail;
      gain = gain * v + N(k) * product;
    }
    const N constant = x[0] - y[0];
    mismatch = mismatch + constant * constant;
    u = N(0.5) * mismatch + u * sum;
    t = gain * t;
  }

  template <class S>
  static Covariance<S> textbook(Covariance<S> in, const double* params) {
    const int n = static_cast<int>(params[0]);
    const S ra = sqrt_or_zero(in.a), rb = sqrt_or_zero(in.b);
    S x[kCoefficients], y[kCoefficients], q(0), slope(0);
    expand(in.a, ra, n, x);
    expand(in.b, rb, n, y);
    const S scale = ra * rb;
    const S rho = scale.v > 0 ? in.q / scale : S(0);
    const S by_q = scale.v > 0 ? S(1) / scale : S(0);
    for (int k = n; k >= 0; --k) {
      q = q * rho + x[k] * y[k];
      if (k > 0) slope = slope * rho + S(k) * x[k] * y[k];
    }
    return {q, in.t * slope * by_q, square(in.a, n), square(in.b, n)};
  }
};

}  // namespace ntkrob::layers
