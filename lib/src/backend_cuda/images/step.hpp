/// What a pass over pairs of images does (images/plan.hpp), as plain data for a device, and where its numbers lie.
///
/// A group is one sample x with 1 << lanes_log samples y side by side: every plane has a number for each of them.
/// Stored values have a place in the memory of their group; buffers have one in the memory of a block, which works on
/// one patch after the other: where it is small enough, that is the fast memory that the block's threads share.
#pragma once

#include "backend_cuda/lane.hpp"
#include "backend_cuda/program.hpp"
#include "images/pair.hpp"
#include "images/plan.hpp"

namespace ntkrob::cuda {

/// One axis of a window.
struct Taps {
  int taps = 1, step = 1, dilation = 1, low = 0;
  NTKROB_HD int reach() const { return (taps - 1) * dilation; }
};

/// A layer behind a dense layer: places of its coefficients in the tables of samples.
struct RunLayer {
  int kind, coefficients, derivatives;
};

/// An Instance, with all that a thread has to know about it. Places are counted in numbers.
struct ImageStep {
  Source source = Source::pixels;
  int height = 1, width = 1;   // of the value
  int step_h = 1, step_w = 1;  // its offsets are these times those of the stretch
  index place = 0, adjoint = 0, tape = -1;
  index plane = 0;                                   // from D to T
  const int *begin_h = nullptr, *begin_w = nullptr;  // stored: place of the first pair of offset o at o + size - 1
  int row = 0;                                       // stored: pairs along widths
  int a = -1, b = -1;                                // steps that it reads
  bool first_a = false, first_b = false;             // the way back writes their adjoints; else it adds to them

  bool shift = false, dense = false, normal = false;  // of a unit (images/layout.hpp)
  Taps h, w;
  double inverse_taps = 1;
  const RunLayer* run = nullptr;
  int n_run = 0, next = 0;                                             // next: distance of coefficients
  int mid = 0, inverse = 0, c = 0, beta = 0, share = 0;                // places in the tables
  int root = 0, root_a = 0, root_b = 0, factor = 0;                    // of the value, of those read; of a product
  int variance = 0, variance_mid = 0, variance_a = 0, variance_b = 0;  // places of the adjoints of variances
};

/// The pairs of positions of a value at one offset: a rectangle.
template <class R>
struct Patch {
  R *d, *t;
  int h, w;            // positions
  int xh, xw, yh, yw;  // its corners in the images
  int stride;          // of rows, in positions
  int row;             // width of the images

  NTKROB_HD int x_at(int r, int p) const { return (xh + r) * row + xw + p; }
  NTKROB_HD int y_at(int r, int p) const { return (yh + r) * row + yw + p; }
};

/// Where a block works, and on which samples.
template <class R>
struct Place {
  const R *x, *y;  // tables
  R *group, *block;
  int lanes_log;
  int oh, ow;  // offset

  NTKROB_HD int lanes() const { return 1 << lanes_log; }
  NTKROB_HD Lane<R> of_x(int k) const { return Lane<R>(x[k]); }
  NTKROB_HD Lane<R> of_y(int k, int lane) const { return Lane<R>(y[(static_cast<index>(k) << lanes_log) + lane]); }

  NTKROB_HD Patch<R> patch(const ImageStep& s, bool adjoint = false) const {
    const int dh = oh * s.step_h, dw = ow * s.step_w;
    Patch<R> p;
    p.h = s.height - (dh < 0 ? -dh : dh);
    p.w = s.width - (dw < 0 ? -dw : dw);
    p.xh = dh < 0 ? -dh : 0;
    p.xw = dw < 0 ? -dw : 0;
    p.yh = dh > 0 ? dh : 0;
    p.yw = dw > 0 ? dw : 0;
    p.row = s.width;
    const index place = adjoint ? s.adjoint : s.place;
    if (s.source == Source::stored) {
      const index at = static_cast<index>(s.begin_h[dh + s.height - 1]) * s.row + s.begin_w[dw + s.width - 1];
      p.d = group + place + (at << lanes_log);
      p.stride = s.row;
    } else {
      p.d = block + place;
      p.stride = p.w;
    }
    p.t = p.d + s.plane;
    return p;
  }

  /// Of pair (r, p), lane l of a patch.
  NTKROB_HD index at(const Patch<R>& patch, int r, int p, int lane) const {
    return (static_cast<index>(r * patch.stride + p) << lanes_log) + lane;
  }
  NTKROB_HD images::State<Lane<R>> get(const Patch<R>& patch, index at) const {
    return {Lane<R>(patch.d[at]), Lane<R>(patch.t[at])};
  }
  NTKROB_HD static void put(const Patch<R>& patch, index at, images::State<Lane<R>> s) {
    patch.d[at] = s.d.v;
    patch.t[at] = s.t.v;
  }
  NTKROB_HD static void put_or_add(const Patch<R>& patch, index at, images::State<Lane<R>> s, bool put) {
    patch.d[at] = put ? s.d.v : patch.d[at] + s.d.v;
    patch.t[at] = put ? s.t.v : patch.t[at] + s.t.v;
  }
};

constexpr int kImageThreads = 128;

/// f(row, column, lane) for a thread's share of h x w positions and all lanes. A thread has one lane.
template <class F>
NTKROB_HD inline void for_each_pair(int h, int w, int lanes_log, int thread, F&& f) {
  const int lane = thread & ((1 << lanes_log) - 1), step = kImageThreads >> lanes_log, n = h * w;
  for (int k = thread >> lanes_log; k < n; k += step) f(k / w, k % w, lane);
}

/// Which layers a kernel has code for: few need few registers.
struct AllLayers {
  template <class F>
  NTKROB_HD static void visit(int kind, F&& f) {
    layers::visit(kind, f);
  }
};
struct OnlyRelu {
  template <class F>
  NTKROB_HD static void visit(int, F&& f) {
    f(layers::Relu{});
  }
};

/// What becomes of the last value of a stretch.
enum class StretchEnd { target, mean, join };

/// A stretch, for all groups of a chunk: those of row i of x are i * row_groups and following.
template <class R>
struct ImageStretch {
  const ImageStep* steps = nullptr;
  int n_steps = 0;
  const int *offsets_h = nullptr, *offsets_w = nullptr;
  int n_h = 0, n_w = 0, parts = 1;
  int lanes_log = 0, channels = 1;

  index rows = 0, row_groups = 0, first_group = 0;  // first_group: of y
  bool same = false;                                // x i is paired with y group i alone
  const R *x = nullptr, *y = nullptr;
  index x_stride = 0, x_pixels = 0, y_stride = 0, y_pixels = 0;

  R* groups = nullptr;
  index group_numbers = 0;
  R* blocks = nullptr;  // null: shared memory
  index block_numbers = 0;

  StretchEnd end = StretchEnd::target;
  ImageStep joined;           // join: all offsets of the last value; target: its one, both stored
  bool covariances = false;   // join: as K = (a + b - D) / 2
  double* partial = nullptr;  // mean: two sums for each group, part and lane

  NTKROB_HD int items() const { return n_h * n_w; }
  NTKROB_HD Place<R> place(index row, index group, int item, R* block) const {
    const index y_group = same ? row : first_group + group;
    return {x + row * x_stride,
            y + y_group * y_stride,
            groups + (row * row_groups + group) * group_numbers,
            block,
            lanes_log,
            offsets_h[item / n_w],
            offsets_w[item % n_w]};
  }
  NTKROB_HD const ImageStep& last() const { return steps[n_steps - 1]; }
};

}  // namespace ntkrob::cuda
