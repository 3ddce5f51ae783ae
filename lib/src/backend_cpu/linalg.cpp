#include "backend_cpu/linalg.hpp"

#ifdef NTKROB_HAS_BLAS
#define EIGEN_USE_BLAS
#endif
#define EIGEN_DONT_PARALLELIZE
#include <Eigen/Cholesky>
#include <Eigen/Core>
#include <algorithm>
#include <atomic>
#include <cmath>

#ifdef NTKROB_HAS_BLAS
extern "C" {
// Present in OpenBLAS only; other libraries leave them null.
__attribute__((weak)) void openblas_set_num_threads(int);
__attribute__((weak)) char* openblas_get_config(void);
}
#endif

namespace ntkrob {
namespace {

template <class R>
using RowMajor = Eigen::Matrix<R, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
template <class R>
using Mapped = Eigen::Map<RowMajor<R>, Eigen::Unaligned, Eigen::OuterStride<>>;
template <class R>
using ConstMapped = Eigen::Map<const RowMajor<R>, Eigen::Unaligned, Eigen::OuterStride<>>;

template <class R>
Mapped<R> map(View2D<R> v) {
  return {v.data, v.rows, v.cols, Eigen::OuterStride<>(v.stride)};
}
template <class R>
ConstMapped<R> map(ConstView2D<R> v) {
  return {v.data, v.rows, v.cols, Eigen::OuterStride<>(v.stride)};
}

#ifdef NTKROB_HAS_BLAS
void blas_gemm(const char* ta, const char* tb, int m, int n, int k, float alpha, const float* a, int lda, const float* b,
               int ldb, float beta, float* c, int ldc) {
  Eigen::internal::gemm(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
#endif

}  // namespace
}  // namespace ntkrob
