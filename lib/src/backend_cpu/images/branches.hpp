/// Products of branches at all pairs of a patch, and the adjoint. Included by steps.cpp only. Formulas:
/// images/pair.hpp.
#pragma once

#include "backend_cpu/images/sums.hpp"
#include "images/pair.hpp"

namespace ntkrob::NTKROB_ISA {
namespace {

/// One vector of pairs.
template <class R>
NTKROB_INLINE images::Product<Vec<R>> factors_of(const ProductCall<R>& c, index x, index y, index at1, index at2,
                                                 index l) {
  using V = Vec<R>;
  const auto of_y = [&](index row) { return V::load(c.tables.y + kImageLanes * row + l); };
  return {V(c.tables.x[c.factor]),
          of_y(c.factor),
          V(c.tables.x[c.root_one + x]),
          of_y(c.root_one + y),
          V(c.tables.x[c.root_two + x]),
          of_y(c.root_two + y),
          {V::load(c.one.d + at1 + l), V::load(c.one.t + at1 + l)},
          {V::load(c.two.d + at2 + l), V::load(c.two.t + at2 + l)}};
}

/// f(row, column, position in x, position in y, places in the planes of the two factors and of the result, lane)
template <class R, class F>
inline void for_each_vector(const ProductCall<R>& c, index r, F&& f) {
  for (index p = 0; p < c.patch.w; ++p)
    for (index l = 0; l < kImageLanes; l += Vec<R>::kLanes)
      f(p, c.patch.x_at(r) + p, c.patch.y_at(r) + p, (r * c.stride_one + p) * kImageLanes,
        (r * c.stride_two + p) * kImageLanes, (r * c.patch.stride + p) * kImageLanes, l);
}

template <class R>
void product(const ProductCall<R>& c) {
  using V = Vec<R>;
  for (index r = 0; r < c.patch.h; ++r)
    for_each_vector(c, r, [&](index, index x, index y, index at1, index at2, index at, index l) {
      const images::State<V> out = factors_of(c, x, y, at1, at2, l).value();
      out.d.store(c.to.d + at + l);
      out.t.store(c.to.t + at + l);
    });
}

template <class R>
void product_back(const ProductCall<R>& c) {
  using V = Vec<R>;
  R *one = c.scratch, *two = c.scratch + c.patch.w * kImageLanes;
  const auto add_to = [](V v, R* to) { (V::load(to) + v).store(to); };
  for (index r = 0; r < c.patch.h; ++r) {
    for_each_vector(c, r, [&](index p, index x, index y, index at1, index at2, index at, index l) {
      const auto g =
          factors_of(c, x, y, at1, at2, l).back(images::State<V>{V::load(c.to.d + at + l), V::load(c.to.t + at + l)});
      add_to(g.one.d, c.one_g.d + at1 + l);
      add_to(g.two.d, c.two_g.d + at2 + l);
      add_to(g.one.t, c.one_g.t + at1 + l);
      add_to(g.two.t, c.two_g.t + at2 + l);
      g.variance_one.store(one + p * kImageLanes + l);
      g.variance_two.store(two + p * kImageLanes + l);
    });
    add_lane_sums(one, c.patch.w, c.one_variance + c.patch.x_at(r));
    add_lane_sums(two, c.patch.w, c.two_variance + c.patch.x_at(r));
  }
}

}  // namespace
}  // namespace ntkrob::NTKROB_ISA
