/// Back through a stretch: a block has one sample x and a share of its pairs and offsets. It takes each patch forward
/// again, with a tape, then back, and adds what belongs to x to sums of its own, in float64 and in a fixed order.
///
/// The way back of a step has two phases: from the adjoints of its output to those of each of its pairs, then from
/// those to the adjoints of its input and to the sums.
#pragma once

#include "backend_cuda/images/forward.hpp"

namespace ntkrob::cuda {

template <class R>
struct ImageAdjoint {
  ImageStretch<R> forward;
  index logs = 0;          // place of two planes in the memory of a block: adjoints of variances by pair
  index log_plane = 0;     // numbers of one
  double* sums = nullptr;  // rows x parts x sum_numbers: adjoints of variances, then of pixels
  index sum_numbers = 0, pixels = 0;
  int parts = 1;
  bool whole_groups = false;  // all offsets of a group belong to one part
  index tile_group = 0;       // number of the first group of the chunk in its tile: what parts are shared out by
  ImageStep seed;             // adjoints of the last value, stored; of a mean: the one of the mean
  double mean_share = 1;
};

/// Registers are few: what lies in memory is read again behind this, instead of being kept.
NTKROB_HD inline void forget() {
#ifdef __CUDA_ARCH__
  asm volatile("" ::: "memory");
#endif
}

/// The first half of the way back through a unit.
template <class Layers, class R>
NTKROB_HD inline void unit_back(const ImageAdjoint<R>& job, const Place<R>& at, const ImageStep& s, int thread) {
  using V = Lane<R>;
  const ImageStep& from = job.forward.steps[s.a];
  const Patch<R> in = at.patch(from), out = at.patch(s), adjoint = at.patch(s, true);
  R *mid_log = at.block + job.logs, *out_log = mid_log + job.log_plane;
  for_each_pair(out.h, out.w, at.lanes_log, thread, [&](int r, int p, int lane) {
    const index k = at.at(out, r, p, lane);
    const int x = out.x_at(r, p), y = out.y_at(r, p);
    const auto normal = [&] {
      const images::State<V> sums = s.tape >= 0
                                        ? images::State<V>{V(at.block[s.tape + k]), V(at.block[s.tape + s.plane + k])}
                                        : at.get(in, at.at(in, r, p, lane));
      return normal_of(at, s, affine_of(at, s, lane), x, y, lane, sums);
    };
    images::UnitAdjoint<V> found;
    if (s.normal) {
      images::Slopes<V> slopes;
      {
        const images::Normal<V> in_front = normal();
        slopes = images::Slopes<V>(in_front.u, in_front.t);
      }
      forget();
      for (int l = 0; l < s.n_run; ++l) {
        const RunLayer layer = s.run[l];
        Layers::visit(layer.kind, [&](auto type) {
          using L = decltype(type);
          constexpr int n = L::kCoefficients;
          V cx[n + 1], dx[n + 1], cy[n + 1];
          const auto load = [&] {
            for (int i = 0; i < n; ++i) {
              cx[i] = at.of_x(layer.coefficients + i * s.next + x);
              dx[i] = at.of_x(layer.derivatives + i * s.next + x);
              cy[i] = at.of_y(layer.coefficients + i * s.next + y, lane);
            }
          };
          load();
          slopes.template kernel_through<L>(cx, cy);
          forget();
          load();
          slopes.template gap_through<L>(cx, dx, cy);
        });
      }
      forget();
      found = images::layers_back(affine_of(at, s, lane), normal(), slopes, at.of_x(s.root + x),
                                  at.of_y(s.root + y, lane), at.get(adjoint, k));
    } else {
      const images::State<V> g = at.get(adjoint, k);
      const images::Affine<V> affine = affine_of(at, s, lane);
      found = s.dense ? images::dense_back(affine, at.of_x(s.mid + x), g)
                      : images::UnitAdjoint<V>{affine.factor * g.d, affine.factor * g.t, V(0), V(0)};
    }
    at.put(adjoint, k, {found.d, found.t});
    mid_log[k] = found.mid_log.v;
    out_log[k] = found.out_log.v;
  });
}

/// The adjoint of the window sums: the outputs that read position (h, w) of x, on this patch.
template <class R>
NTKROB_HD inline images::State<Lane<R>> outputs_of(const Place<R>& at, const ImageStep& s, const Patch<R>& out,
                                                   const Patch<R>& adjoint, int h, int w, int lane) {
  R d = 0, t = 0;
  for (int th = 0; th < s.h.taps; ++th) {
    const int from_h = h + s.h.low - th * s.h.dilation, r = from_h / s.h.step - out.xh;
    if (from_h < 0 || from_h % s.h.step != 0 || r < 0 || r >= out.h) continue;
    for (int tw = 0; tw < s.w.taps; ++tw) {
      const int from_w = w + s.w.low - tw * s.w.dilation, p = from_w / s.w.step - out.xw;
      if (from_w < 0 || from_w % s.w.step != 0 || p < 0 || p >= out.w) continue;
      const index k = at.at(adjoint, r, p, lane);
      d += adjoint.d[k];
      t += adjoint.t[k];
    }
  }
  return {Lane<R>(d), Lane<R>(t)};
}

/// The sum of a plane's lanes at a pair, at its place in the tables of x.
template <class R>
NTKROB_HD inline double lane_sum(const Place<R>& at, const R* plane, index first) {
  double sum = 0;
  for (int l = 0; l < at.lanes(); ++l) sum += static_cast<double>(plane[first + l]);
  return sum;
}

/// f(r, p) for a thread's share of h x w positions, without lanes.
template <class F>
NTKROB_HD inline void for_each_position(int h, int w, int thread, F&& f) {
  const int n = h * w;
  for (int k = thread; k < n; k += kImageThreads) f(k / w, k % w);
}

/// An adjoint by log A, from a plane, as one by A.
template <class R>
NTKROB_HD inline void add_logs(const Place<R>& at, const Patch<R>& out, const R* plane, int root, double* sums,
                               int thread) {
  for_each_position(out.h, out.w, thread, [&](int r, int p) {
    const int x = out.x_at(r, p);
    const double a = static_cast<double>(at.of_x(root + x).v);
    if (a > 0) sums[x] += lane_sum(at, plane, at.at(out, r, p, 0)) / (a * a);
  });
}

/// The second half.
template <class R>
NTKROB_HD inline void unit_to_input(const ImageAdjoint<R>& job, const Place<R>& at, const ImageStep& s, double* sums,
                                    int thread) {
  const ImageStep& from = job.forward.steps[s.a];
  const Patch<R> in = at.patch(from), out = at.patch(s), adjoint = at.patch(s, true), to = at.patch(from, true);
  const R* logs = at.block + job.logs;
  if (s.dense || s.normal) add_logs(at, out, logs, s.mid, sums + s.variance_mid, thread);
  if (s.normal) add_logs(at, out, logs + job.log_plane, s.root, sums + s.variance, thread);
  for_each_pair(in.h, in.w, at.lanes_log, thread, [&](int r, int p, int lane) {
    const images::State<Lane<R>> g = s.shift ? outputs_of(at, s, out, adjoint, in.xh + r, in.xw + p, lane)
                                             : at.get(adjoint, at.at(adjoint, r, p, lane));
    at.put_or_add(to, at.at(to, r, p, lane), g, s.first_a);
  });
  if (!s.shift) return;
  // Positions of x outside the patch of the input: under taps that are inside one image only.
  const int first_h = out.xh * s.h.step - s.h.low, last_h = (out.xh + out.h - 1) * s.h.step - s.h.low + s.h.reach();
  const int first_w = out.xw * s.w.step - s.w.low, last_w = (out.xw + out.w - 1) * s.w.step - s.w.low + s.w.reach();
  const int h0 = first_h > 0 ? first_h : 0, h1 = last_h < from.height ? last_h + 1 : from.height;
  const int w0 = first_w > 0 ? first_w : 0, w1 = last_w < from.width ? last_w + 1 : from.width;
  if (h0 >= in.xh && h1 <= in.xh + in.h && w0 >= in.xw && w1 <= in.xw + in.w) return;
  for_each_position(h1 - h0, w1 - w0, thread, [&](int r, int p) {
    const int h = h0 + r, w = w0 + p;
    if (h >= in.xh && h < in.xh + in.h && w >= in.xw && w < in.xw + in.w) return;
    double sum = 0;
    for (int l = 0; l < at.lanes(); ++l) sum += static_cast<double>(outputs_of(at, s, out, adjoint, h, w, l).d.v);
    sums[s.variance_a + h * from.width + w] += sum;
  });
}

template <class R>
NTKROB_HD inline void product_back(const ImageAdjoint<R>& job, const Place<R>& at, const ImageStep& s, int thread) {
  const ImageStep *steps = job.forward.steps, &a = steps[s.a], &b = steps[s.b];
  const Patch<R> one = at.patch(a), two = at.patch(b), out = at.patch(s, true), to_one = at.patch(a, true),
                 to_two = at.patch(b, true);
  R* logs = at.block + job.logs;
  for_each_pair(out.h, out.w, at.lanes_log, thread, [&](int r, int p, int lane) {
    const index k = at.at(out, r, p, lane);
    const auto g = product_of(at, s, one, two, r, p, lane).back(at.get(out, k));
    at.put_or_add(to_one, at.at(to_one, r, p, lane), g.one, s.first_a);
    at.put_or_add(to_two, at.at(to_two, r, p, lane), g.two, s.first_b);
    logs[k] = g.variance_one.v;
    logs[job.log_plane + k] = g.variance_two.v;
  });
}

template <class R, class Layers>
struct ImageBackward {
  static constexpr int kThreads = kImageThreads;
  struct Shared {
    R memory[kSharedNumbers];
  };
  using Own = None;
  ImageAdjoint<R> job;

  NTKROB_HD int per_patch() const { return 3 * job.forward.n_steps + 1; }
  /// Pieces of work of row i: groups in turn, offsets in turn; those of a part are `parts` apart.
  NTKROB_HD int patches_of_part() const {
    const index items = job.forward.items(), groups = job.forward.row_groups;
    if (job.whole_groups) return static_cast<int>((groups + job.parts - 1) / job.parts * items);
    return static_cast<int>((groups * items + job.parts - 1) / job.parts);
  }
  long long blocks() const { return job.forward.rows * job.parts; }
  int phases() const { return patches_of_part() * per_patch(); }

  NTKROB_HD void run(int phase, long long block, int thread, Own&, Shared& shared) const {
    const ImageStretch<R>& s = job.forward;
    const index row = block / job.parts, part = block % job.parts, items = s.items();
    const index number = phase / per_patch(), step = phase % per_patch();
    // Of the pieces of the chunk, the first one whose number in the tile belongs to this part.
    const index before = job.whole_groups ? job.tile_group : job.tile_group * items;
    const index first = (part - before % job.parts + job.parts) % job.parts;
    const index piece =
        job.whole_groups ? (first + number / items * job.parts) * items + number % items : first + number * job.parts;
    if (piece >= s.row_groups * items) return;
    R* memory = s.blocks == nullptr ? shared.memory : s.blocks + block * s.block_numbers;
    const Place<R> at = s.place(row, piece / items, static_cast<int>(piece % items), memory);
    double* sums = job.sums + block * job.sum_numbers;
    if (step < s.n_steps)
      forward_step<Layers>(s, at, static_cast<int>(step), thread);
    else if (step == s.n_steps)
      begin(at, sums, thread);
    else
      back(at, s.n_steps - 1 - static_cast<int>(step - s.n_steps - 1) / 2, (step - s.n_steps) % 2 == 1, sums, thread);
  }

  /// The adjoints of the last step.
  NTKROB_HD void begin(const Place<R>& at, double* sums, int thread) const {
    using V = Lane<R>;
    const ImageStep& last = job.forward.last();
    const Patch<R> to = at.patch(last, true);
    if (job.forward.end == StretchEnd::mean) {
      const R *d = at.group + job.seed.place, *t = d + job.seed.plane;
      return for_each_pair(to.h, to.w, at.lanes_log, thread, [&](int r, int p, int lane) {
        at.put(to, at.at(to, r, p, lane),
               {V(static_cast<double>(d[lane]) * job.mean_share), V(static_cast<double>(t[lane]) * job.mean_share)});
      });
    }
    const Patch<R> from = at.patch(job.seed);
    const V weight(job.forward.covariances ? R(-0.5) : R(1));  // K = (a + b - D) / 2
    for_each_pair(to.h, to.w, at.lanes_log, thread, [&](int r, int p, int lane) {
      const images::State<V> g = at.get(from, at.at(from, r, p, lane));
      at.put(to, at.at(to, r, p, lane), {weight * g.d, g.t});
    });
    if (!job.forward.covariances) return;
    for_each_position(from.h, from.w, thread, [&](int r, int p) {
      sums[last.variance + from.x_at(r, p)] += 0.5 * lane_sum(at, from.d, at.at(from, r, p, 0));
    });
  }

  NTKROB_HD void back(const Place<R>& at, int number, bool first_half, double* sums, int thread) const {
    const ImageStep& s = job.forward.steps[number];
    switch (s.source) {
      case Source::stored:
        return;
      case Source::unit:
        return first_half ? unit_back<Layers>(job, at, s, thread) : unit_to_input(job, at, s, sums, thread);
      case Source::pixels:
        return first_half ? void() : to_pixels(at, s, sums + job.pixels, thread);
      case Source::product: {
        if (first_half) return product_back(job, at, s, thread);
        const Patch<R> out = at.patch(s, true);
        const R* logs = at.block + job.logs;
        return for_each_position(out.h, out.w, thread, [&](int r, int p) {
          const index k = at.at(out, r, p, 0);
          const int x = out.x_at(r, p);
          sums[s.variance_a + x] += lane_sum(at, logs, k);
          sums[s.variance_b + x] += lane_sum(at, logs + job.log_plane, k);
        });
      }
      case Source::copy:
      case Source::sum: {
        if (first_half) return;
        const Patch<R> out = at.patch(s, true);
        for (int side = 0; side < (s.b >= 0 ? 2 : 1); ++side) {
          const Patch<R> to = at.patch(job.forward.steps[side == 0 ? s.a : s.b], true);
          for_each_pair(out.h, out.w, at.lanes_log, thread, [&](int r, int p, int lane) {
            at.put_or_add(to, at.at(to, r, p, lane), at.get(out, at.at(out, r, p, lane)),
                          side == 0 ? s.first_a : s.first_b);
          });
        }
        return;
      }
    }
  }

  NTKROB_HD void to_pixels(const Place<R>& at, const ImageStep& s, double* sums, int thread) const {
    const ImageStretch<R>& f = job.forward;
    const Patch<R> g = at.patch(s, true);
    const R *x = at.x + f.x_pixels, *y = at.y + f.y_pixels;
    const index plane = static_cast<index>(s.height) * s.width;
    const double factor = 2.0 / static_cast<double>(f.channels);
    for_each_position(g.h, g.w, thread, [&](int r, int p) {
      const int px = g.x_at(r, p), py = g.y_at(r, p);
      const index k = at.at(g, r, p, 0);
      for (int c = 0; c < f.channels; ++c) {
        const R own = x[px * f.channels + c];
        double sum = 0;
        for (int l = 0; l < at.lanes(); ++l)
          sum += static_cast<double>(g.d[k + l] * (own - y[((c * plane + py) << at.lanes_log) + l]));
        sums[px * f.channels + c] += factor * sum;
      }
    });
  }
};

}  // namespace ntkrob::cuda
