/// Jet<T>: a number with two derivative parts, so that a layer writes its formula once and derivatives follow by the
/// chain rule. T is double or a SIMD vector. The value part is computed by the operations of T alone, in the same
/// order, so it has the bits of the same formula evaluated in T.
#pragma once

#include <cmath>
#include <type_traits>

#include "ntkrob/layers/layer.hpp"

namespace ntkrob::layers {

template <class T>
struct Jet {
  T v, d, e;

  Jet() = default;
  NTKROB_HD Jet(T value, T first, T second) : v(value), d(first), e(second) {}
  template <class Number, class = std::enable_if_t<std::is_arithmetic_v<Number>>>
  NTKROB_HD explicit Jet(Number x) : v(T(x)), d(T(0)), e(T(0)) {}

  NTKROB_HD friend Jet operator+(Jet a, Jet b) { return {a.v + b.v, a.d + b.d, a.e + b.e}; }
  NTKROB_HD friend Jet operator-(Jet a, Jet b) { return {a.v - b.v, a.d - b.d, a.e - b.e}; }
  NTKROB_HD friend Jet operator-(Jet a) { return {-a.v, -a.d, -a.e}; }
  NTKROB_HD friend Jet operator*(Jet a, Jet b) { return {a.v * b.v, a.v * b.d + a.d * b.v, a.v * b.e + a.e * b.v}; }
  NTKROB_HD friend Jet operator/(Jet a, Jet b) {
    const T inverse = T(1) / b.v, ratio = a.v / b.v;
    return {ratio, (a.d - ratio * b.d) * inverse, (a.e - ratio * b.e) * inverse};
  }
};

/// f(a) with f' = slope.
template <class T>
NTKROB_HD inline Jet<T> chained(Jet<T> a, T value, T slope) {
  return {value, slope * a.d, slope * a.e};
}

template <class T>
NTKROB_HD inline Jet<T> sqrt(Jet<T> a) {
  using std::sqrt;
  const T root = sqrt(a.v);
  return chained(a, root, T(0.5) / root);
}
template <class T>
NTKROB_HD inline Jet<T> expm1(Jet<T> a) {
  using std::expm1;
  const T value = expm1(a.v);
  return chained(a, value, value + T(1));
}
template <class T>
NTKROB_HD inline Jet<T> atan(Jet<T> a) {
  using std::atan;
  return chained(a, atan(a.v), T(1) / (T(1) + a.v * a.v));
}
template <class T>
NTKROB_HD inline Jet<T> select_greater(Jet<T> a, Jet<T> b, Jet<T> p, Jet<T> q) {
  return {select_greater(a.v, b.v, p.v, q.v), select_greater(a.v, b.v, p.d, q.d), select_greater(a.v, b.v, p.e, q.e)};
}

}  // namespace ntkrob::layers
