/// Cholesky factorisation and solves over a worker pool: blocked, left-looking (each entry is
/// written once per block column, however large the matrix). Golub and Van Loan, Matrix Computations, section 4.2.
///
/// Blocks are fixed, and the routines inside them do to an element what depends on its row and column alone
/// (products.cpp), so the bits do not depend on the pool's size, on the instruction set, or on any library.
#include <algorithm>
#include <cmath>

#include "backend_cpu/linalg.hpp"
#include "backend_cpu/simd.hpp"

namespace ntkrob {
namespace {

const ProductFunctions<float>& products_of(const float*) { return *simd_table().f32.products; }
const ProductFunctions<double>& products_of(const double*) { return *simd_table().f64.products; }

constexpr index kBlock = 192;      // columns factored at once ...
constexpr index kInnerBlock = 32;  // ... in steps of these
constexpr index kRows = 84;        // of a task: six register blocks of 14, or 14 of 6
constexpr index kMostWidth = 32;   // of a panel

index parts(index n, index size) { return (n + size - 1) / size; }

template <class T>
View2D<T> block(View2D<T> a, index row, index rows, index col, index cols) {
  return a.middle_rows(row, rows).middle_cols(col, cols);
}

/// The lower triangle of a += that of update.
template <class R>
void add_lower(ConstView2D<R> update, View2D<R> a) {
  for (index i = 0; i < a.rows; ++i)
    for (index j = 0; j <= i; ++j) a(i, j) += update(i, j);
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
      add_lower<R>(update, block(a, k, size, k, size));
      return;
    }
    const index begin = k + size + (task - 1) * kRows, rows = std::min(kRows, a.rows - begin);
    products.multiply(-1, ConstView2D<R>(block(a, begin, rows, 0, k)), panels.data(), 1,
                      block(a, begin, rows, k, size));
  });
}

/// rows = rows L^-T, with L the lower triangle of l: a panel of rows at a time.
template <class R>
void solve_on_the_right(ConstView2D<R> l, View2D<R> rows) {
  const ProductFunctions<R>& products = products_of(l.data);
  alignas(64) R panel[kBlock * kMostWidth];
  for (index first = 0; first < rows.rows; first += products.width) {
    products.pack(true, rows, first, panel);
    products.solve_lower(l, panel);
    products.unpack(true, panel, first, rows);
  }
}

/// Factors a small block as it stands, column by column.   returns: as Backend::factor_spd
template <class R>
index factor_unblocked(View2D<R> a) {
  const index n = a.rows;
  R column[kInnerBlock];
  for (index k = 0; k < n; ++k) {
    const R pivot = a(k, k);
    if (!(pivot > 0) || !std::isfinite(pivot)) return k;
    const R root = a(k, k) = std::sqrt(pivot);
    for (index i = k + 1; i < n; ++i) column[i] = a(i, k) = a(i, k) / root;
    for (index i = k + 1; i < n; ++i) {
      R* row = a.row(i);
      const R factor = column[i];
      for (index j = k + 1; j <= i; ++j) row[j] -= factor * column[j];
    }
  }
  return -1;
}

/// A diagonal block of at most kBlock columns.
template <class R>
index factor_diagonal(View2D<R> a) {
  const ProductFunctions<R>& products = products_of(a.data);
  for (index k = 0; k < a.rows; k += kInnerBlock) {
    const index size = std::min(kInnerBlock, a.rows - k), next = k + size;
    const ConstView2D<R> own = block(a, k, size, 0, k);
    R square[kInnerBlock * kInnerBlock];
    const View2D<R> update(square, size, size, kInnerBlock);
    products.gemm(false, true, -1, own, own, 0, update);
    add_lower<R>(update, block(a, k, size, k, size));
    if (const index bad = factor_unblocked(block(a, k, size, k, size)); bad >= 0) return k + bad;
    if (next == a.rows) break;
    const View2D<R> below = block(a, next, a.rows - next, k, size);
    products.gemm(false, true, -1, block(a, next, a.rows - next, 0, k), own, 1, below);
    solve_on_the_right<R>(block(a, k, size, k, size), below);
  }
  return -1;
}

template <class R>
index factor(View2D<R> a, WorkerPool& pool) {
  const index n = a.rows, width = products_of(a.data).width;
  Matrix<R> panels(parts(std::min(n, kBlock), width) * width, n);
  for (index k = 0; k < n; k += kBlock) {
    const index size = std::min(kBlock, n - k), next = k + size;
    if (k > 0) update_columns(a, k, size, panels, pool);
    const View2D<R> diagonal = block(a, k, size, k, size);
    if (const index bad = factor_diagonal(diagonal); bad >= 0) return k + bad;
    pool.for_each(parts(n - next, kMostWidth), [&](index task, int) {
      const index i = next + task * kMostWidth;
      solve_on_the_right<R>(diagonal, block(a, i, std::min(kMostWidth, n - i), k, size));
    });
  }
  return -1;
}

template <class R>
void solve(View2D<const R> factor, View2D<R> b, WorkerPool& pool) {
  const ProductFunctions<R>& products = products_of(b.data);
  const index n = b.rows, last = (n - 1) / kBlock * kBlock;
  const auto diagonal = [&](index k, View2D<R> rows, void (*solve_panel)(ConstView2D<R>, R*)) {
    pool.for_each(parts(b.cols, products.width), [&](index task, int) {
      alignas(64) R panel[kBlock * kMostWidth];
      products.pack(false, rows, task * products.width, panel);
      solve_panel(block(factor, k, rows.rows, k, rows.rows), panel);
      products.unpack(false, panel, task * products.width, rows);
    });
  };
  for (index k = 0; k < n; k += kBlock) {
    const index size = std::min(kBlock, n - k), next = k + size;
    const View2D<R> known = b.middle_rows(k, size);
    diagonal(k, known, products.solve_lower);
    pool.for_each(parts(n - next, kBlock), [&](index task, int) {
      const index i = next + task * kBlock, rows = std::min(kBlock, n - i);
      products.gemm(false, false, R(-1), block(factor, i, rows, k, size), known, R(1), b.middle_rows(i, rows));
    });
  }
  for (index k = last; k >= 0; k -= kBlock) {
    const index size = std::min(kBlock, n - k);
    const View2D<R> known = b.middle_rows(k, size);
    diagonal(k, known, products.solve_lower_transposed);
    pool.for_each(parts(k, kBlock), [&](index task, int) {
      const index i = task * kBlock;
      products.gemm(true, false, R(-1), block(factor, k, size, i, kBlock), known, R(1), b.middle_rows(i, kBlock));
    });
  }
}

}  // namespace

index blocked_cholesky(View2D<float> a, WorkerPool& pool) { return factor(a, pool); }
index blocked_cholesky(View2D<double> a, WorkerPool& pool) { return factor(a, pool); }
void cholesky_solve(ConstView2D<float> factor, View2D<float> b, WorkerPool& pool) { solve(factor, b, pool); }
void cholesky_solve(ConstView2D<double> factor, View2D<double> b, WorkerPool& pool) { solve(factor, b, pool); }

}  // namespace ntkrob
