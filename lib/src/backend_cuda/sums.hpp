/// Sums along the rows of a tile, in a fixed order: a block has one row, its threads take columns in turn, and their
/// sums are folded in halves.
#pragma once

#include "backend_cuda/program.hpp"

namespace ntkrob::cuda {

constexpr int kSumThreads = 128;

/// Folds numbers[0 .. kSumThreads) onto numbers[0], step `step` of kFolds; all threads meet between the steps.
constexpr int kFolds = 7;
static_assert(1 << kFolds == kSumThreads, "the folds end at one number");
template <class T>
NTKROB_HD inline void fold(int step, int thread, T* numbers) {
  const int half = kSumThreads >> (step + 1);
  if (thread < half) numbers[thread] = numbers[thread] + numbers[thread + half];
}

/// sum(i,c) += sum_j a(i,j) vt(c,j): Backend::add_thin. Parts of 1024 columns are summed in R and added in order to the
/// float64 sum. A block has one row i and one row c.
template <class R>
struct ThinProduct {
  static constexpr int kThreads = kSumThreads;
  static constexpr index kPart = 1024;
  struct Shared {
    R part[kThreads];
  };
  using Own = None;
  DeviceView<const R> a;   // n x m
  DeviceView<const R> vt;  // r x m
  DeviceView<double> sum;  // n x r

  long long blocks() const { return a.rows * vt.rows; }
  static constexpr int kPhases = kFolds + 2;  // of a part
  int phases() const { return static_cast<int>((a.cols + kPart - 1) / kPart) * kPhases; }

  NTKROB_HD void run(int phase, long long block, int thread, Own&, Shared& shared) const {
    const index i = block / vt.rows, c = block % vt.rows;
    const index begin = phase / kPhases * kPart, end = begin + kPart < a.cols ? begin + kPart : a.cols;
    const int step = phase % kPhases;
    if (step == 0) {
      R part = 0;
      for (index j = begin + thread; j < end; j += kThreads) part = std::fma(a(i, j), vt(c, j), part);
      shared.part[thread] = part;
    } else if (step <= kFolds) {
      fold(step - 1, thread, shared.part);
    } else if (thread == 0) {
      sum(i, c) += static_cast<double>(shared.part[0]);
    }
  }
};

/// dq(i,j) *= g, row_sum(i) += sum_j g da(i,j), g = u_i . v_j: Backend::weigh_tile. The sums are in float64.
template <class R>
struct Weights {
  static constexpr int kThreads = kSumThreads;
  struct Shared {
    double part[kThreads];
  };
  using Own = None;
  DeviceView<const R> u;   // n x r
  DeviceView<const R> vt;  // r x m
  DeviceView<R> dq;        // n x m
  DeviceView<const R> da;
  DeviceView<double> row_sum;  // n x 1

  long long blocks() const { return dq.rows; }
  int phases() const { return kFolds + 2; }

  NTKROB_HD void run(int phase, long long block, int thread, Own&, Shared& shared) const {
    const index i = block;
    if (phase == 0) {
      double part = 0;
      for (index j = thread; j < dq.cols; j += kThreads) {
        R g = 0;
        for (index c = 0; c < u.cols; ++c) g = std::fma(u(i, c), vt(c, j), g);
        dq(i, j) *= g;
        part += static_cast<double>(g) * static_cast<double>(da(i, j));
      }
      shared.part[thread] = part;
    } else if (phase <= kFolds) {
      fold(phase - 1, thread, shared.part);
    } else if (thread == 0) {
      row_sum(i, 0) += shared.part[0];
    }
  }
};

}  // namespace ntkrob::cuda
