/// Between and behind stretches: operations that join offsets, sums over blocks, results. One thread for one number.
#pragma once

#include "backend_cuda/images/step.hpp"

namespace ntkrob::cuda {

/// A program without phases: kThreads numbers for each block.
struct OneByOne {
  static constexpr int kThreads = 128;
  using Shared = None;
  using Own = None;
  static long long blocks_of(index numbers) { return (numbers + kThreads - 1) / kThreads; }
  int phases() const { return 1; }
  NTKROB_HD static index number(long long block, int thread) { return block * kThreads + thread; }
};

/// Pairs of one axis of a joined value: positions in each image, and weights.
struct PairAxis {
  int n = 0;
  const int *x = nullptr, *y = nullptr;
  const double* weight = nullptr;
};

/// out = sums of `in` over lists along one axis, for both planes of all groups. Weights, and distances from
/// covariances, come last on the way forward, along heights; on the way back, first, along heights, too.
template <class R>
struct Join : OneByOne {
  enum Weigh { none, results, adjoints };
  index groups = 0, row_groups = 0, group_numbers = 0, first_group = 0;
  bool same = false;
  int lanes_log = 0;
  R* memory = nullptr;
  index in = 0, out = 0;  // places
  int in_h = 0, in_w = 0, out_h = 0, out_w = 0;
  bool along_heights = false;
  const int *begin = nullptr, *item = nullptr;  // by output
  Weigh weigh = none;
  bool covariances = false;
  PairAxis h, w;  // of the joined value
  int row = 0, root = 0;
  const R *x = nullptr, *y = nullptr;
  index x_stride = 0, y_stride = 0;

  NTKROB_HD index per_group() const { return static_cast<index>(out_h) * out_w << lanes_log; }
  long long blocks() const { return blocks_of(groups * per_group()); }

  NTKROB_HD void run(int, long long block, int thread, Own&, Shared&) const {
    const index number = OneByOne::number(block, thread), group = number / per_group(), k = number % per_group();
    if (group >= groups) return;
    const int lane = static_cast<int>(k & ((1 << lanes_log) - 1)), r = static_cast<int>((k >> lanes_log) / out_w),
              p = static_cast<int>((k >> lanes_log) % out_w), listed = along_heights ? r : p;
    R* numbers = memory + group * group_numbers;
    const R *from_d = numbers + in, *from_t = from_d + (static_cast<index>(in_h) * in_w << lanes_log);
    R d = 0, t = 0;
    for (int i = begin[listed]; i < begin[listed + 1]; ++i) {
      const int ih = along_heights ? item[i] : r, iw = along_heights ? p : item[i];
      const index at = ((static_cast<index>(ih) * in_w + iw) << lanes_log) + lane;
      const R weight = weigh == adjoints ? static_cast<R>(h.weight[ih] * w.weight[iw]) : R(1);
      d += weight * from_d[at];
      t += weight * from_t[at];
    }
    if (weigh == results) {
      const R weight = static_cast<R>(h.weight[r] * w.weight[p]);
      d *= weight;
      t *= weight;
      if (covariances) {
        const index own_row = group / row_groups, y_group = same ? own_row : first_group + group % row_groups;
        const R a = x[own_row * x_stride + root + h.x[r] * row + w.x[p]],
                b = y[y_group * y_stride + (static_cast<index>(root + h.y[r] * row + w.y[p]) << lanes_log) + lane];
        d = std::fma(R(-2), d, std::fma(a, a, b * b));
      }
    } else if (weigh == adjoints && covariances) {
      d *= R(-2);
    }
    numbers[out + k] = d;
    numbers[out + per_group() + k] = t;
  }
};

/// Adjoints of distances that came from covariances, by the variances of x: added to the sums of the first part.
template <class R>
struct JoinVariances : OneByOne {
  index rows = 0, row_groups = 0, group_numbers = 0;
  int lanes_log = 0;
  const R* memory = nullptr;
  index place = 0;
  PairAxis h, w;
  int height = 0, width = 0;
  double* sums = nullptr;  // of row 0, at the value's variances
  index sum_stride = 0;    // to the next row

  NTKROB_HD index per_row() const { return static_cast<index>(height) * width; }
  long long blocks() const { return blocks_of(rows * per_row()); }
  NTKROB_HD void run(int, long long block, int thread, Own&, Shared&) const {
    const index number = OneByOne::number(block, thread), own_row = number / per_row();
    if (own_row >= rows) return;
    const int position = static_cast<int>(number % per_row()), ph = position / width, pw = position % width;
    double sum = 0;
    for (index g = 0; g < row_groups; ++g) {
      const R* numbers = memory + (own_row * row_groups + g) * group_numbers + place;
      for (int r = 0; r < h.n; ++r) {
        if (h.x[r] != ph) continue;
        for (int p = 0; p < w.n; ++p) {
          if (w.x[p] != pw) continue;
          const index at = (static_cast<index>(r) * w.n + p) << lanes_log;
          for (int l = 0; l < 1 << lanes_log; ++l) sum += static_cast<double>(numbers[at + l]);
        }
      }
    }
    sums[own_row * sum_stride + position] += sum;
  }
};

/// The two means of each group and lane, from the sums of blocks.
template <class R>
struct Means : OneByOne {
  index groups = 0, group_numbers = 0;
  int lanes_log = 0, parts = 0;
  const double* partial = nullptr;
  R* memory = nullptr;
  index place = 0;
  double divisor = 1;

  long long blocks() const { return blocks_of(groups * 2 << lanes_log); }
  NTKROB_HD void run(int, long long block, int thread, Own&, Shared&) const {
    const index number = OneByOne::number(block, thread), both = index(2) << lanes_log, group = number / both;
    if (group >= groups) return;
    double sum = 0;
    for (int part = 0; part < parts; ++part) sum += partial[(group * parts + part) * both + number % both];
    memory[group * group_numbers + place + number % both] = static_cast<R>(sum / divisor);
  }
};

/// Sets numbers of all groups to 0.
template <class T>
struct Clear : OneByOne {
  T* memory = nullptr;
  index groups = 1, group_numbers = 0, begin = 0, n = 0;
  long long blocks() const { return blocks_of(groups * n); }
  NTKROB_HD void run(int, long long block, int thread, Own&, Shared&) const {
    const index number = OneByOne::number(block, thread);
    if (number < groups * n) memory[number / n * group_numbers + begin + number % n] = T(0);
  }
};

/// Pairs (i, j) of a chunk: values out of the groups, or adjoints into them. Columns of value and cotangent are those
/// of the chunk.
template <class R>
struct ImageResults : OneByOne {
  index rows = 0, columns = 0, row_groups = 0, group_numbers = 0, first_group = 0;
  int lanes_log = 0;
  bool ntk = true;
  R* memory = nullptr;
  index place = 0, plane = 0;  // of the last value, or of its adjoint
  const R *x = nullptr, *y = nullptr;
  index x_stride = 0, y_stride = 0;
  int root = 0;
  const double *x_scale = nullptr, *y_scale = nullptr;  // y_scale: of all samples of y's table
  DeviceView<R> value, nngp;
  DeviceView<const R> cotangent;

  long long blocks() const { return blocks_of(rows * columns); }
  NTKROB_HD void run(int, long long block, int thread, Own&, Shared&) const {
    const index number = OneByOne::number(block, thread), i = number / columns, j = number % columns;
    if (i >= rows) return;
    const index group = j >> lanes_log, lane = j & ((1 << lanes_log) - 1), sample = (first_group << lanes_log) + j;
    R* d = memory + (i * row_groups + group) * group_numbers + place + lane;
    R* t = d + plane;
    const double scale = x_scale[i] * y_scale[sample];
    if (!cotangent.empty()) {
      const double g = scale * static_cast<double>(cotangent(i, j));
      *d = ntk ? R(0) : static_cast<R>(-g / 2);
      *t = ntk ? static_cast<R>(g) : R(0);
      return;
    }
    const double a = static_cast<double>(x[i * x_stride + root]),
                 b = static_cast<double>(
                     y[(first_group + group) * y_stride + (static_cast<index>(root) << lanes_log) + lane]);
    const double covariance = a * b > 0 ? (a * a + b * b - static_cast<double>(*d)) / 2 : 0;
    value(i, j) = static_cast<R>(scale * (ntk ? static_cast<double>(*t) : covariance));
    if (!nngp.empty()) nngp(i, j) = static_cast<R>(scale * covariance);
  }
};

/// The sums of all parts of a row.
struct FoldParts : OneByOne {
  const double* sums = nullptr;
  index rows = 0, n = 0;
  int parts = 0;
  double* out = nullptr;  // rows x n
  long long blocks() const { return blocks_of(rows * n); }
  NTKROB_HD void run(int, long long block, int thread, Own&, Shared&) const {
    const index number = OneByOne::number(block, thread), own_row = number / n;
    if (own_row >= rows) return;
    double sum = 0;
    for (int part = 0; part < parts; ++part) sum += sums[(own_row * parts + part) * n + number % n];
    out[number] = sum;
  }
};

}  // namespace ntkrob::cuda
