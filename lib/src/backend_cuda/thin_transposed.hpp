/// sum += a^T v for few columns of v: Backend::add_thin_transposed, in two launches. The first sums parts of 1024 rows
/// in R, columns of a side by side; the second adds the parts in order to the float64 sum.
#pragma once

#include <cmath>

#include "backend_cuda/program.hpp"

namespace ntkrob::cuda {

template <class R>
struct ThinTransposed {
  static constexpr int kThreads = 128;  // columns of a
  static constexpr int kEach = 8;       // columns of v of a thread
  static constexpr int kStage = 128;    // rows of v in the memory of a block
  static constexpr index kPart = 1024;
  static constexpr int kStages = static_cast<int>(kPart / kStage);
  struct Shared {
    R v[kStage][kEach];
  };
  struct Own {
    R sum[kEach];
  };
  DeviceView<const R> a;  // n x m
  DeviceView<const R> v;  // n x r
  DeviceView<R> parts;    // (r n/1024) x m: row p r + c has the sums of part p with column c

  NTKROB_HD long long blocks_across() const { return (a.cols + kThreads - 1) / kThreads; }
  NTKROB_HD long long groups() const { return (v.cols + kEach - 1) / kEach; }
  static index parts_of(index rows) { return (rows + kPart - 1) / kPart; }
  long long blocks() const { return parts_of(a.rows) * groups() * blocks_across(); }
  int phases() const { return 2 * kStages + 1; }

  NTKROB_HD void run(int phase, long long block, int thread, Own& own, Shared& shared) const {
    const index column = block % blocks_across() * kThreads + thread;
    const index first = block / blocks_across() % groups() * kEach, part = block / blocks_across() / groups();
    const index row = part * kPart + static_cast<index>(phase / 2) * kStage;
    if (phase == 2 * kStages) {
      for (int c = 0; c < kEach; ++c)
        if (column < a.cols && first + c < v.cols) parts(part * v.cols + first + c, column) = own.sum[c];
    } else if (phase % 2 == 0) {
      for (int e = thread; e < kStage * kEach; e += kThreads) {
        const int i = e / kEach, c = e % kEach;
        shared.v[i][c] = row + i < a.rows && first + c < v.cols ? v(row + i, first + c) : R(0);
      }
      if (phase == 0)
        for (int c = 0; c < kEach; ++c) own.sum[c] = R(0);
    } else if (column < a.cols) {
      const index rest = a.rows - row;
      const int rows = rest < 0 ? 0 : rest < kStage ? static_cast<int>(rest) : kStage;
#pragma unroll 4
      for (int i = 0; i < rows; ++i) {
        const R value = a(row + i, column);
        for (int c = 0; c < kEach; ++c) own.sum[c] = std::fma(value, shared.v[i][c], own.sum[c]);
      }
    }
  }
};

/// sum(k,c) += the parts of ThinTransposed, in order.
template <class R>
struct PartsSum {
  static constexpr int kThreads = 128;
  using Shared = None;
  using Own = None;
  DeviceView<const R> parts;
  index n_parts = 0;
  DeviceView<double> sum;  // m x r

  NTKROB_HD long long blocks_across() const { return (sum.rows + kThreads - 1) / kThreads; }
  long long blocks() const { return blocks_across() * sum.cols; }
  int phases() const { return 1; }
  NTKROB_HD void run(int, long long block, int thread, Own&, Shared&) const {
    const index k = block % blocks_across() * kThreads + thread, c = block / blocks_across();
    if (k >= sum.rows) return;
    double total = sum(k, c);
    for (index p = 0; p < n_parts; ++p) total += static_cast<double>(parts(p * sum.cols + c, k));
    sum(k, c) = total;
  }
};

}  // namespace ntkrob::cuda
