/// c = alpha a b + beta c on blocks of 64 x 64. The sum of an element runs over the inner length in order, in parts of
/// 512: its bits depend on its row of a, its column of b and the inner length alone, as Backend::multiply promises (a
/// BLAS picks its order by shape).
#pragma once

#include "backend_cuda/program.hpp"

namespace ntkrob::cuda {

template <class R>
struct Product {
  static constexpr int kThreads = 256;
  static constexpr int kTile = 64;   // rows and columns of c of a block
  static constexpr int kDepth = 16;  // of the inner length at a time
  static constexpr int kEach = 4;    // rows and columns of c of a thread
  static constexpr index kPart = 512;
  struct Shared {
    R a[kDepth][kTile + 1], b[kDepth][kTile];
  };
  struct Own {
    R sum[kEach][kEach], part[kEach][kEach];
  };

  R alpha = 1, beta = 0;
  DeviceView<const R> a;  // n x k
  DeviceView<const R> b;  // k x m
  DeviceView<R> c;        // n x m

  NTKROB_HD long long per_row() const { return (c.cols + kTile - 1) / kTile; }
  long long blocks() const { return (c.rows + kTile - 1) / kTile * per_row(); }
  NTKROB_HD int stages() const { return static_cast<int>((a.cols + kDepth - 1) / kDepth); }
  int phases() const { return 2 * stages() + 1; }

  NTKROB_HD void run(int phase, long long block, int thread, Own& own, Shared& shared) const {
    const index i = block / per_row() * kTile, j = block % per_row() * kTile;
    const index inner = static_cast<index>(phase / 2) * kDepth;
    if (phase == 2 * stages())
      finish(i, j, thread, own);
    else if (phase % 2 == 0)
      load(i, j, inner, thread, shared);
    else
      add(inner, thread, own, shared);
  }

 private:
  NTKROB_HD void load(index i, index j, index inner, int thread, Shared& shared) const {
#pragma unroll 1                                               // few registers: the sums need them
    for (int e = thread; e < kTile * kDepth; e += kThreads) {  // neighbours along a row of a
      const int row = e / kDepth, k = e % kDepth;
      shared.a[k][row] = i + row < c.rows && inner + k < a.cols ? a(i + row, inner + k) : R(0);
    }
#pragma unroll 1
    for (int e = thread; e < kTile * kDepth; e += kThreads) {  // and along a row of b
      const int k = e / kTile, column = e % kTile;
      shared.b[k][column] = j + column < c.cols && inner + k < a.cols ? b(inner + k, j + column) : R(0);
    }
  }

  /// Rows and columns of a thread are 16 apart: neighbours read neighbours.
  NTKROB_HD void add(index inner, int thread, Own& own, const Shared& shared) const {
    const int ty = thread / (kTile / kEach), tx = thread % (kTile / kEach);
    if (inner % kPart == 0)
      for (int r = 0; r < kEach; ++r)
        for (int s = 0; s < kEach; ++s) {
          own.sum[r][s] = inner == 0 ? R(0) : own.sum[r][s] + own.part[r][s];
          own.part[r][s] = R(0);
        }
#pragma unroll 4  // all of it takes more registers than there are
    for (int k = 0; k < kDepth; ++k) {
      R left[kEach], right[kEach];
      for (int r = 0; r < kEach; ++r) left[r] = shared.a[k][ty + r * (kTile / kEach)];
      for (int s = 0; s < kEach; ++s) right[s] = shared.b[k][tx + s * (kTile / kEach)];
      for (int r = 0; r < kEach; ++r)
        for (int s = 0; s < kEach; ++s) own.part[r][s] = std::fma(left[r], right[s], own.part[r][s]);
    }
  }

  NTKROB_HD void finish(index i, index j, int thread, const Own& own) const {
    const int ty = thread / (kTile / kEach), tx = thread % (kTile / kEach);
    for (int r = 0; r < kEach; ++r)
      for (int s = 0; s < kEach; ++s) {
        const index row = i + ty + r * (kTile / kEach), column = j + tx + s * (kTile / kEach);
        if (row >= c.rows || column >= c.cols) continue;
        const R value = a.cols > 0 ? alpha * (own.sum[r][s] + own.part[r][s]) : R(0);
        c(row, column) = beta == R(0) ? value : std::fma(beta, c(row, column), value);
      }
  }
};

/// b transposed: pieces of 32 x 32 through the memory of a block, read and written along rows.
template <class R>
struct Transposition {
  static constexpr int kThreads = 256;
  static constexpr int kTile = 32;
  struct Shared {
    R piece[kTile][kTile + 1];
  };
  using Own = None;
  DeviceView<const R> from;
  DeviceView<R> to;

  NTKROB_HD long long per_row() const { return (from.cols + kTile - 1) / kTile; }
  long long blocks() const { return (from.rows + kTile - 1) / kTile * per_row(); }
  int phases() const { return 2; }

  NTKROB_HD void run(int phase, long long block, int thread, Own&, Shared& shared) const {
    const index i = block / per_row() * kTile, j = block % per_row() * kTile;
    for (int e = thread; e < kTile * kTile; e += kThreads) {
      const int one = e / kTile, two = e % kTile;
      if (phase == 0 && i + one < from.rows && j + two < from.cols) shared.piece[one][two] = from(i + one, j + two);
      if (phase == 1 && i + two < from.rows && j + one < from.cols) to(j + one, i + two) = shared.piece[two][one];
    }
  }
};

}  // namespace ntkrob::cuda
