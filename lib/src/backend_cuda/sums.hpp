/// Sums along the rows of a tile, in a fixed order: a block has a few rows and a part of 1024 columns, its threads take
/// columns in turn; their sums are added in the order of the threads, and the sums of parts in the order of the parts.
#pragma once

#include "backend_cuda/program.hpp"
#include "backend_cuda/quad.hpp"

namespace ntkrob::cuda {

constexpr int kSumThreads = 128;
constexpr index kSumPart = 1024;  // columns
constexpr int kSumColumns = 16;   // columns of a thin matrix that a thread keeps in registers
/// Rows of a block of a thin product: what registers hold.
template <class R>
constexpr int kSumRows = sizeof(R) == 4 ? 4 : 2;

/// Folds numbers[0 .. kSumThreads) onto numbers[0], step `step` of kFolds; all threads meet between the steps.
constexpr int kFolds = 7;
static_assert(1 << kFolds == kSumThreads, "the folds end at one number");
template <class T>
NTKROB_HD inline void fold(int step, int thread, T* numbers) {
  const int half = kSumThreads >> (step + 1);
  if (thread < half) numbers[thread] = numbers[thread] + numbers[thread + half];
}

NTKROB_HD inline index sum_parts(index columns) { return (columns + kSumPart - 1) / kSumPart; }

/// `sums` sums of one number of each thread, in two phases of which the first leaves few numbers to the second.
template <class T, int sums>
struct ThreadSums {
  static constexpr int kHelpers = kSumThreads / sums, kEach = sums;  // threads of a sum, and numbers of each
  static_assert(kHelpers * sums == kSumThreads, "all threads help");
  T number[sums][kSumThreads + 1];  // 1: neighbours read different banks

  NTKROB_HD void begin(int thread) {
    T* const mine = &number[thread % sums][thread / sums * kEach];
    T sum = mine[0];
    for (int k = 1; k < kEach; ++k) sum = sum + mine[k];
    mine[0] = sum;
  }
  NTKROB_HD T end(int which) const {
    T sum = number[which][0];
    for (int h = 1; h < kHelpers; ++h) sum = sum + number[which][h * kEach];
    return sum;
  }
};

/// sum(i,c) += sum_j a(i,j) vt(c,j): Backend::add_thin. Parts of 1024 columns are summed in R and added in order to the
/// float64 sum.
template <class R>
struct ThinProduct {
  DeviceView<const R> a;   // n x m
  DeviceView<const R> vt;  // r x m
  DeviceView<double> sum;  // n x r
};

/// The parts of a thin product: part p of element (i, c) is parts[(p n + i) r + c]. A block has up to 16 columns of
/// the result, so that a is read once.
template <class R>
struct ThinParts {
  static constexpr int kThreads = kSumThreads, kRows = kSumRows<R>, kResident = 4;
  using Shared = ThreadSums<R, kRows * kSumColumns>;
  using Own = None;
  ThinProduct<R> product;
  R* parts = nullptr;

  NTKROB_HD long long bands() const { return (product.a.rows + kRows - 1) / kRows; }
  NTKROB_HD long long groups() const { return (product.vt.rows + kSumColumns - 1) / kSumColumns; }
  long long blocks() const { return bands() * groups() * sum_parts(product.a.cols); }
  int phases() const { return 3; }

  NTKROB_HD void run(int phase, long long block, int thread, Own&, Shared& shared) const {
    const index rest = quotient(block, bands()), part = quotient(rest, groups());
    const index i = (block - rest * bands()) * kRows, c = (rest - part * groups()) * kSumColumns;
    if (phase == 0) {
      add(i, c, part * kSumPart, thread, shared);
    } else if (phase == 1) {
      shared.begin(thread);
    } else if (thread < kRows * kSumColumns) {
      const index row = i + thread / kSumColumns, column = c + thread % kSumColumns;
      if (row < product.a.rows && column < product.vt.rows)
        parts[(part * product.a.rows + row) * product.vt.rows + column] = shared.end(thread);
    }
  }

 private:
  NTKROB_HD void add(index i, index c, index begin, int thread, Shared& shared) const {
    const DeviceView<const R>&a = product.a, &vt = product.vt;
    const index end = begin + kSumPart < a.cols ? begin + kSumPart : a.cols;
    const int rows = a.rows - i < kRows ? static_cast<int>(a.rows - i) : kRows,
              columns = vt.rows - c < kSumColumns ? static_cast<int>(vt.rows - c) : kSumColumns;
    R sum[kRows][kSumColumns] = {};
    for (index j = begin + thread; j < end; j += kThreads) {
      R left[kRows];
#pragma unroll
      for (int r = 0; r < kRows; ++r) left[r] = a(r < rows ? i + r : i, j);
#pragma unroll
      for (int k = 0; k < kSumColumns; ++k) {
        if (k >= columns) break;
        const R right = vt(c + k, j);
        for (int r = 0; r < kRows; ++r) sum[r][k] = std::fma(left[r], right, sum[r][k]);
      }
    }
    for (int r = 0; r < kRows; ++r)
      for (int k = 0; k < kSumColumns; ++k) shared.number[r * kSumColumns + k][thread] = sum[r][k];
  }
};

/// dq(i,j) *= g, row_sum(i) += sum_j g da(i,j), g = u_i . v_j: Backend::weigh_tile. The sums are in float64.
template <class R>
struct Weights {
  DeviceView<const R> u;   // n x r
  DeviceView<const R> vt;  // r x m
  DeviceView<R> dq;        // n x m
  DeviceView<const R> da;
  DeviceView<double> row_sum;  // n x 1
};

/// Weighs a tile; part p of the sum of row i is parts[p n + i].
template <class R>
struct WeightParts {
  static constexpr int kThreads = kSumThreads, kRows = 4, kResident = 8;
  struct Shared {
    Quad<R> u[kSumColumns];  // of the rows, column by column
    ThreadSums<double, kRows> sums;
  };
  using Own = None;
  Weights<R> weights;
  double* parts = nullptr;

  NTKROB_HD long long bands() const { return (weights.dq.rows + kRows - 1) / kRows; }
  long long blocks() const { return bands() * sum_parts(weights.dq.cols); }
  int phases() const { return 4; }

  NTKROB_HD void run(int phase, long long block, int thread, Own&, Shared& shared) const {
    const index part = quotient(block, bands()), i = (block - part * bands()) * kRows, rest = weights.dq.rows - i;
    const int rows = rest < kRows ? static_cast<int>(rest) : kRows;
    if (phase == 0) {
      const int r = thread % kRows, k = thread / kRows;
      if (k < kSumColumns) shared.u[k].v[r] = r < rows && k < weights.u.cols ? weights.u(i + r, k) : R(0);
    } else if (phase == 1) {
      weigh(i, rows, part * kSumPart, thread, shared);
    } else if (phase == 2) {
      shared.sums.begin(thread);
    } else if (thread < rows) {
      parts[part * weights.dq.rows + i + thread] = shared.sums.end(thread);
    }
  }

 private:
  NTKROB_HD void weigh(index i, int rows, index begin, int thread, Shared& shared) const {
    const DeviceView<const R>&u = weights.u, &vt = weights.vt, &da = weights.da;
    const DeviceView<R>& dq = weights.dq;
    const index end = begin + kSumPart < dq.cols ? begin + kSumPart : dq.cols;
    const index few = u.cols < kSumColumns ? u.cols : kSumColumns;
    double sum[kRows] = {};
    for (index j = begin + thread; j < end; j += kThreads) {
      R g[kRows] = {};
#pragma unroll 4
      for (index k = 0; k < few; ++k) {
        const R right = vt(k, j);
        const Quad<R> left = load_quad(shared.u[k].v);
        for (int r = 0; r < kRows; ++r) g[r] = std::fma(left.v[r], right, g[r]);
      }
      for (index k = few; k < u.cols; ++k) {
        const R right = vt(k, j);
        for (int r = 0; r < kRows; ++r) g[r] = std::fma(r < rows ? u(i + r, k) : R(0), right, g[r]);
      }
#pragma unroll
      for (int r = 0; r < kRows; ++r) {
        if (r >= rows) break;
        dq(i + r, j) *= g[r];
        sum[r] += static_cast<double>(g[r]) * static_cast<double>(da(i + r, j));
      }
    }
    for (int r = 0; r < kRows; ++r) shared.sums.number[r][thread] = sum[r];
  }
};

/// sum(i,c) += part 0 + part 1 + ..., in this order. Part p of element (i, c) is at parts[(p n + i) r + c].
template <class T>
struct AddParts {
  static constexpr int kThreads = kSumThreads;
  using Shared = None;
  using Own = None;
  const T* parts = nullptr;
  index count = 0;
  bool together = false;  // the parts are added to each other first
  DeviceView<double> sum;

  NTKROB_HD index numbers() const { return sum.rows * sum.cols; }
  long long blocks() const { return (numbers() + kThreads - 1) / kThreads; }
  int phases() const { return count > 0 ? 1 : 0; }
  NTKROB_HD void run(int, long long block, int thread, Own&, Shared&) const {
    const index e = block * kThreads + thread;
    if (e >= numbers()) return;
    double& to = sum(e / sum.cols, e % sum.cols);
    double total = together ? 0.0 : to;
    for (index p = 0; p < count; ++p) total += static_cast<double>(parts[p * numbers() + e]);
    to = together ? to + total : total;
  }
};

/// Start what computes these sums.   launch(program)   scratch(type, count): room for so many numbers of a type
template <class R, class Launch, class Scratch>
void start_sums(const ThinProduct<R>& product, const Launch& launch, const Scratch& scratch) {
  const index count = sum_parts(product.a.cols);
  R* const parts = scratch(R(), count * product.sum.rows * product.sum.cols);
  launch(ThinParts<R>{product, parts});
  launch(AddParts<R>{parts, count, false, product.sum});
}
template <class R, class Launch, class Scratch>
void start_sums(const Weights<R>& weights, const Launch& launch, const Scratch& scratch) {
  const index count = sum_parts(weights.dq.cols);
  double* const parts = scratch(double(), count * weights.dq.rows);
  launch(WeightParts<R>{weights, parts});
  launch(AddParts<double>{parts, count, true, weights.row_sum});
}

}  // namespace ntkrob::cuda
