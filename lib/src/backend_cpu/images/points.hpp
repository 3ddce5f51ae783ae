/// One vector of pairs on its way through a unit: what the formulas (images/pair.hpp) ask for, from the tables of the
/// samples. Included by units.hpp only.
#pragma once

#include "backend_cpu/images/steps.hpp"
#include "backend_cpu/vec_math.hpp"
#include "images/pair.hpp"
#include "layers/all.hpp"

namespace ntkrob::NTKROB_ISA {
namespace {

template <class R>
using Affine = images::Affine<Vec<R>>;
template <class R>
using Point = images::Point<Vec<R>>;
template <class R>
using Normal = images::Normal<Vec<R>>;
template <class R>
using Slopes = images::Slopes<Vec<R>>;

/// Divisor of the window and dense layer for one vector of lanes.
template <class R>
Affine<R> affine_of(const UnitCall<R>& c, index l) {
  using V = Vec<R>;
  const ImageUnit<R>& u = *c.unit;
  if (!u.dense) return Affine<R>(V(u.inverse_taps));
  return {V(u.inverse_taps), V(c.tables.x[u.c]), V::load(c.tables.y + kImageLanes * u.c + l), V(c.tables.x[u.beta]),
          V::load(c.tables.y + kImageLanes * u.beta + l)};
}

/// The same for all vectors of lanes.
template <class R>
struct Affines {
  Affine<R> part[kImageLanes / Vec<R>::kLanes];
  template <std::size_t... k>
  Affines(const UnitCall<R>& c, std::index_sequence<k...>)
      : part{affine_of(c, static_cast<index>(k) * Vec<R>::kLanes)...} {}
  explicit Affines(const UnitCall<R>& c)
      : Affines(c, std::make_index_sequence<static_cast<std::size_t>(kImageLanes / Vec<R>::kLanes)>()) {}
  const Affine<R>& operator[](index k) const { return part[k]; }
};

/// One vector of pairs behind the dense layer.   p: position of x   q: place in a row of y's table
template <class R>
NTKROB_INLINE Point<R> point_of(const UnitCall<R>& c, const Affine<R>& affine, index p, index q, Vec<R> sum) {
  using V = Vec<R>;
  const ImageUnit<R>& u = *c.unit;
  return {affine,
          V(c.tables.x[u.mid + p]),
          V::load(c.tables.y + kImageLanes * u.mid + q),
          V(c.tables.x[u.share + p]),
          V::load(c.tables.y + kImageLanes * u.share + q),
          sum};
}

/// The same as gap and normalised tangent kernel.
template <class R>
NTKROB_INLINE Normal<R> normal_of(const UnitCall<R>& c, const Affine<R>& affine, index p, index q, Vec<R> sum,
                                  Vec<R> t_sum) {
  using V = Vec<R>;
  const V inverse = V(c.tables.x[c.unit->inverse + p]) * V::load(c.tables.y + kImageLanes * c.unit->inverse + q);
  return {affine, point_of(c, affine, p, q, sum), inverse, t_sum};
}

/// Roots of the output's variances.
template <class R>
struct Roots {
  Vec<R> a, b;
  NTKROB_INLINE Roots(const UnitCall<R>& c, index p, index q)
      : a(c.tables.x[c.unit->root_out + p]), b(Vec<R>::load(c.tables.y + kImageLanes * c.unit->root_out + q)) {}
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

}  // namespace
}  // namespace ntkrob::NTKROB_ISA
