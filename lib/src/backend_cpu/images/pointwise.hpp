/// One layer at every pair of positions, and its adjoint. Included by steps.cpp only.
#pragma once

#include "backend_cpu/images/steps.hpp"
#include "backend_cpu/vec.hpp"
#include "backend_cpu/vec_math.hpp"
#include "layers/all.hpp"

namespace ntkrob::NTKROB_ISA {
namespace {

/// What one row of a pointwise operation works on; rows differ in their pointers only.
template <class R>
struct Row {
  index n;
  bool line;
  const R *d, *t;
  R *d_out, *t_out;
  const R *x_root, *x_root_out, *y_root, *y_root_out;
  const R *x, *dx, *y;
  index x_next, y_next;
  R *gd, *gt;
  const R *gd_out, *gt_out;
  double *root_grad, *root_out_grad, *log_grad;
};

/// A quantity of x: along a line, or the same for the whole row.
template <class R>
inline Vec<R> of_x(const Row<R>& r, const R* p, index j) {
  return r.line ? Vec<R>::load(p + j) : Vec<R>(*p);
}

/// Gap and normalised tangent kernel of a vector of pairs.
template <class R>
struct Normal {
  using V = Vec<R>;
  V a, b, inverse, u, t;

  Normal(const Row<R>& r, index j) : a(of_x(r, r.x_root, j)), b(V::load(r.y_root + j)) {
    const V product = a * b;
    const V safe = select_greater(product, V(0), product, V(1));
    inverse = select_greater(product, V(0), V(V(1).v / safe.v), V(0));
    const V difference = a - b;
    const V gap = max_with_zero(V(0.5) * (V::load(r.d + j) - difference * difference) * inverse);
    // Where a variance is 0 the angle counts as a right one.
    u = select_greater(product, V(0), min(gap, V(2)), V(1));
    t = V::load(r.t + j) * inverse;
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
void pointwise_row(const Row<R>& r) {
  using V = Vec<R>;
  constexpr int n = L::kCoefficients;
  for (index j = 0; j < r.n; j += V::kLanes) {
    const Normal<R> in(r, j);
    V x[n + 1], y[n + 1];
    for (int k = 0; k < n; ++k) {
      x[k] = of_x(r, r.x + k * r.x_next, j);
      y[k] = V::load(r.y + k * r.y_next + j);
    }
    PairValue<V> s;
    s.u = in.u;
    s.t = in.t;
    L::value(s, x, y);
    const V a = of_x(r, r.x_root_out, j), b = V::load(r.y_root_out + j), difference = a - b, product = a * b;
    fma(difference, difference, V(2) * product * s.u).store(r.d_out + j);
    (product * s.t).store(r.t_out + j);
  }
}

/// Adds a vector to the numbers of a line, or its sum to the number of a row.
template <class R>
inline void add_to(const Row<R>& r, double* target, index j, Vec<R> v) {
  if (!r.line) {
    *target += static_cast<double>(sum_of_lanes(v));
    return;
  }
  for (int l = 0; l < Vec<R>::kLanes; ++l) target[j + l] += static_cast<double>(v.v[l]);
}

template <class L, class R>
void pointwise_row_back(const Row<R>& r) {
  using V = Vec<R>;
  constexpr int n = L::kCoefficients;
  V zero[n + 1];
  for (int k = 0; k < n; ++k) zero[k] = V(0);
  for (index j = 0; j < r.n; j += V::kLanes) {
    const Normal<R> in(r, j);
    V x[n + 1], dx[n + 1], y[n + 1];
    for (int k = 0; k < n; ++k) {
      x[k] = of_x(r, r.x + k * r.x_next, j);
      dx[k] = of_x(r, r.dx + k * r.x_next, j);
      y[k] = V::load(r.y + k * r.y_next + j);
    }
    // Derivatives of the layer by u (d) and by log a (e); then by t.
    PairGradient<V> s{in.u, in.t, V(1), V(0), V(0), V(0)}, by_t{in.u, in.t, V(0), V(1), V(0), V(0)};
    L::gradient(s, x, dx, y);
    L::gradient(by_t, x, zero, y);
    const V a = of_x(r, r.x_root_out, j), b = V::load(r.y_root_out + j), product = a * b;
    const V gd_out = V::load(r.gd_out + j), gt_out = V::load(r.gt_out + j);
    const V gu_out = V(2) * product * gd_out, gs_out = product * gt_out;
    const V gu = fma(gu_out, s.du, gs_out * s.dt), gs = gs_out * by_t.dt;
    fma(V(0.5) * gu, in.inverse, V::load(r.gd + j)).store(r.gd + j);
    fma(gs, in.inverse, V::load(r.gt + j)).store(r.gt + j);
    const V inverse_a = in.b * in.inverse;
    add_to(r, r.root_grad, j, -fma(gu, fma(in.a - in.b, in.inverse, in.u * inverse_a), gs * in.t * inverse_a));
    add_to(r, r.root_out_grad, j, fma(V(2) * gd_out, fma(b, s.u, a - b), gt_out * b * s.t));
    add_to(r, r.log_grad, j, fma(gu_out, s.eu, gs_out * s.et));
  }
}

template <class L, class R>
void pointwise(const ImageStep<R>& step, const ImageValue<R>& in, const ImageValue<R>& out, bool back) {
  for (index p = 0; p < in.rows; ++p) {
    const index at = p * in.stride, y_at = p * in.y_row;
    Row<R> r{};
    r.n = in.stride;
    r.line = in.line;
    r.d = in.d + at;
    r.t = in.t + at;
    r.d_out = out.d + at;
    r.t_out = out.t + at;
    r.x_root = in.x_root + p;
    r.x_root_out = out.x_root + p;
    r.y_root = in.y_root + y_at;
    r.y_root_out = out.y_root + y_at;
    r.x = step.x + p;
    r.dx = step.dx + p;
    r.y = step.y + y_at;
    r.x_next = step.x_next;
    r.y_next = step.y_next;
    if (!back) {
      pointwise_row<L>(r);
      continue;
    }
    r.gd = in.gd + at;
    r.gt = in.gt + at;
    r.gd_out = out.gd + at;
    r.gt_out = out.gt + at;
    r.root_grad = in.x_root_grad + p;
    r.root_out_grad = out.x_root_grad + p;
    r.log_grad = step.x_log_grad + p;
    pointwise_row_back<L>(r);
  }
}

}  // namespace
}  // namespace ntkrob::NTKROB_ISA
