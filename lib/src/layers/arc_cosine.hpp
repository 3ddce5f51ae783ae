/// The angle behind a gap, and what ReLU-like layers make of it.
///
/// With u = 1 - cos theta and h(u) = sin theta - theta cos theta: on u <= 1 both theta = sqrt(u) P(u) and h = u sqrt(u)
/// Q(u) with P, Q analytic up to u = 2; the polynomials below are Chebyshev interpolants of P/pi and Q/pi on [0,1]
/// (largest relative error 1.8e-8 for float, 2e-17 for double). For u > 1 the mirror image w = 2 - u is used: theta(u)
/// = pi - theta(w), h(u) = h(w) + pi (1 - w). At theta = 0 the derivative 1/sin theta counts as 0: the smooth part of
/// the derivative remains.
#pragma once

#include <cmath>
#include <cstddef>
#include <iterator>
#include <utility>

#include "ntkrob/layers/layer.hpp"

namespace ntkrob::layers {

/// Coefficients, lowest power first.
template <class R>
struct ArcCosine;

template <>
struct ArcCosine<float> {
  static constexpr int kP = 8, kQ = 7;
  static constexpr float p[kP] = {0.450158153f,    0.037513828079f,  0.0084270895115f,   0.0026154666975f,
                                  0.000470735702f, 0.0010626511388f, -0.00063364133411f, 0.00038570811159f};
  static constexpr float q[kQ] = {0.30010544217f,    0.015004935363f,   0.0024168369668f, 0.00052784841588f,
                                  0.00023626932486f, -5.6086314953e-5f, 7.4634553997e-5f};
  /// Gaps below this (angles below 1e-6) are treated as the kink: float32 sums cancel there.
  static constexpr float kKink = 5e-13f;
};

template <>
struct ArcCosine<double> {
  static constexpr int kP = 19, kQ = 19;
  static constexpr double p[kP] = {
      0.45015815807855304,       0.0375131798398756388,      0.008440465464425071383,   0.002512043271452930634,
      0.0008547930425932388588,  0.0003147109811736575771,   0.000122135514827882038,   0.00004854479515337262471,
      0.0000231954586754304428,  -2.287311496019979765e-6,   0.00003460419989822555357, -0.00006525326994907855383,
      0.0001108032725859807749,  -0.0001368762595951421238,  0.0001275430413936947101,  -0.00008557648187341666261,
      0.00003955053770370357104, -0.00001126128013840247595, 1.527104740182857979e-6};
  static constexpr double q[kQ] = {
      0.3001054387190353567,    0.01500527193595162917,    0.002411561561151691422,   0.0005582318420704077769,
      0.0001554168394539893684, 0.00004841802034938482942, 0.00001627691006111954471, 5.757065278076514383e-6,
      2.244259372959227309e-6,  4.170775507025596918e-7,   1.460661578985138747e-6,   -2.340292562949998928e-6,
      4.124969186439580937e-6,  -5.063947691355165891e-6,  4.744442019527963546e-6,   -3.189938633234610227e-6,
      1.482062692473454628e-6,  -4.242256714449974387e-7,  5.82225969126942246e-8};
  /// Angles below 1e-7.
  static constexpr double kKink = 5e-15;
};

/// One of them, as a constant: code of a device has no address for the arrays.
template <const auto& coefficients, std::size_t k>
constexpr auto kCoefficient = coefficients[k];

template <const auto& coefficients, class V, std::size_t... k>
NTKROB_HD inline V polynomial(V x, std::index_sequence<k...>) {
  constexpr std::size_t n = sizeof...(k);
  V y = V(kCoefficient<coefficients, n>);
  ((y = fma(y, x, V(kCoefficient<coefficients, n - 1 - k>))), ...);
  return y;
}
template <const auto& coefficients, class V>
NTKROB_HD inline V polynomial(V x) {
  return polynomial<coefficients>(x, std::make_index_sequence<std::size(coefficients) - 1>());
}

/// Distance w of a gap to the nearer end of [0, 2]; theta(w)/pi and h(w)/pi.
template <class V>
struct Arc {
  V w, angle, h;
  NTKROB_HD explicit Arc(V gap) {
    using C = ArcCosine<typename V::scalar>;
    const V mirror = V(2) - gap;
    w = max_with_zero(min(gap, mirror));
    const V root = sqrt(w);
    angle = root * polynomial<C::p>(w);
    h = (w * root) * polynomial<C::q>(w);
  }
};

/// 1 / (pi sin theta) = d(theta/pi)/du, 0 at the kinks.
template <class V>
NTKROB_HD inline V arc_slope(V gap) {
  using R = typename V::scalar;
  return V(R(0.31830988618379067154)) * rsqrt_or_zero(gap * (V(2) - gap), V(2 * ArcCosine<R>::kKink));
}

}  // namespace ntkrob::layers
