/// Elementwise work on arrays, and what is moved inside them: the programs behind DeviceArrays.
#pragma once

#include <cmath>

#include "backend_cuda/program.hpp"
#include "backend_cuda/sums.hpp"

namespace ntkrob::cuda {

/// What programs share that visit each of rows() x cols() elements once, neighbours along a row.
template <class Derived>
struct EachElement {
  static constexpr int kThreads = 256;
  using Shared = None;
  using Own = None;
  NTKROB_HD const Derived& self() const { return static_cast<const Derived&>(*this); }
  NTKROB_HD long long per_row() const { return (self().cols() + kThreads - 1) / kThreads; }
  long long blocks() const { return self().rows() * per_row(); }
  int phases() const { return 1; }
  NTKROB_HD void run(int, long long block, int thread, Own&, Shared&) const {
    const index i = quotient(block, per_row()), j = (block - i * per_row()) * kThreads + thread;
    if (j < self().cols()) self().at(i, j);
  }
};

template <class T>
struct Filling : EachElement<Filling<T>> {
  DeviceView<T> to;
  T value = 0;
  NTKROB_HD index rows() const { return to.rows; }
  NTKROB_HD index cols() const { return to.cols; }
  NTKROB_HD void at(index i, index j) const { to(i, j) = value; }
};

template <class From, class To>
struct Conversion : EachElement<Conversion<From, To>> {
  DeviceView<const From> from;
  DeviceView<To> to;
  NTKROB_HD index rows() const { return to.rows; }
  NTKROB_HD index cols() const { return to.cols; }
  NTKROB_HD void at(index i, index j) const { to(i, j) = static_cast<To>(from(i, j)); }
};

struct Addition : EachElement<Addition> {
  DeviceView<const double> from;
  DeviceView<double> to;
  NTKROB_HD index rows() const { return to.rows; }
  NTKROB_HD index cols() const { return to.cols; }
  NTKROB_HD void at(index i, index j) const { to(i, j) = to(i, j) + from(i, j); }
};

/// to(i,k) = 0 for k < first + i
struct LeftClearing : EachElement<LeftClearing> {
  index first = 0;
  DeviceView<double> to;
  NTKROB_HD index rows() const { return to.rows; }
  NTKROB_HD index cols() const { return to.cols; }
  NTKROB_HD void at(index i, index k) const {
    if (k < first + i) to(i, k) = 0;
  }
};

/// to(i,k) += R(factors(i) / divisor) from(i,k)
template <class R>
struct ScaledRows : EachElement<ScaledRows<R>> {
  DeviceView<const double> factors;  // n x 1
  double divisor = 1;
  DeviceView<const R> from;
  DeviceView<R> to;
  NTKROB_HD index rows() const { return to.rows; }
  NTKROB_HD index cols() const { return to.cols; }
  NTKROB_HD void at(index i, index k) const {
    const R term = static_cast<R>(factors(i, 0) / divisor) * from(i, k);
    to(i, k) = to(i, k) + term;
  }
};

/// out(0,i) = a(i,i)
struct DiagonalOut : EachElement<DiagonalOut> {
  DeviceView<const double> a;
  DeviceView<double> to;  // 1 x n
  NTKROB_HD index rows() const { return 1; }
  NTKROB_HD index cols() const { return a.rows; }
  NTKROB_HD void at(index, index i) const { to(0, i) = a(i, i); }
};

/// a(i,i) = values(0,i) + shift
struct DiagonalIn : EachElement<DiagonalIn> {
  DeviceView<const double> values;  // 1 x n
  double shift = 0;
  DeviceView<double> a;
  NTKROB_HD index rows() const { return 1; }
  NTKROB_HD index cols() const { return a.rows; }
  NTKROB_HD void at(index, index i) const { a(i, i) = values(0, i) + shift; }
};

/// flags(0,i): whether the pivot i of a Cholesky factor is bad: NaN passes cuSOLVER, and behind a pivot that it has
/// refused there is no factor.
template <class R>
struct BadPivots : EachElement<BadPivots<R>> {
  DeviceView<const R> factor;
  const int* info = nullptr;  // of cuSOLVER: 0, or the number of the first bad pivot counted from 1
  DeviceView<int> flags;      // 1 x n
  NTKROB_HD index rows() const { return 1; }
  NTKROB_HD index cols() const { return factor.rows; }
  NTKROB_HD void at(index, index i) const {
    const R pivot = factor(i, i);
    flags(0, i) = (*info == 0 || i + 1 < *info) && pivot > R(0) && pivot - pivot == R(0) ? 0 : 1;
  }
};

/// A block into a matrix, in pieces of 32 x 32. With `mirrored`, its pairs on and above the diagonal and, through the
/// memory of a block, their mirror images: read and written along rows.
template <class R, class O>
struct Placing {
  static constexpr int kThreads = 256;
  static constexpr int kTile = 32;
  struct Shared {
    R piece[kTile][kTile + 1];
  };
  using Own = None;
  DeviceView<const R> block;
  index row = 0, col = 0;
  bool mirrored = false;
  DeviceView<O> to;

  NTKROB_HD long long per_row() const { return (block.cols + kTile - 1) / kTile; }
  long long blocks() const { return (block.rows + kTile - 1) / kTile * per_row(); }
  int phases() const { return mirrored ? 2 : 1; }

  NTKROB_HD void run(int phase, long long b, int thread, Own&, Shared& shared) const {
    const index i = b / per_row() * kTile, j = b % per_row() * kTile;
    if (mirrored && col + j + kTile <= row + i) return;  // all of it lies below the diagonal
    for (int e = thread; e < kTile * kTile; e += kThreads) {
      const int one = e / kTile, two = e % kTile;
      if (phase == 0 && i + one < block.rows && j + two < block.cols) {
        const R value = block(i + one, j + two);
        shared.piece[one][two] = value;
        if (!mirrored || col + j + two >= row + i + one) to(row + i + one, col + j + two) = static_cast<O>(value);
      }
      if (phase == 1 && i + two < block.rows && j + one < block.cols && col + j + one > row + i + two)
        to(col + j + one, row + i + two) = static_cast<O>(shared.piece[two][one]);
    }
  }
};

/// The strict upper triangle over the lower one, in pieces of 32 x 32. A piece on the diagonal is one block's; others
/// come in pairs, of which the upper one is only read.
struct UpperMirror {
  static constexpr int kThreads = 256;
  static constexpr int kTile = 32;
  struct Shared {
    double piece[kTile][kTile + 1];
  };
  using Own = None;
  DeviceView<double> a;

  NTKROB_HD long long per_side() const { return (a.rows + kTile - 1) / kTile; }
  long long blocks() const { return per_side() * per_side(); }
  int phases() const { return 2; }

  NTKROB_HD void run(int phase, long long b, int thread, Own&, Shared& shared) const {
    const index i = b / per_side() * kTile, j = b % per_side() * kTile;
    if (j < i) return;
    for (int e = thread; e < kTile * kTile; e += kThreads) {
      const int one = e / kTile, two = e % kTile;
      if (phase == 0 && i + one < a.rows && j + two < a.rows) shared.piece[one][two] = a(i + one, j + two);
      if (phase == 1 && j + one < a.rows && i + two < j + one) a(j + one, i + two) = shared.piece[two][one];
    }
  }
};

/// sums(i) = sum_k a(i,k)^2 in float64. A block has one row.
template <class R>
struct RowSquares {
  static constexpr int kThreads = kSumThreads;
  struct Shared {
    double part[kThreads];
  };
  using Own = None;
  DeviceView<const R> a;
  DeviceView<double> sums;  // n x 1

  long long blocks() const { return a.rows; }
  int phases() const { return kFolds + 2; }
  NTKROB_HD void run(int phase, long long i, int thread, Own&, Shared& shared) const {
    if (phase == 0) {
      double sum = 0;
      for (index k = thread; k < a.cols; k += kThreads)
        sum = std::fma(static_cast<double>(a(i, k)), static_cast<double>(a(i, k)), sum);
      shared.part[thread] = sum;
    } else if (phase <= kFolds) {
      fold(phase - 1, thread, shared.part);
    } else if (thread == 0) {
      sums(i, 0) = shared.part[0];
    }
  }
};

/// bad(0,i): how many numbers of row i are not finite. A block has one row.
template <class R>
struct NotFinite {
  static constexpr int kThreads = kSumThreads;
  struct Shared {
    int part[kThreads];
  };
  using Own = None;
  DeviceView<const R> a;
  DeviceView<int> bad;  // 1 x n

  long long blocks() const { return a.rows; }
  int phases() const { return kFolds + 2; }
  NTKROB_HD void run(int phase, long long i, int thread, Own&, Shared& shared) const {
    if (phase == 0) {
      int count = 0;
      for (index k = thread; k < a.cols; k += kThreads) count += a(i, k) - a(i, k) == R(0) ? 0 : 1;
      shared.part[thread] = count;
    } else if (phase <= kFolds) {
      fold(phase - 1, thread, shared.part);
    } else if (thread == 0) {
      bad(0, i) = shared.part[0];
    }
  }
};

/// first(0,0): the first column of `flags` that is not 0, or -1. One block.
struct FirstSet {
  static constexpr int kThreads = kSumThreads;
  struct Shared {
    index found[kThreads];
  };
  using Own = None;
  DeviceView<const int> flags;  // 1 x n
  DeviceView<index> first;

  long long blocks() const { return 1; }
  int phases() const { return kFolds + 2; }
  NTKROB_HD void run(int phase, long long, int thread, Own&, Shared& shared) const {
    if (phase == 0) {
      index found = flags.cols;
      for (index k = thread; k < flags.cols && found == flags.cols; k += kThreads)
        if (flags(0, k) != 0) found = k;
      shared.found[thread] = found;
    } else if (phase <= kFolds) {
      const int half = kThreads >> phase;
      if (thread < half && shared.found[thread + half] < shared.found[thread])
        shared.found[thread] = shared.found[thread + half];
    } else if (thread == 0) {
      first(0, 0) = shared.found[0] < flags.cols ? shared.found[0] : -1;
    }
  }
};

}  // namespace ntkrob::cuda
