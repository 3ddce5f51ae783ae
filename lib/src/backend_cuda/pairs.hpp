/// The fused pass over the pairs of a tile: inner product -> gap -> all layers of the chain -> kernel value, and on
/// request its derivatives, in one thread and one launch. The same layers as the cpu backend (backend_cpu/simd.cpp).
#pragma once

#include <type_traits>

#include "backend_cuda/lane.hpp"
#include "backend_cuda/program.hpp"
#include "layers/all.hpp"
#include "layers/gap.hpp"
#include "layers/samples.hpp"

namespace ntkrob::cuda {

/// Layers of a chain that a launch can carry.
constexpr int kMaxLayers = 256;

/// The kinds of a chain's layers. Their parameters are in the tables of the samples.
struct ChainKinds {
  int n = 0;
  unsigned char kind[kMaxLayers] = {};
};

/// Rows of samples with the columns of their table (layers/samples.hpp).
template <class R>
struct Side {
  const R* samples = nullptr;  // number k of sample i is samples[i * by_sample + k * by_number]
  index by_sample = 0, by_number = 0;
  const R* table = nullptr;  // quantity q of sample i is table[q * table_stride + i]
  index table_stride = 0;
  const double* inverse_norm = nullptr;
};

template <class R>
struct PairJob {
  ChainKinds chain;
  bool ntk = true;
  index n = 0, m = 0, d = 0;
  Side<R> x, y;
  bool same = false;      // x i and y j are one sample where i + same_offset == j
  index same_offset = 0;  //
  DeviceView<R> value;    // n x m; in: x.y / D; out: k
  DeviceView<R> nngp, dq, da;
};

/// The gap of one pair from |x/|x| -+ y/|y||^2 / 2, in float64.
template <class R>
NTKROB_HD inline double exact_gap(const PairJob<R>& job, index i, index j, bool antiparallel) {
  const double ix = job.x.inverse_norm[i], iy = antiparallel ? -job.y.inverse_norm[j] : job.y.inverse_norm[j];
  const R *x = job.x.samples + i * job.x.by_sample, *y = job.y.samples + j * job.y.by_sample;
  double sum = 0;
#pragma unroll 4  // loads on their way side by side
  for (index k = 0; k < job.d; ++k) {
    const double difference =
        static_cast<double>(x[k * job.x.by_number]) * ix - static_cast<double>(y[k * job.y.by_number]) * iy;
    sum = std::fma(difference, difference, sum);
  }
  const double half = sum / (2 * static_cast<double>(job.d)), gap = half < layers::kCoincident ? 0.0 : half;
  return antiparallel ? 2.0 - gap : gap;
}

template <class R>
NTKROB_HD inline R gap_of(const PairJob<R>& job, index i, index j) {
  if (job.same && i + job.same_offset == j) return R(0);
  const R ix = job.x.table[layers::kInverseNorm * job.x.table_stride + i];
  const R iy = job.y.table[layers::kInverseNorm * job.y.table_stride + j];
  const R gap = R(1) - (job.value(i, j) * ix) * iy;
  if (gap >= layers::kNear<R> && gap <= R(2) - layers::kNear<R>) return gap;
  return static_cast<R>(exact_gap(job, i, j, gap > R(1)));
}

/// The states of pairs (i + r, j) through all layers.
template <bool gradient, int rows, class R, class State>
NTKROB_HD inline void run_layers(const PairJob<R>& job, const index (&i)[rows], index j, State (&states)[rows]) {
  using V = Lane<R>;
  int row = layers::kFirstCoefficient;
  for (int l = 0; l < job.chain.n; ++l)
    layers::visit(job.chain.kind[l], [&](auto layer) {
      using L = decltype(layer);
      constexpr int n = L::kCoefficients;
      V y[n + 1];
      for (int k = 0; k < n; ++k) y[k] = V(job.y.table[(row + k) * job.y.table_stride + j]);
#pragma unroll  // what is indexed stays in registers
      for (int r = 0; r < rows; ++r) {
        V x[n + 1];
        for (int k = 0; k < n; ++k) x[k] = V(job.x.table[(row + k) * job.x.table_stride + i[r]]);
        if constexpr (gradient) {
          V dx[n + 1];
          for (int k = 0; k < n; ++k) dx[k] = V(job.x.table[(row + n + k) * job.x.table_stride + i[r]]);
          L::gradient(states[r], x, dx, y);
        } else {
          L::value(states[r], x, y);
        }
      }
      row += 2 * n;
    });
}

/// Everything about pairs (i + r, j) for r < wanted, at most `rows` of them: what a layer asks of y is read once.
template <bool gradient, int rows, class R>
NTKROB_HD inline void run_pairs(const PairJob<R>& job, index first, int wanted, index j) {
  using V = Lane<R>;
  std::conditional_t<gradient, PairGradient<V>, PairValue<V>> states[rows];
  index i[rows];
#pragma unroll
  for (int r = 0; r < rows; ++r) {
    i[r] = r < wanted ? first + r : first;
    auto& s = states[r];
    s.u = V(gap_of(job, i[r], j));
    s.t = V(0);
    if constexpr (gradient) {
      s.du = V(1);
      s.dt = s.et = V(0);
      s.eu = V(0.5) * (V(1) - s.u);
    }
  }
  run_layers<gradient>(job, i, j, states);
  const auto of_y = [&](int q) { return V(job.y.table[q * job.y.table_stride + j]); };
  const V scale_y = of_y(layers::kScale), gain_y = gradient ? of_y(layers::kGain) : V(0);
#pragma unroll
  for (int r = 0; r < rows; ++r) {
    if (r >= wanted) break;
    const auto of_x = [&](int q) { return V(job.x.table[q * job.x.table_stride + i[r]]); };
    const auto& s = states[r];
    const V scale_x = of_x(layers::kScale), scale = scale_x * scale_y;
    const V k = job.ntk ? s.t : V(1) - s.u;
    job.value(i[r], j) = (scale * k).v;
    if (!job.nngp.empty()) job.nngp(i[r], j) = (scale * (V(1) - s.u)).v;
    if constexpr (gradient) {
      const V dk = job.ntk ? s.dt : -s.du, ek = job.ntk ? s.et : -s.eu;
      job.dq(i[r], j) = (-((of_x(layers::kGain) * gain_y) * dk)).v;
      job.da(i[r], j) =
          ((fma(scale_x, ek, of_x(layers::kScaleSlope) * k) * scale_y) * of_x(layers::kInverseVariance)).v;
    }
  }
}

/// One thread for a few pairs below each other, neighbours along a row.
template <bool gradient, class R>
struct Pairs {
  static constexpr bool kShort = sizeof(R) == 4;
  static constexpr int kThreads = 128, kRows = kShort ? (gradient ? 2 : 4) : (gradient ? 1 : 2);
  static constexpr int kResident = kShort ? (gradient ? 4 : 6) : (gradient ? 2 : 4);  // more would spill registers
  using Shared = None;
  using Own = None;
  PairJob<R> job;

  NTKROB_HD long long per_row() const { return (job.m + kThreads - 1) / kThreads; }
  long long blocks() const { return (job.n + kRows - 1) / kRows * per_row(); }
  int phases() const { return 1; }
  NTKROB_HD void run(int, long long block, int thread, Own&, Shared&) const {
    const index down = quotient(block, per_row()), i = down * kRows, j = (block - down * per_row()) * kThreads + thread;
    if (j >= job.m) return;
    run_pairs<gradient, kRows>(job, i, job.n - i < kRows ? static_cast<int>(job.n - i) : kRows, j);
  }
};

}  // namespace ntkrob::cuda
