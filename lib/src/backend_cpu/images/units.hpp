/// A window, a dense layer and pointwise layers at all pairs of a patch, in one pass; and the adjoint. Included by
/// steps.cpp only. Formulas: images/pair.hpp.
#pragma once

#include "backend_cpu/images/points.hpp"
#include "backend_cpu/images/sums.hpp"

namespace ntkrob::NTKROB_ISA {
namespace {

/// Rows of the output, where sums over the window are found for each.
template <class R>
struct RowSums {
  const UnitCall<R>& c;
  index o;
  const R *d, *t;  // of the row: sums over heights, or the input itself

  RowSums(const UnitCall<R>& call, index row) : c(call), o(row) {
    if (!c.unit->shift) {
      d = c.from.d + row * c.in.stride * kImageLanes;
      t = c.from.t + row * c.in.stride * kImageLanes;
      return;
    }
    R *sum_d = c.scratch, *sum_t = c.scratch + c.in.w * kImageLanes;
    sum_heights(c, row, sum_d, sum_t);
    d = sum_d;
    t = sum_t;
  }
  /// Of column p, from lane l on; to the tape, where there is one.
  NTKROB_INLINE void get(index p, index l, Vec<R>& sum_d, Vec<R>& sum_t) const {
    if (!c.unit->shift) {
      sum_d = Vec<R>::load(d + p * kImageLanes + l);
      sum_t = Vec<R>::load(t + p * kImageLanes + l);
      return;
    }
    sum_d = sum_listed(c.w->both, p, d + l);
    sum_t = sum_listed(c.w->both, p, t + l);
    if (c.w->one_sided) sum_d = sum_d + border_w(c, o, p, l);
    if (c.tape.d == nullptr) return;
    const index at = (o * c.out.w + p) * kImageLanes + l;
    sum_d.store(c.tape.d + at);
    sum_t.store(c.tape.t + at);
  }
};

/// f(column, lane, number of the vector of lanes) along a row.
template <class R, class F>
NTKROB_INLINE void along(index n, F&& f) {
  for (index p = 0; p < n; ++p)
    for (index l = 0; l < kImageLanes; l += Vec<R>::kLanes) f(p, l, l / Vec<R>::kLanes);
}

/// From gap and kernel behind the layers to the output's planes.
template <class R>
NTKROB_INLINE void put(const UnitCall<R>& c, index p, index q, index at, Vec<R> u, Vec<R> t) {
  const Roots<R> roots(c, p, q);
  const images::State<Vec<R>> out = images::behind_layers(roots.a, roots.b, u, t);
  out.d.store(c.to.d + at);
  out.t.store(c.to.t + at);
}

/// One layer, everything in registers.
template <class L, class R>
void unit_of_one(const UnitCall<R>& c) {
  using V = Vec<R>;
  const Affines<R> affines(c);
  for (index o = 0; o < c.out.h; ++o) {
    const RowSums<R> sums(c, o);
    const index x0 = c.out.x_at(o), y0 = c.out.y_at(o);
    along<R>(c.out.w, [&](index p, index l, index part) {
      V d, t;
      sums.get(p, l, d, t);
      const index q = (y0 + p) * kImageLanes + l;
      const Normal<R> in = normal_of(c, affines[part], x0 + p, q, d, t);
      const Coefficients<L, R> k(c, 0, x0 + p, q, false);
      PairValue<V> s{in.u, in.t};
      L::value(s, k.x, k.y);
      put<R>(c, x0 + p, q, (o * c.out.stride + p) * kImageLanes + l, s.u, s.t);
    });
  }
}

/// Several layers: one after the other on a row.
template <class R>
void unit_of_many(const UnitCall<R>& c) {
  using V = Vec<R>;
  const Affines<R> affines(c);
  R *u = c.scratch + 2 * c.in.w * kImageLanes, *kernel = u + c.out.w * kImageLanes;
  for (index o = 0; o < c.out.h; ++o) {
    const RowSums<R> sums(c, o);
    const index x0 = c.out.x_at(o), y0 = c.out.y_at(o);
    along<R>(c.out.w, [&](index p, index l, index part) {
      V d, t;
      sums.get(p, l, d, t);
      const Normal<R> in = normal_of(c, affines[part], x0 + p, (y0 + p) * kImageLanes + l, d, t);
      in.u.store(u + p * kImageLanes + l);
      in.t.store(kernel + p * kImageLanes + l);
    });
    for (int layer = 0; layer < c.unit->n_run; ++layer)
      layers::visit(c.unit->run[layer].kind, [&](auto type) {
        using L = decltype(type);
        along<R>(c.out.w, [&](index p, index l, index) {
          const index at = p * kImageLanes + l;
          const Coefficients<L, R> k(c, layer, x0 + p, (y0 + p) * kImageLanes + l, false);
          PairValue<V> s{V::load(u + at), V::load(kernel + at)};
          L::value(s, k.x, k.y);
          s.u.store(u + at);
          s.t.store(kernel + at);
        });
      });
    along<R>(c.out.w, [&](index p, index l, index) {
      const index at = p * kImageLanes + l;
      put<R>(c, x0 + p, (y0 + p) * kImageLanes + l, o * c.out.stride * kImageLanes + at, V::load(u + at),
             V::load(kernel + at));
    });
  }
}

/// No layer behind window and dense.
template <class R>
void unit_of_none(const UnitCall<R>& c) {
  using V = Vec<R>;
  const Affines<R> affines(c);
  for (index o = 0; o < c.out.h; ++o) {
    const RowSums<R> sums(c, o);
    along<R>(c.out.w, [&](index p, index l, index part) {
      V d, t;
      sums.get(p, l, d, t);
      const Affine<R>& affine = affines[part];
      const index at = (o * c.out.stride + p) * kImageLanes + l;
      images::State<V> out{affine.factor * d, affine.factor * t};
      if (c.unit->dense)
        out = images::behind_dense(affine,
                                   point_of(c, affine, c.out.x_at(o) + p, (c.out.y_at(o) + p) * kImageLanes + l, d), t);
      out.d.store(c.to.d + at);
      out.t.store(c.to.t + at);
    });
  }
}

template <class R>
void unit(const UnitCall<R>& c) {
  const ImageUnit<R>& u = *c.unit;
  if (!u.normal) return unit_of_none(c);
  if (u.n_run == 0) return unit_of_one<images::Unchanged>(c);
  if (u.n_run > 1) return unit_of_many(c);
  layers::visit(u.run[0].kind, [&](auto layer) { unit_of_one<decltype(layer)>(c); });
}

/// Rows that the adjoint of one output row works on.
template <class R>
struct BackRows {
  R *gd, *gt, *mid_log, *out_log, *middle, *slopes;
  BackRows(const UnitCall<R>& c) {
    const index n = c.out.w * kImageLanes;
    gd = c.scratch;
    gt = gd + n;
    mid_log = gt + n;
    out_log = mid_log + n;
    slopes = out_log + n;
    middle = slopes + 7 * n;
  }
};

/// The sums behind the window of pair (o, p): from the tape, or the input itself.
template <class R>
NTKROB_INLINE void taped(const UnitCall<R>& c, index o, index p, index l, Vec<R>& d, Vec<R>& t) {
  const index at = ((c.unit->shift ? o * c.out.w : o * c.in.stride) + p) * kImageLanes + l;
  d = Vec<R>::load((c.unit->shift ? c.tape.d : c.from.d) + at);
  t = Vec<R>::load((c.unit->shift ? c.tape.t : c.from.t) + at);
}

/// One vector: from the adjoints of the output to those of the sums, and of the variances.
template <class R>
NTKROB_INLINE void point_back(const UnitCall<R>& c, const Affine<R>& affine, const Normal<R>& in, const Slopes<R>& s,
                              index p, index q, index out_at, index row_at, const BackRows<R>& rows) {
  using V = Vec<R>;
  const Roots<R> roots(c, p, q);
  const images::UnitAdjoint<V> g = images::layers_back(
      affine, in, s, roots.a, roots.b, images::State<V>{V::load(c.to_g.d + out_at), V::load(c.to_g.t + out_at)});
  g.out_log.store(rows.out_log + row_at);
  g.mid_log.store(rows.mid_log + row_at);
  g.d.store(rows.gd + row_at);
  g.t.store(rows.gt + row_at);
}

/// Row adjoints to their places.
template <class R>
void row_back(const UnitCall<R>& c, index o, const BackRows<R>& rows, bool logs, bool out_logs) {
  const index x0 = c.out.x_at(o);
  if (logs) add_lane_sums(rows.mid_log, c.out.w, c.mid_log + x0);
  if (out_logs) add_lane_sums(rows.out_log, c.out.w, c.out_log + x0);
  if (c.unit->shift) return sums_back(c, o, rows.gd, rows.gt, rows.middle);
  const index at = o * c.in.stride * kImageLanes;
  add(rows.gd, c.in.w * kImageLanes, c.from_g.d + at);
  add(rows.gt, c.in.w * kImageLanes, c.from_g.t + at);
}

template <class L, class R>
void unit_of_one_back(const UnitCall<R>& c) {
  using V = Vec<R>;
  const Affines<R> affines(c);
  const BackRows<R> rows(c);
  for (index o = 0; o < c.out.h; ++o) {
    const index x0 = c.out.x_at(o), y0 = c.out.y_at(o);
    along<R>(c.out.w, [&](index p, index l, index part) {
      V d, t;
      taped(c, o, p, l, d, t);
      const index q = (y0 + p) * kImageLanes + l;
      const Normal<R> in = normal_of(c, affines[part], x0 + p, q, d, t);
      Slopes<R> s(in.u, in.t);
      const Coefficients<L, R> k(c, 0, x0 + p, q, true);
      s.template through<L>(k.x, k.dx, k.y);
      point_back(c, affines[part], in, s, x0 + p, q, (o * c.out.stride + p) * kImageLanes + l, p * kImageLanes + l,
                 rows);
    });
    row_back(c, o, rows, true, true);
  }
}

template <class R>
void unit_of_many_back(const UnitCall<R>& c) {
  using V = Vec<R>;
  const Affines<R> affines(c);
  const BackRows<R> rows(c);
  const index n = c.out.w * kImageLanes;
  const auto load = [&](index at) {
    Slopes<R> s;
    V* const fields[] = {&s.u, &s.t, &s.du, &s.dt, &s.eu, &s.et, &s.tt};
    for (int f = 0; f < 7; ++f) *fields[f] = V::load(rows.slopes + f * n + at);
    return s;
  };
  const auto store = [&](const Slopes<R>& s, index at) {
    const V* const fields[] = {&s.u, &s.t, &s.du, &s.dt, &s.eu, &s.et, &s.tt};
    for (int f = 0; f < 7; ++f) fields[f]->store(rows.slopes + f * n + at);
  };
  for (index o = 0; o < c.out.h; ++o) {
    const index x0 = c.out.x_at(o), y0 = c.out.y_at(o);
    const auto point = [&](index p, index l, index part) {
      V d, t;
      taped(c, o, p, l, d, t);
      return normal_of(c, affines[part], x0 + p, (y0 + p) * kImageLanes + l, d, t);
    };
    along<R>(c.out.w, [&](index p, index l, index part) {
      const Normal<R> in = point(p, l, part);
      store(Slopes<R>(in.u, in.t), p * kImageLanes + l);
    });
    for (int layer = 0; layer < c.unit->n_run; ++layer)
      layers::visit(c.unit->run[layer].kind, [&](auto type) {
        using L = decltype(type);
        along<R>(c.out.w, [&](index p, index l, index) {
          Slopes<R> s = load(p * kImageLanes + l);
          const Coefficients<L, R> k(c, layer, x0 + p, (y0 + p) * kImageLanes + l, true);
          s.template through<L>(k.x, k.dx, k.y);
          store(s, p * kImageLanes + l);
        });
      });
    along<R>(c.out.w, [&](index p, index l, index part) {
      point_back(c, affines[part], point(p, l, part), load(p * kImageLanes + l), x0 + p, (y0 + p) * kImageLanes + l,
                 (o * c.out.stride + p) * kImageLanes + l, p * kImageLanes + l, rows);
    });
    row_back(c, o, rows, true, true);
  }
}

template <class R>
void unit_of_none_back(const UnitCall<R>& c) {
  using V = Vec<R>;
  const Affines<R> affines(c);
  const BackRows<R> rows(c);
  for (index o = 0; o < c.out.h; ++o) {
    along<R>(c.out.w, [&](index p, index l, index part) {
      const Affine<R>& affine = affines[part];
      const index at = (o * c.out.stride + p) * kImageLanes + l, row_at = p * kImageLanes + l;
      const images::State<V> given{V::load(c.to_g.d + at), V::load(c.to_g.t + at)};
      images::UnitAdjoint<V> g{affine.factor * given.d, affine.factor * given.t, V(0), V(0)};
      if (c.unit->dense) {
        g = images::dense_back(affine, V(c.tables.x[c.unit->mid + c.out.x_at(o) + p]), given);
        g.mid_log.store(rows.mid_log + row_at);
      }
      g.d.store(rows.gd + row_at);
      g.t.store(rows.gt + row_at);
    });
    row_back(c, o, rows, c.unit->dense, false);
  }
}

template <class R>
void unit_back(const UnitCall<R>& c) {
  const ImageUnit<R>& u = *c.unit;
  if (!u.normal) return unit_of_none_back(c);
  if (u.n_run == 0) return unit_of_one_back<images::Unchanged>(c);
  if (u.n_run > 1) return unit_of_many_back(c);
  layers::visit(u.run[0].kind, [&](auto layer) { unit_of_one_back<decltype(layer)>(c); });
}

}  // namespace
}  // namespace ntkrob::NTKROB_ISA
