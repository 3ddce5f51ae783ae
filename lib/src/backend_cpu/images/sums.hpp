/// Sums over windows on a patch, heights then widths, and their adjoints. Included by steps.cpp only.
///
/// Where a tap is inside one image only, K is 0 there and the distance is that side's variance.
#pragma once

#include "backend_cpu/images/steps.hpp"
#include "backend_cpu/vec.hpp"

namespace ntkrob::NTKROB_ISA {
namespace {

template <class R>
inline void clear(R* p, index n) {
  for (index k = 0; k < n; k += Vec<R>::kLanes) Vec<R>(0).store(p + k);
}
template <class R>
inline void add(const R* from, index n, R* to) {
  for (index k = 0; k < n; k += Vec<R>::kLanes) (Vec<R>::load(to + k) + Vec<R>::load(from + k)).store(to + k);
}

/// to = the sum of `count` rows of n numbers.
template <class R>
inline void sum_rows(const R* const* rows, int count, index n, R* to) {
  using V = Vec<R>;
  if (count == 3) {
    const R *a = rows[0], *b = rows[1], *c = rows[2];
    for (index k = 0; k < n; k += V::kLanes) ((V::load(a + k) + V::load(b + k)) + V::load(c + k)).store(to + k);
    return;
  }
  if (count == 0) return clear(to, n);
  std::memcpy(to, rows[0], static_cast<std::size_t>(n) * sizeof(R));
  for (int r = 1; r < count; ++r) add(rows[r], n, to);
}

/// target[k] += the sum of the lanes of row position k, halves folded onto halves, for n positions.
template <class R>
inline void add_lane_sums(const R* row, index n, double* target) {
  using V = Vec<R>;
  constexpr int kVectors = static_cast<int>(kImageLanes) / V::kLanes;
  for (index first = 0; first < n; first += V::kLanes) {
    const index count = n - first < V::kLanes ? n - first : V::kLanes;
    V square[V::kLanes];
    for (int i = 0; i < V::kLanes; ++i) {
      square[i] = V(0);
      if (i >= count) continue;
      const R* lanes = row + (first + i) * kImageLanes;
      V folded[kVectors];
      for (int v = 0; v < kVectors; ++v) folded[v] = V::load(lanes + v * V::kLanes);
      for (int half = kVectors / 2; half > 0; half /= 2)
        for (int v = 0; v < half; ++v) folded[v] = folded[v] + folded[v + half];
      square[i] = folded[0];
    }
    transpose_square(square);
    for (int half = V::kLanes / 2; half > 0; half /= 2)
      for (int i = 0; i < half; ++i) square[i] = square[i] + square[i + half];
    alignas(kBytes) R sums[V::kLanes];
    square[0].store(sums);
    for (index i = 0; i < count; ++i) target[first + i] += static_cast<double>(sums[i]);
  }
}

template <class R>
inline R square_of_root(const R* table, index at) {
  return table[at] * table[at];
}

/// Adds to a row of distances what is inside one image only: along heights, so one number or vector per column.
template <class R>
void add_borders_h(const UnitCall<R>& c, index o, R* d) {
  using V = Vec<R>;
  const Patch& in = c.in;
  const index root = c.unit->root_in;
  for (int k = c.h->x_only.begin[o]; k < c.h->x_only.begin[o + 1]; ++k)
    for (index q = 0; q < in.w; ++q) {
      const V a(square_of_root(c.tables.x, root + c.h->x_only.item[k] * in.row + in.xw + q));
      for (index l = q * kImageLanes; l < (q + 1) * kImageLanes; l += V::kLanes) (V::load(d + l) + a).store(d + l);
    }
  for (int k = c.h->y_only.begin[o]; k < c.h->y_only.begin[o + 1]; ++k) {
    const R* b = c.tables.y + kImageLanes * (root + c.h->y_only.item[k] * in.row + in.yw);
    for (index l = 0; l < in.w * kImageLanes; l += V::kLanes) {
      const V root_b = V::load(b + l);
      fma(root_b, root_b, V::load(d + l)).store(d + l);
    }
  }
}

/// The sums over heights for row o of the output: D and T, in.w positions.
template <class R>
void sum_heights(const UnitCall<R>& c, index o, R* d, R* t) {
  const index n = c.in.w * kImageLanes, step = c.in.stride * kImageLanes;
  const List& taps = c.h->both;
  constexpr int kRows = 8;
  const R* rows[kRows];
  for (int side = 0; side < 2; ++side) {
    const R* plane = side == 0 ? c.from.d : c.from.t;
    R* to = side == 0 ? d : t;
    int count = 0;
    for (int k = taps.begin[o]; k < taps.begin[o + 1]; ++k) {
      rows[count++] = plane + taps.item[k] * step;
      if (count < kRows) continue;
      sum_rows(rows, count, n, to);
      rows[0] = to;
      count = 1;
    }
    if (count != 1 || rows[0] != to) sum_rows(rows, count, n, to);
  }
  if (c.h->one_sided) add_borders_h(c, o, d);
}

/// What column p of output row o has beyond sums of the row: taps along widths that are inside one image only.
template <class R>
inline Vec<R> border_w(const UnitCall<R>& c, index o, index p, index l) {
  using V = Vec<R>;
  const index root = c.unit->root_in, row = c.in.row;
  V sum(0);
  for (int k = c.w->x_only.begin[p]; k < c.w->x_only.begin[p + 1]; ++k)
    for (int r = c.h->x_in.begin[o]; r < c.h->x_in.begin[o + 1]; ++r)
      sum = sum + V(square_of_root(c.tables.x, root + c.h->x_in.item[r] * row + c.w->x_only.item[k]));
  for (int k = c.w->y_only.begin[p]; k < c.w->y_only.begin[p + 1]; ++k)
    for (int r = c.h->y_in.begin[o]; r < c.h->y_in.begin[o + 1]; ++r) {
      const V b = V::load(c.tables.y + kImageLanes * (root + c.h->y_in.item[r] * row + c.w->y_only.item[k]) + l);
      sum = fma(b, b, sum);
    }
  return sum;
}

/// The sum of a row's positions listed for p.
template <class R>
NTKROB_INLINE Vec<R> sum_listed(const List& list, index p, const R* row) {
  using V = Vec<R>;
  int k = list.begin[p];
  const int end = list.begin[p + 1];
  if (k == end) return V(0);
  V sum = V::load(row + list.item[k] * kImageLanes);
  for (++k; k < end; ++k) sum = sum + V::load(row + list.item[k] * kImageLanes);
  return sum;
}

/// The adjoint of the sums for row o: from adjoints of its positions to those of the input's. middle: a row's memory
template <class R>
void sums_back(const UnitCall<R>& c, index o, const R* gd, const R* gt, R* middle) {
  using V = Vec<R>;
  const index step = c.in.stride * kImageLanes;
  const List& rows = c.h->both;
  for (index q = 0; q < c.in.w; ++q)
    for (index l = 0; l < kImageLanes; l += V::kLanes) {
      const V d = sum_listed(c.w->back, q, gd + l), t = sum_listed(c.w->back, q, gt + l);
      const index at = q * kImageLanes + l;
      for (int k = rows.begin[o]; k < rows.begin[o + 1]; ++k) {
        R *to_d = c.from_g.d + rows.item[k] * step + at, *to_t = c.from_g.t + rows.item[k] * step + at;
        (V::load(to_d) + d).store(to_d);
        (V::load(to_t) + t).store(to_t);
      }
      d.store(middle + at);
    }
  for (int k = c.h->x_only.begin[o]; k < c.h->x_only.begin[o + 1]; ++k)
    add_lane_sums(middle, c.in.w, c.in_variance + c.h->x_only.item[k] * c.in.row + c.in.xw);
  if (!c.w->one_sided) return;
  for (index p = 0; p < c.out.w; ++p)
    for (int k = c.w->x_only.begin[p]; k < c.w->x_only.begin[p + 1]; ++k) {
      double sum = 0;
      add_lane_sums(gd + p * kImageLanes, 1, &sum);
      for (int r = c.h->x_in.begin[o]; r < c.h->x_in.begin[o + 1]; ++r)
        c.in_variance[c.h->x_in.item[r] * c.in.row + c.w->x_only.item[k]] += sum;
    }
}

}  // namespace
}  // namespace ntkrob::NTKROB_ISA
