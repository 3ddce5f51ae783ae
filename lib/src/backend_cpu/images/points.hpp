/// One vector of pairs on its way through a unit: the dense layer, gap and normalised tangent kernel, pointwise layers.
/// Included by units.hpp only.
#pragma once

#include "backend_cpu/images/steps.hpp"
#include "backend_cpu/vec_math.hpp"
#include "layers/all.hpp"

namespace ntkrob::NTKROB_ISA {
namespace {

/// The dense layer for one vector of lanes.
template <class R>
struct Affine {
  using V = Vec<R>;
  V factor, difference, bias, dense, inverse_c;

  Affine(const UnitCall<R>& c, index l) : factor(c.unit->inverse_taps), difference(0), bias(0), dense(0), inverse_c(0) {
    const ImageUnit<R>& u = *c.unit;
    if (!u.dense) return;
    const V cx(c.tables.x[u.c]), cy = V::load(c.tables.y + kImageLanes * u.c + l);
    const V beta = V(c.tables.x[u.beta]) - V::load(c.tables.y + kImageLanes * u.beta + l);
    factor = cx * cy * factor;
    difference = cx - cy;
    bias = beta * beta;
    dense = V(1);
    // 0 where the bias is everything: then nothing depends on the input.
    const R x = c.tables.x[u.c];
    inverse_c = V(x > R(1e-30) ? R(1) / x : R(0));
  }
};

/// The same for all vectors of lanes.
template <class R>
struct Affines {
  Affine<R> part[kImageLanes / Vec<R>::kLanes];
  template <std::size_t... k>
  Affines(const UnitCall<R>& c, std::index_sequence<k...>)
      : part{Affine<R>(c, static_cast<index>(k) * Vec<R>::kLanes)...} {}
  explicit Affines(const UnitCall<R>& c)
      : Affines(c, std::make_index_sequence<static_cast<std::size_t>(kImageLanes / Vec<R>::kLanes)>()) {}
  const Affine<R>& operator[](index k) const { return part[k]; }
};

/// One vector of pairs behind the dense layer.
template <class R>
struct Point {
  using V = Vec<R>;
  V a, b, d;

  NTKROB_INLINE Point(const UnitCall<R>& c, const Affine<R>& affine, index p, index q, V sum) {
    const ImageUnit<R>& u = *c.unit;
    a = V(c.tables.x[u.mid + p]);
    b = V::load(c.tables.y + kImageLanes * u.mid + q);
    const V share = V(c.tables.x[u.share + p]) - V::load(c.tables.y + kImageLanes * u.share + q);
    d = fma(affine.factor, sum, fma(affine.difference, share, affine.bias));
  }
};

/// The same as gap and normalised tangent kernel. scaled: the part of t that is proportional to T
template <class R>
struct Normal : Point<R> {
  using V = Vec<R>;
  V inverse, u, t, scaled;

  NTKROB_INLINE Normal(const UnitCall<R>& c, const Affine<R>& affine, index p, index q, V sum, V t_sum)
      : Point<R>(c, affine, p, q, sum) {
    inverse = V(c.tables.x[c.unit->inverse + p]) * V::load(c.tables.y + kImageLanes * c.unit->inverse + q);
    const V difference = this->a - this->b;
    const V gap = max_with_zero(V(0.5) * (this->d - difference * difference) * inverse);
    // Where a variance is 0 the angle counts as a right one.
    u = select_greater(inverse, V(0), min(gap, V(2)), V(1));
    scaled = affine.factor * inverse * t_sum;
    t = fma(affine.dense, V(1) - u, scaled);
  }
};

/// The pointwise layer that changes neither gap nor normalised tangent kernel: layer norm.
struct Unchanged {
  static constexpr int kCoefficients = 0;
  template <class V>
  static void value(PairValue<V>&, const V*, const V*) {}
  template <class V>
  static void gradient(PairGradient<V>&, const V*, const V*, const V*) {}
};

template <class L, class R>
struct Coefficients {
  using V = Vec<R>;
  static constexpr int n = L::kCoefficients;
  V x[n + 1], dx[n + 1], y[n + 1];

  NTKROB_INLINE Coefficients(const UnitCall<R>& c, int layer, index p, index q, bool gradient) {
    if (n == 0) return;
    const index at = c.unit->coefficients[layer], next = c.unit->next;
    for (int k = 0; k < n; ++k) {
      x[k] = V(c.tables.x[at + k * next + p]);
      y[k] = V::load(c.tables.y + kImageLanes * (at + k * next) + q);
      if (gradient) dx[k] = V(c.tables.x[c.unit->derivatives[layer] + k * next + p]);
    }
  }
};

/// Gap and kernel through layers, with derivatives by gap (d), by log A (e), and of t by t.
template <class R>
struct Slopes {
  using V = Vec<R>;
  V u, t, du, dt, eu, et, tt;
  Slopes() = default;
  Slopes(V gap, V kernel) : u(gap), t(kernel), du(1), dt(0), eu(0), et(0), tt(1) {}

  template <class L>
  NTKROB_INLINE void through(const Coefficients<L, R>& c) {
    V zero[L::kCoefficients + 1];
    for (V& z : zero) z = V(0);
    PairGradient<V> by_u{u, t, du, dt, eu, et}, by_t{u, t, V(0), tt, V(0), V(0)};
    L::gradient(by_u, c.x, c.dx, c.y);
    L::gradient(by_t, c.x, zero, c.y);
    u = by_u.u;
    t = by_u.t;
    du = by_u.du;
    dt = by_u.dt;
    eu = by_u.eu;
    et = by_u.et;
    tt = by_t.dt;
  }
};

}  // namespace
}  // namespace ntkrob::NTKROB_ISA
