/// Dual numbers with two derivative parts (with respect to q and a): derivatives of textbook formulas without writing
/// them.
#pragma once

#include <cmath>

namespace ntkrob {

/// value + dq e1 + da e2, e1^2 = e2^2 = e1 e2 = 0.
struct Dual {
  double v = 0, dq = 0, da = 0;

  Dual() = default;
  explicit Dual(double value) : v(value) {}
  Dual(double value, double by_q, double by_a) : v(value), dq(by_q), da(by_a) {}

  friend Dual operator+(Dual x, Dual y) { return {x.v + y.v, x.dq + y.dq, x.da + y.da}; }
  friend Dual operator-(Dual x, Dual y) { return {x.v - y.v, x.dq - y.dq, x.da - y.da}; }
  friend Dual operator*(Dual x, Dual y) { return {x.v * y.v, x.v * y.dq + x.dq * y.v, x.v * y.da + x.da * y.v}; }
  friend Dual operator/(Dual x, Dual y) {
    const double ratio = x.v / y.v;
    return {ratio, (x.dq - ratio * y.dq) / y.v, (x.da - ratio * y.da) / y.v};
  }
};

/// sqrt(x) for x > 0; 0 with derivative 0 elsewhere (the rule for coincident inputs).
inline Dual sqrt_or_zero(Dual x) {
  if (!(x.v > 0)) return Dual(0.0);
  const double root = std::sqrt(x.v);
  return {root, x.dq / (2 * root), x.da / (2 * root)};
}
/// atan2(y, x); pi/2 where both are 0, as the limit of orthogonal inputs.
inline Dual angle(Dual y, Dual x) {
  const double r2 = x.v * x.v + y.v * y.v;
  if (!(r2 > 0)) return Dual(1.57079632679489661923);
  return {std::atan2(y.v, x.v), (x.v * y.dq - y.v * x.dq) / r2, (x.v * y.da - y.v * x.da) / r2};
}
inline Dual exp(Dual x) {
  const double e = std::exp(x.v);
  return {e, e * x.dq, e * x.da};
}

}  // namespace ntkrob
