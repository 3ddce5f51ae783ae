/// Forward through a stretch: a block has one group of pairs and a share of the offsets, and takes each patch through
/// all steps before the next one.
#pragma once

#include "backend_cuda/images/step.hpp"

namespace ntkrob::cuda {

/// Numbers that the buffers of a block may have in its shared memory.
constexpr int kSharedNumbers = 4096;

/// The sums of D and T over the window of an output pair: xh, xw, yh, yw are the positions of its first tap. Where a
/// tap is inside one image only, K is 0 there and the distance is that side's variance.
template <class R>
NTKROB_HD inline images::State<Lane<R>> window_sums(const Place<R>& at, const ImageStep& s, const ImageStep& from,
                                                    const Patch<R>& in, int xh, int xw, int yh, int yw, int lane) {
  const int low_h = xh < yh ? xh : yh, high_h = (xh < yh ? yh : xh) + s.h.reach();
  const int low_w = xw < yw ? xw : yw, high_w = (xw < yw ? yw : xw) + s.w.reach();
  R d = 0, t = 0;
  if (low_h >= 0 && low_w >= 0 && high_h < from.height && high_w < from.width) {
    const R* row = in.d + at.at(in, xh - in.xh, xw - in.xw, lane);
    const index next_row = static_cast<index>(s.h.dilation * in.stride) << at.lanes_log,
                next = static_cast<index>(s.w.dilation) << at.lanes_log, kernel = in.t - in.d;
    if (s.h.taps == 3 && s.w.taps == 3) {
      for (int th = 0; th < 3; ++th, row += next_row) {
        d += row[0] + row[next] + row[2 * next];
        t += row[kernel] + row[kernel + next] + row[kernel + 2 * next];
      }
    } else {
      for (int th = 0; th < s.h.taps; ++th, row += next_row)
        for (int tw = 0; tw < s.w.taps; ++tw) {
          d += row[tw * next];
          t += row[tw * next + kernel];
        }
    }
    return {Lane<R>(d), Lane<R>(t)};
  }
  for (int th = 0; th < s.h.taps; ++th) {
    const int ph = xh + th * s.h.dilation, qh = yh + th * s.h.dilation;
    const bool x_row = ph >= 0 && ph < from.height, y_row = qh >= 0 && qh < from.height;
    for (int tw = 0; tw < s.w.taps; ++tw) {
      const int pw = xw + tw * s.w.dilation, qw = yw + tw * s.w.dilation;
      const bool of_x = x_row && pw >= 0 && pw < from.width, of_y = y_row && qw >= 0 && qw < from.width;
      if (of_x && of_y) {
        const index k = at.at(in, ph - in.xh, pw - in.xw, lane);
        d += in.d[k];
        t += in.t[k];
      } else if (of_x) {
        const R root = at.of_x(s.root_a + ph * from.width + pw).v;
        d += root * root;
      } else if (of_y) {
        const R root = at.of_y(s.root_a + qh * from.width + qw, lane).v;
        d += root * root;
      }
    }
  }
  return {Lane<R>(d), Lane<R>(t)};
}

template <class R>
NTKROB_HD inline images::Affine<Lane<R>> affine_of(const Place<R>& at, const ImageStep& s, int lane) {
  using V = Lane<R>;
  if (!s.dense) return images::Affine<V>(V(s.inverse_taps));
  return images::Affine<V>(V(s.inverse_taps), at.of_x(s.c), at.of_y(s.c, lane), at.of_x(s.beta), at.of_y(s.beta, lane));
}

/// Behind window and dense layer, at positions x and y.
template <class R>
NTKROB_HD inline images::Point<Lane<R>> point_of(const Place<R>& at, const ImageStep& s,
                                                 const images::Affine<Lane<R>>& affine, int x, int y, int lane,
                                                 Lane<R> sum) {
  return {affine, at.of_x(s.mid + x), at.of_y(s.mid + y, lane), at.of_x(s.share + x), at.of_y(s.share + y, lane), sum};
}
template <class R>
NTKROB_HD inline images::Normal<Lane<R>> normal_of(const Place<R>& at, const ImageStep& s,
                                                   const images::Affine<Lane<R>>& affine, int x, int y, int lane,
                                                   images::State<Lane<R>> sums) {
  return {affine, point_of(at, s, affine, x, y, lane, sums.d), at.of_x(s.inverse + x) * at.of_y(s.inverse + y, lane),
          sums.t};
}

/// The sums of pair (r, p) of a unit's output, or what it reads where it has no window.
template <class R>
NTKROB_HD inline images::State<Lane<R>> sums_of(const Place<R>& at, const ImageStep& s, const ImageStep& from,
                                                const Patch<R>& in, const Patch<R>& out, int r, int p, int lane) {
  if (!s.shift) return at.get(in, at.at(in, r, p, lane));
  return window_sums(at, s, from, in, (out.xh + r) * s.h.step - s.h.low, (out.xw + p) * s.w.step - s.w.low,
                     (out.yh + r) * s.h.step - s.h.low, (out.yw + p) * s.w.step - s.w.low, lane);
}

template <class Layers, class R>
NTKROB_HD inline void unit(const Place<R>& at, const ImageStep* steps, const ImageStep& s, int thread) {
  using V = Lane<R>;
  const ImageStep& from = steps[s.a];
  const Patch<R> in = at.patch(from), out = at.patch(s);
  const int own_lane = thread & (at.lanes() - 1);
  const images::Affine<V> affine = affine_of(at, s, own_lane);
  for_each_pair(out.h, out.w, at.lanes_log, thread, [&](int r, int p, int lane) {
    const images::State<V> sums = sums_of(at, s, from, in, out, r, p, lane);
    const index to = at.at(out, r, p, lane);
    const int x = out.x_at(r, p), y = out.y_at(r, p);
    if (s.tape >= 0) {
      at.block[s.tape + to] = sums.d.v;
      at.block[s.tape + s.plane + to] = sums.t.v;
    }
    if (!s.normal) {
      if (s.dense)
        at.put(out, to, images::behind_dense(affine, point_of(at, s, affine, x, y, lane, sums.d), sums.t));
      else
        at.put(out, to, {affine.factor * sums.d, affine.factor * sums.t});
      return;
    }
    const images::Normal<V> normal = normal_of(at, s, affine, x, y, lane, sums);
    PairValue<V> state{normal.u, normal.t};
    for (int k = 0; k < s.n_run; ++k) {
      const RunLayer layer = s.run[k];
      Layers::visit(layer.kind, [&](auto type) {
        using L = decltype(type);
        constexpr int n = L::kCoefficients;
        V cx[n + 1], cy[n + 1];
        for (int i = 0; i < n; ++i) {
          cx[i] = at.of_x(layer.coefficients + i * s.next + x);
          cy[i] = at.of_y(layer.coefficients + i * s.next + y, lane);
        }
        L::value(state, cx, cy);
      });
    }
    at.put(out, to, images::behind_layers(at.of_x(s.root + x), at.of_y(s.root + y, lane), state.u, state.t));
  });
}

/// The factors of a product at pair (r, p).
template <class R>
NTKROB_HD inline images::Product<Lane<R>> product_of(const Place<R>& at, const ImageStep& s, const Patch<R>& one,
                                                     const Patch<R>& two, int r, int p, int lane) {
  const int x = one.x_at(r, p), y = one.y_at(r, p);
  return {at.of_x(s.factor),
          at.of_y(s.factor, lane),
          at.of_x(s.root_a + x),
          at.of_y(s.root_a + y, lane),
          at.of_x(s.root_b + x),
          at.of_y(s.root_b + y, lane),
          at.get(one, at.at(one, r, p, lane)),
          at.get(two, at.at(two, r, p, lane))};
}

/// One step for a whole patch.
template <class Layers, class R>
NTKROB_HD inline void forward_step(const ImageStretch<R>& job, const Place<R>& at, int number, int thread) {
  using V = Lane<R>;
  const ImageStep& s = job.steps[number];
  switch (s.source) {
    case Source::stored:
      return;
    case Source::unit:
      return unit<Layers>(at, job.steps, s, thread);
    case Source::pixels: {
      const Patch<R> out = at.patch(s);
      const R *x = at.x + job.x_pixels, *y = at.y + job.y_pixels;
      const R inverse = R(1) / static_cast<R>(job.channels);
      const index plane = static_cast<index>(s.height) * s.width;
      return for_each_pair(out.h, out.w, at.lanes_log, thread, [&](int r, int p, int lane) {
        R sum = 0;
        for (int c = 0; c < job.channels; ++c) {
          const R difference =
              x[out.x_at(r, p) * job.channels + c] - y[((c * plane + out.y_at(r, p)) << at.lanes_log) + lane];
          sum = std::fma(difference, difference, sum);
        }
        at.put(out, at.at(out, r, p, lane), {V(inverse * sum), V(0)});
      });
    }
    case Source::product: {
      const Patch<R> out = at.patch(s), one = at.patch(job.steps[s.a]), two = at.patch(job.steps[s.b]);
      return for_each_pair(out.h, out.w, at.lanes_log, thread, [&](int r, int p, int lane) {
        at.put(out, at.at(out, r, p, lane), product_of(at, s, one, two, r, p, lane).value());
      });
    }
    case Source::copy:
    case Source::sum: {
      const bool both = s.b >= 0;
      const Patch<R> out = at.patch(s), one = at.patch(job.steps[s.a]), two = at.patch(job.steps[both ? s.b : s.a]);
      return for_each_pair(out.h, out.w, at.lanes_log, thread, [&](int r, int p, int lane) {
        images::State<V> state = at.get(one, at.at(one, r, p, lane));
        if (both) {
          const images::State<V> other = at.get(two, at.at(two, r, p, lane));
          state = {state.d + other.d, state.t + other.t};
        }
        at.put(out, at.at(out, r, p, lane), state);
      });
    }
  }
}

/// a + b of a pair, for a value with these roots.
template <class R>
NTKROB_HD inline R variances_of(const Place<R>& at, int root, int x, int y, int lane) {
  const R a = at.of_x(root + x).v, b = at.of_y(root + y, lane).v;
  return std::fma(a, a, b * b);
}

template <class R, class Layers>
struct ImageForward {
  static constexpr int kThreads = kImageThreads;
  /// Blocks that hide each other's barriers, as many as there are registers for.
  static constexpr int kResident = sizeof(R) == 4 && std::is_same_v<Layers, OnlyRelu> ? 6 : 1;
  static constexpr int kFolds = 7;  // 1 << kFolds == kThreads
  struct Shared {
    R memory[kSharedNumbers];
    double sums[2][kThreads];
  };
  struct Own {
    double d, t;
  };
  ImageStretch<R> job;

  NTKROB_HD int items_of_part() const { return (job.items() + job.parts - 1) / job.parts; }
  NTKROB_HD int folds() const { return kFolds - job.lanes_log; }  // down to one number for each lane
  long long blocks() const { return job.rows * job.row_groups * job.parts; }
  int phases() const { return items_of_part() * (job.n_steps + 1) + (job.end == StretchEnd::mean ? folds() + 2 : 0); }

  NTKROB_HD void run(int phase, long long block, int thread, Own& own, Shared& shared) const {
    if (phase == 0) own = {0, 0};
    const index part = block % job.parts, group = block / job.parts;
    const int per_item = job.n_steps + 1, step = phase % per_item;
    if (phase >= items_of_part() * per_item)
      return fold_sums(phase - items_of_part() * per_item, block, thread, own, shared);
    const int item = static_cast<int>(part) + phase / per_item * job.parts;
    if (item >= job.items()) return;
    R* memory = job.blocks == nullptr ? shared.memory : job.blocks + block * job.block_numbers;
    const Place<R> at = job.place(group / job.row_groups, group % job.row_groups, item, memory);
    if (step < job.n_steps)
      forward_step<Layers>(job, at, step, thread);
    else
      end_patch(at, thread, own);
  }

  NTKROB_HD void end_patch(const Place<R>& at, int thread, Own& own) const {
    const ImageStep& last = job.last();
    const Patch<R> from = at.patch(last);
    if (job.end == StretchEnd::mean)
      return for_each_pair(from.h, from.w, at.lanes_log, thread, [&](int r, int p, int lane) {
        const index k = at.at(from, r, p, lane);
        own.d += static_cast<double>(from.d[k]);
        own.t += static_cast<double>(from.t[k]);
      });
    const Patch<R> to = at.patch(job.joined);
    for_each_pair(from.h, from.w, at.lanes_log, thread, [&](int r, int p, int lane) {
      images::State<Lane<R>> s = at.get(from, at.at(from, r, p, lane));
      if (job.covariances) {
        const R both = variances_of(at, job.joined.root, from.x_at(r, p), from.y_at(r, p), lane);
        s.d = Lane<R>(R(0.5) * (both - s.d.v));
      }
      at.put(to, at.at(to, r, p, lane), s);
    });
  }

  /// The sums of all threads of a lane, in a fixed order.
  NTKROB_HD void fold_sums(int fold, long long block, int thread, const Own& own, Shared& shared) const {
    double *d = shared.sums[0], *t = shared.sums[1];
    const int lanes = 1 << job.lanes_log, half = kThreads >> fold;
    if (fold == 0) {
      d[thread] = own.d;
      t[thread] = own.t;
    } else if (fold <= folds()) {
      if (thread >= half) return;
      d[thread] += d[thread + half];
      t[thread] += t[thread + half];
    } else if (thread < lanes) {
      job.partial[(2 * block << job.lanes_log) + thread] = d[thread];
      job.partial[((2 * block + 1) << job.lanes_log) + thread] = t[thread];
    }
  }
};

}  // namespace ntkrob::cuda
