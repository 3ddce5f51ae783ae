/// Products of branches at all pairs of a patch, and the adjoint. Included by steps.cpp only.
///
/// K = K1 K2 and T = T1 K2 + K1 T2. With D1, D2 the distances, a1 = r1^2, a2 variances of x and b1, b2 of y:
///     D = ((a1 - b1)(a2 - b2) + (a1 + b1) D2 + (a2 + b2) D1 - D1 D2) / 2
/// where no digits are lost for nearly equal patches. Scales differ: with f = scale1 scale2 / scale of each sample,
/// D <- f_x f_y D + (f_x - f_y)(f_x a1 a2 - f_y b1 b2).
#pragma once

#include "backend_cpu/images/sums.hpp"

namespace ntkrob::NTKROB_ISA {
namespace {

/// One vector of pairs.
template <class R>
struct Factors {
  using V = Vec<R>;
  V f, fx, fy;  // scales
  V a1, b1, a2, b2, d1, d2;
  V gap1, gap2;  // a1 - b1, a2 - b2
  V k1, k2, t1, t2;

  Factors(const ProductCall<R>& c, index x, index y, index at1, index at2, index l)
      : fx(c.tables.x[c.factor]), fy(V::load(c.tables.y + kImageLanes * c.factor + l)) {
    f = fx * fy;
    const V r1(c.tables.x[c.root_one + x]), s1 = V::load(c.tables.y + kImageLanes * (c.root_one + y) + l);
    const V r2(c.tables.x[c.root_two + x]), s2 = V::load(c.tables.y + kImageLanes * (c.root_two + y) + l);
    a1 = r1 * r1;
    b1 = s1 * s1;
    a2 = r2 * r2;
    b2 = s2 * s2;
    gap1 = (r1 - s1) * (r1 + s1);
    gap2 = (r2 - s2) * (r2 + s2);
    d1 = V::load(c.one.d + at1 + l);
    t1 = V::load(c.one.t + at1 + l);
    d2 = V::load(c.two.d + at2 + l);
    t2 = V::load(c.two.t + at2 + l);
    k1 = V(0.5) * (a1 + b1 - d1);
    k2 = V(0.5) * (a2 + b2 - d2);
  }
};

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
      const Factors<R> s(c, x, y, at1, at2, l);
      const V own = V(0.5) * fma(s.gap1, s.gap2, fma(s.a1 + s.b1, s.d2, fma(s.a2 + s.b2, s.d1, -(s.d1 * s.d2))));
      const V other = (s.fx - s.fy) * (s.fx * s.a1 * s.a2 - s.fy * s.b1 * s.b2);
      fma(s.f, own, other).store(c.to.d + at + l);
      (s.f * fma(s.t1, s.k2, s.k1 * s.t2)).store(c.to.t + at + l);
    });
}

template <class R>
void product_back(const ProductCall<R>& c) {
  using V = Vec<R>;
  R *one = c.scratch, *two = c.scratch + c.patch.w * kImageLanes;
  const auto add_to = [](V v, R* to) { (V::load(to) + v).store(to); };
  for (index r = 0; r < c.patch.h; ++r) {
    for_each_vector(c, r, [&](index p, index x, index y, index at1, index at2, index at, index l) {
      const Factors<R> s(c, x, y, at1, at2, l);
      const V given = V::load(c.to.d + at + l), gd = s.f * given, gt = s.f * V::load(c.to.t + at + l);
      const V half = V(0.5) * gt, scales = given * (s.fx - s.fy) * s.fx;
      add_to(gd * s.k2 - half * s.t2, c.one_g.d + at1 + l);
      add_to(gd * s.k1 - half * s.t1, c.two_g.d + at2 + l);
      add_to(gt * s.k2, c.one_g.t + at1 + l);
      add_to(gt * s.k1, c.two_g.t + at2 + l);
      fma(gd, s.a2 - s.k2, fma(half, s.t2, scales * s.a2)).store(one + p * kImageLanes + l);
      fma(gd, s.a1 - s.k1, fma(half, s.t1, scales * s.a1)).store(two + p * kImageLanes + l);
    });
    add_lane_sums(one, c.patch.w, c.one_variance + c.patch.x_at(r));
    add_lane_sums(two, c.patch.w, c.two_variance + c.patch.x_at(r));
  }
}

}  // namespace
}  // namespace ntkrob::NTKROB_ISA
