/// x^n, from its expansion in Hermite polynomials (Daniely 2016; Han 2022).
///
///     q <- sum over j = n, n-2, .. >= 0 of h_j^2 j! q^j (AB)^((n-j)/2),   h_j = n! / ( j! ((n-j)/2)! 2^((n-j)/2) ),
///     Theta <- Theta dq(new)/dq,   A <- (2n-1)!! A^n
/// In normalised form, with w_j = h_j^2 j! / (2n-1)!! (their sum is 1), W_i = sum over j > i of w_j and v = 1 - u:
///     u' = u (W_0 + W_1 v + W_2 v^2 + ..),   t' = t sum of j w_j v^(j-1).
#pragma once

#include "layers/smooth.hpp"

namespace ntkrob::layers {

struct Monomial : Smooth<Monomial> {
  static constexpr int kMaxDegree = 6;
  static constexpr int kCoefficients = 2 * kMaxDegree;  // W_0 .. W_5, then j w_j for j = 1 .. 6
  static constexpr int kParameterCount = 1;
  static constexpr LayerParameter kParameters[kParameterCount] = {{"degree", 2, 1, kMaxDegree, true}};

  NTKROB_HD static int degree(const double* params) { return static_cast<int>(params[0]); }

  /// h_j^2 j!, 0 where n - j is odd.
  NTKROB_HD static double weight(int n, int j) {
    if ((n - j) % 2 != 0) return 0;
    double h = 1, factorial = 1;
    for (int k = j + 1; k <= n; ++k) h *= k;
    for (int k = 1; k <= (n - j) / 2; ++k) h /= 2 * k;
    for (int k = 2; k <= j; ++k) factorial *= k;
    return h * h * factorial;
  }
  /// (2n-1)!!
  NTKROB_HD static double height(int n) {
    double product = 1;
    for (int k = 1; k < 2 * n; k += 2) product *= k;
    return product;
  }
  template <class N>
  NTKROB_HD static N power(N a, int n) {
    N product(1);
    for (int k = 0; k < n; ++k) product = product * a;
    return product;
  }

  template <class N>
  NTKROB_HD static N coefficients(N a, const double* params, N* c) {
    const int n = degree(params);
    double tail = 0;
    for (int j = kMaxDegree; j >= 1; --j) {
      const double w = j > n ? 0 : weight(n, j) / height(n);
      c[j - 1] = N(tail += w);
      c[kMaxDegree + j - 1] = N(j * w);
    }
    return N(height(n)) * power(a, n);
  }

  template <class N>
  NTKROB_HD static N slope(N a, const double* params) {
    const int n = degree(params);
    return N(n * n * height(n - 1)) * power(a, n - 1);
  }

  template <class N>
  NTKROB_HD static void pair(N& u, N& t, const N* x, const N*) {
    const N v = N(1) - u;
    N sum = x[kMaxDegree - 1], gain = x[2 * kMaxDegree - 1];
    for (int i = kMaxDegree - 2; i >= 0; --i) {
      sum = sum * v + x[i];
      gain = gain * v + x[kMaxDegree + i];
    }
    t = gain * t;
    u = u * sum;
  }

  template <class S>
  static Covariance<S> textbook(Covariance<S> in, const double* params) {
    const int n = degree(params);
    S q(0), slope(0);
    for (int j = n; j >= 0; j -= 2) {
      const S factor = S(weight(n, j)) * power(in.a * in.b, (n - j) / 2);
      q = q + factor * power(in.q, j);
      if (j > 0) slope = slope + S(j) * factor * power(in.q, j - 1);
    }
    return {q, in.t * slope, S(height(n)) * power(in.a, n), S(height(n)) * power(in.b, n)};
  }
};

}  // namespace ntkrob::layers
