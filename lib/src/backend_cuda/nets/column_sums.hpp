/// Sums of the columns of a matrix in float64: derivatives by biases. Two launches: parts of the rows, then the parts
/// in their order.
#pragma once

#include <algorithm>

#include "backend_cuda/nets/elements.hpp"

namespace ntkrob::cuda::nets {

/// parts(p, j) = sum of a(i, j) over part p of the rows. A block has one part of 32 columns; its threads have rows in
/// turn, 8 at a time.
template <class R>
struct ColumnParts {
  static constexpr int kColumns = 32, kRows = 8, kThreads = kColumns * kRows;
  static constexpr index kPart = 512, kMostParts = 256;  // rows of a part at least; parts
  struct Shared {
    double sum[kRows][kColumns];
  };
  using Own = None;
  DeviceView<const R> a;
  DeviceView<double> parts;  // count(a.rows) x a.cols

  static index rows_of_part(index rows) { return std::max(kPart, (rows + kMostParts - 1) / kMostParts); }
  static index count(index rows) { return (rows + rows_of_part(rows) - 1) / rows_of_part(rows); }

  index per_part = kPart;
  ColumnParts(DeviceView<const R> a_, DeviceView<double> parts_)
      : a(a_), parts(parts_), per_part(rows_of_part(a_.rows)) {}

  NTKROB_HD long long per_row() const { return (a.cols + kColumns - 1) / kColumns; }
  long long blocks() const { return parts.rows * per_row(); }
  int phases() const { return 2; }
  NTKROB_HD void run(int phase, long long block, int thread, Own&, Shared& shared) const {
    const index part = block / per_row(), j = block % per_row() * kColumns + thread % kColumns;
    const int row = thread / kColumns;
    if (phase == 0) {
      const index begin = part * per_part, end = begin + per_part < a.rows ? begin + per_part : a.rows;
      double sum = 0;
      if (j < a.cols)
        for (index i = begin + row; i < end; i += kRows) sum += static_cast<double>(a(i, j));
      shared.sum[row][thread % kColumns] = sum;
    } else if (row == 0 && j < a.cols) {
      double sum = 0;
      for (int r = 0; r < kRows; ++r) sum += shared.sum[r][thread];
      parts(part, j) = sum;
    }
  }
};

/// sums = beta sums + the parts.
template <class R>
struct ColumnTotals : Elements<ColumnTotals<R>> {
  DeviceView<const double> parts;
  R beta = 0;
  R* sums = nullptr;
  ColumnTotals(DeviceView<const double> parts_, R beta_, R* sums_) : parts(parts_), beta(beta_), sums(sums_) {}
  NTKROB_HD long long elements() const { return parts.cols; }
  NTKROB_HD void element(std::uint32_t j) const {
    double total = 0;
    for (index p = 0; p < parts.rows; ++p) total += parts(p, j);
    sums[j] = static_cast<R>(beta == R(0) ? total : total + static_cast<double>(beta * sums[j]));
  }
};

}  // namespace ntkrob::cuda::nets
