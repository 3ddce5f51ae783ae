/// What begins and ends sweeps: pixels, and the operations between offsets. Included by steps.cpp only.
#pragma once

#include "backend_cpu/images/sums.hpp"

namespace ntkrob::NTKROB_ISA {
namespace {

/// f(row and column of the patch, position in x, position in y, place in the plane)
template <class F>
inline void for_each_pair(const Patch& patch, F&& f) {
  for (index r = 0; r < patch.h; ++r)
    for (index p = 0; p < patch.w; ++p)
      f(r, p, patch.x_at(r) + p, patch.y_at(r) + p, (r * patch.stride + p) * kImageLanes);
}

/// D of the pixels, T = 0.
template <class R>
void input(const InputCall<R>& c) {
  using V = Vec<R>;
  const V inverse(R(1) / static_cast<R>(c.channels));
  for_each_pair(c.patch, [&](index, index, index x, index y, index at) {
    for (index l = 0; l < kImageLanes; l += V::kLanes) {
      V sum(0);
      for (index k = 0; k < c.channels; ++k) {
        const V difference = V(c.x[x * c.channels + k]) - V::load(c.y + k * c.y_plane + y * kImageLanes + l);
        sum = fma(difference, difference, sum);
      }
      (inverse * sum).store(c.to.d + at + l);
      V(0).store(c.to.t + at + l);
    }
  });
}

template <class R>
void input_back(const InputCall<R>& c) {
  using V = Vec<R>;
  constexpr index kColumns = 64;
  const double factor = 2.0 / static_cast<double>(c.channels);
  for (index k = 0; k < c.channels; ++k)
    for (index r = 0; r < c.patch.h; ++r) {
      const index x0 = c.patch.x_at(r), y0 = c.patch.y_at(r);
      for (index p = 0; p < c.patch.w; ++p) {
        const V x(c.x[(x0 + p) * c.channels + k]);
        for (index l = 0; l < kImageLanes; l += V::kLanes) {
          const V g = V::load(c.to.d + (r * c.patch.stride + p) * kImageLanes + l);
          (g * (x - V::load(c.y + k * c.y_plane + (y0 + p) * kImageLanes + l))).store(c.scratch + p * kImageLanes + l);
        }
      }
      for (index p = 0; p < c.patch.w; p += kColumns) {
        const index n = c.patch.w - p < kColumns ? c.patch.w - p : kColumns;
        double sums[kColumns] = {};
        add_lane_sums(c.scratch + p * kImageLanes, n, sums);
        for (index i = 0; i < n; ++i) c.dx[(x0 + p + i) * c.channels + k] += factor * sums[i];
      }
    }
}

/// a + b of a pair, a vector of lanes.
template <class R>
inline Vec<R> variances(const Tables<R>& tables, index root, index x, index y, index l) {
  using V = Vec<R>;
  const V a(tables.x[root + x]), b = V::load(tables.y + kImageLanes * (root + y) + l);
  return fma(a, a, b * b);
}

template <class R>
void spread(const CrossCall<R>& c) {
  using V = Vec<R>;
  for_each_pair(c.in, [&](index r, index p, index x, index y, index at) {
    const index row = r * c.row;
    for (index l = 0; l < kImageLanes; l += V::kLanes) {
      V d = V::load(c.plane.d + at + l);
      const V t = V::load(c.plane.t + at + l);
      if (c.covariances) d = V(0.5) * (variances(c.tables, c.root_in, x, y, l) - d);
      for (int k = c.targets.begin[p]; k < c.targets.begin[p + 1]; ++k) {
        const index to = (row + c.targets.item[k]) * kImageLanes + l;
        (V::load(c.rows.d + to) + d).store(c.rows.d + to);
        (V::load(c.rows.t + to) + t).store(c.rows.t + to);
      }
    }
  });
}

/// D enters K with weight -1/2, and a with 1/2.
template <class R>
void gather(const CrossCall<R>& c) {
  using V = Vec<R>;
  const V weight(c.covariances ? -0.5 : 1.0);
  for (index r = 0; r < c.in.h; ++r) {
    const R *d = c.rows.d + r * c.row * kImageLanes, *t = c.rows.t + r * c.row * kImageLanes;
    for (index p = 0; p < c.in.w; ++p)
      for (index l = 0; l < kImageLanes; l += V::kLanes) {
        const index at = (r * c.in.stride + p) * kImageLanes + l;
        const V g = sum_listed(c.targets, p, d + l);
        (weight * g).store(c.plane.d + at);
        sum_listed(c.targets, p, t + l).store(c.plane.t + at);
        (V(0.5) * g).store(c.scratch + p * kImageLanes + l);
      }
    if (c.covariances) add_lane_sums(c.scratch, c.in.w, c.in_variance + c.in.x_at(r));
  }
}

/// The weight of a pair of output positions.
template <class R>
inline R weight_of(const FinishCall<R>& c, index r, index p) {
  return c.x_h[c.patch.xh + r] * c.x_w[c.patch.xw + p] * c.y_h[c.patch.yh + r] * c.y_w[c.patch.yw + p];
}

template <class R>
void finish(const FinishCall<R>& c) {
  using V = Vec<R>;
  for_each_pair(c.patch, [&](index r, index p, index x, index y, index at) {
    const V weight(weight_of(c, r, p));
    for (index l = 0; l < kImageLanes; l += V::kLanes) {
      V d = weight * V::load(c.plane.d + at + l);
      if (c.covariances) d = fma(V(-2), d, variances(c.tables, c.root_out, x, y, l));
      d.store(c.plane.d + at + l);
      (weight * V::load(c.plane.t + at + l)).store(c.plane.t + at + l);
    }
  });
}

template <class R>
void finish_back(const FinishCall<R>& c) {
  using V = Vec<R>;
  for (index r = 0; r < c.patch.h; ++r) {
    R *d = c.plane.d + r * c.patch.stride * kImageLanes, *t = c.plane.t + r * c.patch.stride * kImageLanes;
    if (c.covariances) add_lane_sums(d, c.patch.w, c.out_variance + c.patch.x_at(r));
    for (index p = 0; p < c.patch.w; ++p) {
      const V weight(weight_of(c, r, p)), of_d(c.covariances ? R(-2) * weight_of(c, r, p) : weight_of(c, r, p));
      for (index l = p * kImageLanes; l < (p + 1) * kImageLanes; l += V::kLanes) {
        (of_d * V::load(d + l)).store(d + l);
        (weight * V::load(t + l)).store(t + l);
      }
    }
  }
}

template <class R>
void total(const R* plane, index n, double* sum) {
  using V = Vec<R>;
  for (index l = 0; l < kImageLanes; l += V::kLanes) {
    V part(0);
    for (index p = 0; p < n; ++p) part = part + V::load(plane + p * kImageLanes + l);
    alignas(kBytes) R lanes[V::kLanes];
    part.store(lanes);
    for (int k = 0; k < V::kLanes; ++k) sum[l + k] += static_cast<double>(lanes[k]);
  }
}

}  // namespace
}  // namespace ntkrob::NTKROB_ISA
