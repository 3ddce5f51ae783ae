/// expm1 and atan over Vec<R>: no calls of library functions, so the loops vectorise and results do not depend on the
/// machine's library. Relative errors: at most a few units in the last place (tests/kernel/vec_math_test.cpp). NaN
/// stays NaN.
#pragma once

#include "backend_cpu/vec.hpp"
#include "layers/arc_cosine.hpp"

namespace ntkrob::NTKROB_ISA {

/// ln 2 in two parts (n * high is exact for the n in use), range limits, 1/k! for k = 2 ..., and the exponent's place.
template <class R>
struct Exponential;

template <>
struct Exponential<float> {
  static constexpr float log2e = 1.44269504f, high = 0.693359375f, low = -2.12194440e-4f, least = -40, most = 88;
  static constexpr float magic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to a whole number
  static constexpr int shift = 23, bias = 127, kTerms = 7;
  static constexpr float c[kTerms] = {1.f / 2, 1.f / 6, 1.f / 24, 1.f / 120, 1.f / 720, 1.f / 5040, 1.f / 40320};
};

template <>
struct Exponential<double> {
  static constexpr double log2e = 1.44269504088896340736, high = 0.693147180369123816490,
                          low = 1.90821492927058770002e-10;
  static constexpr double least = -60, most = 709;
  static constexpr double magic = 6755399441055744.0;  // 1.5 * 2^52
  static constexpr int shift = 52, bias = 1023, kTerms = 13;
  static constexpr double c[kTerms] = {1. / 2,         1. / 6,          1. / 24,         1. / 120,     1. / 720,
                                       1. / 5040,      1. / 40320,      1. / 362880,     1. / 3628800, 1. / 39916800,
                                       1. / 479001600, 1. / 6227020800, 1. / 87178291200};
};

/// exp(x) - 1 = 2^n (expm1(r)) + (2^n - 1), x = n ln 2 + r, |r| <= ln 2 / 2. Above 88 (float) or 709 the value at that
/// limit.
template <class R>
inline Vec<R> expm1(Vec<R> x) {
  using V = Vec<R>;
  using E = Exponential<R>;
  // Written so that NaN passes both.
  x = select_greater(V(E::least), x, V(E::least), x);
  x = select_greater(x, V(E::most), V(E::most), x);
  const V shifted = fma(x, V(E::log2e), V(E::magic)), n = shifted - V(E::magic);
  const V r = fma(n, V(-E::low), fma(n, V(-E::high), x));
  const V m = fma(r * r, layers::polynomial<E::c>(r), r);
  using Mask = typename V::Mask;
  const auto bits = (Mask)shifted.v - (Mask)V(E::magic).v;
  const V power((typename V::Lanes)((bits + E::bias) << E::shift));
  return fma(power, m, power - V(1));
}

/// atan(x) for x >= 0 through the angle of the gap 1 - cos(2 atan x) = 2 x^2/(1 + x^2); from 1 on pi/2 - atan(1/x).
template <class R>
inline Vec<R> atan(Vec<R> x) {
  using V = Vec<R>;
  const V half_pi(R(1.57079632679489661923));
  const V y = select_greater(x, V(1), V(1) / x, x);
  const V ratio = V(2) / fma(y, y, V(1));
  const V angle = half_pi * (y * sqrt(ratio) * layers::polynomial<layers::ArcCosine<R>::p>((y * y) * ratio));
  return select_greater(x, V(1), half_pi - angle, angle);
}

}  // namespace ntkrob::NTKROB_ISA
