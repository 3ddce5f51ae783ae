/// Cholesky factorisation and solves over a worker pool: blocked, left-looking (each entry is
/// written once per block column, however large the matrix). Blocks are fixed, so the bits do not
/// depend on the pool's size. Golub and Van Loan, Matrix Computations, section 4.2.
#ifdef NTKROB_HAS_BLAS
#define EIGEN_USE_BLAS
#endif
#define EIGEN_DONT_PARALLELIZE
#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <algorithm>
#include <cmath>

#include "backend_cpu/linalg.hpp"
#include "backend_cpu/simd.hpp"

namespace ntkrob {
namespace {

template <class R>
using RowMajor = Eigen::Matrix<R, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Stride = Eigen::OuterStride<>;

template <class R>
Eigen::Map<RowMajor<R>, Eigen::Unaligned, Stride> map(View2D<R> v) {
  return {v.data, v.rows, v.cols, Stride(v.stride)};
}
template <class R>
Eigen::Map<const RowMajor<R>, Eigen::Unaligned, Stride> map(View2D<const R> v) {
  return {v.data, v.rows, v.cols, Stride(v.stride)};
}

const ProductFunctions<float>& products_of(const float*) { return *simd_table().f32.products; }
const ProductFunctions<double>& products_of(const double*) { return *simd_table().f64.products; }

constexpr index kBlock = 192;  // columns factored at once
constexpr index kSolveRows = 256;
constexpr index kRows = 84;  // of a task: six register blocks of 14, or 14 of 6

index parts(index n, index size) { return (n + size - 1) / size; }

template <class T>
View2D<T> block(View2D<T> a, index row, index rows, index col, index cols) {
  return a.middle_rows(row, rows).middle_cols(col, cols);
}

/// Index of the first pivot of a diagonal block that is not positive (or not a number), by the unblocked algorithm.
template <class R>
index bad_pivot(RowMajor<R> a) {
  for (index j = 0; j < a.rows(); ++j) {
    const R pivot = a(j, j) - a.row(j).head(j).squaredNorm();
    if (!(pivot > 0)) return j;
    a(j, j) = std::sqrt(pivot);
    for (index i = j + 1; i < a.rows(); ++i) a(i, j) = (a(i, j) - a.row(i).head(j).dot(a.row(j).head(j))) / a(j, j);
  }
  return a.rows() - 1;
}

/// Brings the columns [k, k + size) up to date: a -= L l^T with L all finished columns and l their rows [k, k + size).
template <class R>
void update_columns(View2D<R> a, index k, index size, Matrix<R>& panels, WorkerPool& pool) {
  const ProductFunctions<R>& products = products_of(a.data);
  const ConstView2D<R> own = block(a, k, size, 0, k);
  pool.for_each(parts(size, products.width), [&](index task, int) {
    products.pack(true, own, task * products.width, panels.data() + task * products.width * k);
  });
  pool.for_each(1 + parts(a.rows - k - size, kRows), [&](index task, int) {
    if (task == 0) {  // the diagonal block: what is above the diagonal stays as it is
      R square[kBlock * kBlock];
      const View2D<R> update(square, size, size, kBlock);
      products.multiply(-1, own, panels.data(), 0, update);
      for (index i = 0; i < size; ++i)
        for (index j = 0; j <= i; ++j) a(k + i, k + j) += update(i, j);
      return;
    }
    const index begin = k + size + (task - 1) * kRows, rows = std::min(kRows, a.rows - begin);
    products.multiply(-1, ConstView2D<R>(block(a, begin, rows, 0, k)), panels.data(), 1,
                      block(a, begin, rows, k, size));
  });
}

template <class R>
index factor(View2D<R> a, WorkerPool& pool) {
  const index n = a.rows, width = products_of(a.data).width;
  Matrix<R> panels(parts(std::min(n, kBlock), width) * width, n);
  for (index k = 0; k < n; k += kBlock) {
    const index size = std::min(kBlock, n - k), next = k + size;
    if (k > 0) update_columns(a, k, size, panels, pool);
    auto diagonal = map(block(a, k, size, k, size));
    const RowMajor<R> before = diagonal;
    Eigen::LLT<Eigen::Ref<RowMajor<R>, 0, Stride>, Eigen::Lower> factored(diagonal);
    if (factored.info() != Eigen::Success || !diagonal.diagonal().allFinite()) return k + bad_pivot<R>(before);
    pool.for_each(parts(n - next, kSolveRows), [&](index task, int) {
      const index i = next + task * kSolveRows;
      auto rows = map(block(a, i, std::min(kSolveRows, n - i), k, size));
      map(ConstView2D<R>(block(a, k, size, k, size)))
          .transpose()
          .template triangularView<Eigen::Upper>()
          .template solveInPlace<Eigen::OnTheRight>(rows);
    });
  }
  return -1;
}

template <class R>
void solve(View2D<const R> factor, View2D<R> b, WorkerPool& pool) {
  const index n = b.rows, last = (n - 1) / kBlock * kBlock;
  const auto diagonal = [&](index k) {
    return map(block(factor, k, std::min(kBlock, n - k), k, std::min(kBlock, n - k)));
  };
  for (index k = 0; k < n; k += kBlock) {
    const index size = std::min(kBlock, n - k), next = k + size;
    auto x = map(b.middle_rows(k, size));
    diagonal(k).template triangularView<Eigen::Lower>().solveInPlace(x);
    pool.for_each(parts(n - next, kBlock), [&](index task, int) {
      const index i = next + task * kBlock, rows = std::min(kBlock, n - i);
      serial_gemm(Transpose::no, Transpose::no, R(-1), block(factor, i, rows, k, size),
                  View2D<const R>(b.middle_rows(k, size)), R(1), b.middle_rows(i, rows));
    });
  }
  for (index k = last; k >= 0; k -= kBlock) {
    const index size = std::min(kBlock, n - k);
    auto x = map(b.middle_rows(k, size));
    diagonal(k).transpose().template triangularView<Eigen::Upper>().solveInPlace(x);
    pool.for_each(parts(k, kBlock), [&](index task, int) {
      const index i = task * kBlock;
      serial_gemm(Transpose::yes, Transpose::no, R(-1), block(factor, k, size, i, kBlock),
                  View2D<const R>(b.middle_rows(k, size)), R(1), b.middle_rows(i, kBlock));
    });
  }
}

}  // namespace

index blocked_cholesky(View2D<float> a, WorkerPool& pool) { return factor(a, pool); }
index blocked_cholesky(View2D<double> a, WorkerPool& pool) { return factor(a, pool); }
void cholesky_solve(ConstView2D<float> factor, View2D<float> b, WorkerPool& pool) { solve(factor, b, pool); }
void cholesky_solve(ConstView2D<double> factor, View2D<double> b, WorkerPool& pool) { solve(factor, b, pool); }

}  // namespace ntkrob
