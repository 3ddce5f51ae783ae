/// The bare float32 matrix product of the system BLAS, with the BLAS's own threads: the yardstick of the benchmarks.
#pragma once

#include "ntkrob/base/view.hpp"

extern "C" {
void sgemm_(const char*, const char*, const int*, const int*, const int*, const float*, const float*, const int*,
            const float*, const int*, const float*, float*, const int*);
// OpenBLAS only; null in other libraries.
__attribute__((weak)) void openblas_set_num_threads(int);
}

namespace ntkrob::bench {

/// c (n x m) = a (n x d) b^T with b (m x d), or a b with b (d x m).
inline void bare_gemm(int threads, bool transpose_b, ConstView2D<float> a, ConstView2D<float> b, View2D<float> c) {
  if (openblas_set_num_threads != nullptr) openblas_set_num_threads(threads);
  const int m = static_cast<int>(c.cols), n = static_cast<int>(c.rows), k = static_cast<int>(a.cols);
  const int lda = static_cast<int>(a.stride), ldb = static_cast<int>(b.stride), ldc = static_cast<int>(c.stride);
  const float one = 1, zero = 0;
  sgemm_(transpose_b ? "T" : "N", "N", &m, &n, &k, &one, b.data, &ldb, a.data, &lda, &zero, c.data, &ldc);
  if (openblas_set_num_threads != nullptr) openblas_set_num_threads(1);
}

}  // namespace ntkrob::bench
