/// Lane<R>: one float or double with the operations that layers ask of a vector (ntkrob/layers/layer.hpp). One thread
/// of a device has one; the host runs the same code in tests.
///
/// Arithmetic is exactly what is written (built with -fmad=false): fma() is one rounding, everything else two, so that
/// values have the same bits with and without derivatives.
#pragma once

#include <cmath>

#include "ntkrob/layers/layer.hpp"

namespace ntkrob::cuda {

template <class R>
struct Lane {
  using scalar = R;
  R v;

  Lane() = default;
  template <class Number, class = decltype(static_cast<R>(Number{}))>
  NTKROB_HD explicit Lane(Number x) : v(static_cast<R>(x)) {}

  NTKROB_HD friend Lane operator+(Lane a, Lane b) { return Lane(a.v + b.v); }
  NTKROB_HD friend Lane operator-(Lane a, Lane b) { return Lane(a.v - b.v); }
  NTKROB_HD friend Lane operator*(Lane a, Lane b) { return Lane(a.v * b.v); }
  NTKROB_HD friend Lane operator/(Lane a, Lane b) { return Lane(a.v / b.v); }
  NTKROB_HD friend Lane operator-(Lane a) { return Lane(-a.v); }
};

template <class R>
NTKROB_HD inline Lane<R> fma(Lane<R> a, Lane<R> b, Lane<R> c) {
  return Lane<R>(std::fma(a.v, b.v, c.v));
}
template <class R>
NTKROB_HD inline Lane<R> sqrt(Lane<R> a) {
  return Lane<R>(std::sqrt(a.v));
}
template <class R>
NTKROB_HD inline Lane<R> expm1(Lane<R> a) {
  return Lane<R>(std::expm1(a.v));
}
template <class R>
NTKROB_HD inline Lane<R> atan(Lane<R> a) {
  return Lane<R>(std::atan(a.v));
}
/// a > b ? p : q
template <class R>
NTKROB_HD inline Lane<R> select_greater(Lane<R> a, Lane<R> b, Lane<R> p, Lane<R> q) {
  return a.v > b.v ? p : q;
}
template <class R>
NTKROB_HD inline Lane<R> min(Lane<R> a, Lane<R> b) {
  return select_greater(a, b, b, a);
}
template <class R>
NTKROB_HD inline Lane<R> max_with_zero(Lane<R> a) {
  return select_greater(a, Lane<R>(0), a, Lane<R>(0));
}
/// 1 / sqrt(a) where a > limit, 0 elsewhere.
template <class R>
NTKROB_HD inline Lane<R> rsqrt_or_zero(Lane<R> a, Lane<R> limit) {
  return a.v > limit.v ? Lane<R>(R(1) / std::sqrt(a.v)) : Lane<R>(0);
}

}  // namespace ntkrob::cuda
