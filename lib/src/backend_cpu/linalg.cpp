#include "backend_cpu/linalg.hpp"

#ifdef NTKROB_HAS_BLAS
#define EIGEN_USE_BLAS
#endif
#define EIGEN_DONT_PARALLELIZE
#include <Eigen/Core>

#ifdef NTKROB_HAS_BLAS
extern "C" {
// OpenBLAS only; other libraries leave them null.
__attribute__((weak)) void openblas_set_num_threads(int);
__attribute__((weak)) char* openblas_get_config(void);
}
#endif

namespace ntkrob {
namespace {

template <class R>
using RowMajor = Eigen::Matrix<R, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

template <class R>
Eigen::Map<RowMajor<R>, Eigen::Unaligned, Eigen::OuterStride<>> map(View2D<R> v) {
  return {v.data, v.rows, v.cols, Eigen::OuterStride<>(v.stride)};
}
template <class R>
Eigen::Map<const RowMajor<R>, Eigen::Unaligned, Eigen::OuterStride<>> map(View2D<const R> v) {
  return {v.data, v.rows, v.cols, Eigen::OuterStride<>(v.stride)};
}

#ifdef NTKROB_HAS_BLAS

void call_gemm(const char* ta, const char* tb, const int* m, const int* n, const int* k, const float* alpha,
               const float* a, const int* lda, const float* b, const int* ldb, const float* beta, float* c,
               const int* ldc) {
  sgemm_(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
void call_gemm(const char* ta, const char* tb, const int* m, const int* n, const int* k, const double* alpha,
               const double* a, const int* lda, const double* b, const int* ldb, const double* beta, double* c,
               const int* ldc) {
  dgemm_(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

/// The BLAS is column-major: a row-major matrix is its transpose, so c^T = op(b)^T op(a)^T.
template <class R>
void gemm(Transpose ta, Transpose tb, R alpha, ConstView2D<R> a, ConstView2D<R> b, R beta, View2D<R> c) {
  const int m = static_cast<int>(c.cols), n = static_cast<int>(c.rows);
  const int k = static_cast<int>(ta == Transpose::no ? a.cols : a.rows);
  const int lda = static_cast<int>(a.stride), ldb = static_cast<int>(b.stride), ldc = static_cast<int>(c.stride);
  call_gemm(tb == Transpose::no ? "N" : "T", ta == Transpose::no ? "N" : "T", &m, &n, &k, &alpha, b.data, &ldb, a.data,
            &lda, &beta, c.data, &ldc);
}

#else

template <class R>
void gemm(Transpose ta, Transpose tb, R alpha, ConstView2D<R> a, ConstView2D<R> b, R beta, View2D<R> c) {
  auto out = map(c);
  if (beta == R(0))
    out.setZero();
  else if (beta != R(1))
    out *= beta;
  if (ta == Transpose::no && tb == Transpose::no) out.noalias() += alpha * map(a) * map(b);
  if (ta == Transpose::yes && tb == Transpose::no) out.noalias() += alpha * map(a).transpose() * map(b);
  if (ta == Transpose::no && tb == Transpose::yes) out.noalias() += alpha * map(a) * map(b).transpose();
  if (ta == Transpose::yes && tb == Transpose::yes) out.noalias() += alpha * map(a).transpose() * map(b).transpose();
}

#endif

template <class R>
void checked_gemm(Transpose ta, Transpose tb, R alpha, ConstView2D<R> a, ConstView2D<R> b, R beta, View2D<R> c) {
  if (c.rows == 0 || c.cols == 0) return;
  const index inner = ta == Transpose::no ? a.cols : a.rows;
  if (inner > 0) return gemm(ta, tb, alpha, a, b, beta, c);
  for (index i = 0; i < c.rows; ++i)
    for (index j = 0; j < c.cols; ++j) c(i, j) = beta == R(0) ? R(0) : beta * c(i, j);
}

}  // namespace

void serial_gemm(Transpose ta, Transpose tb, float alpha, ConstView2D<float> a, ConstView2D<float> b, float beta,
                 View2D<float> c) {
  checked_gemm(ta, tb, alpha, a, b, beta, c);
}
void serial_gemm(Transpose ta, Transpose tb, double alpha, ConstView2D<double> a, ConstView2D<double> b, double beta,
                 View2D<double> c) {
  checked_gemm(ta, tb, alpha, a, b, beta, c);
}

std::string linalg_description() {
#ifdef NTKROB_HAS_BLAS
  if (openblas_get_config != nullptr) {
    const std::string config = openblas_get_config();
    return config.substr(0, config.find(' ', config.find(' ') + 1));
  }
  return "system BLAS";
#else
  return "Eigen " + std::to_string(EIGEN_WORLD_VERSION) + "." + std::to_string(EIGEN_MAJOR_VERSION) + "." +
         std::to_string(EIGEN_MINOR_VERSION);
#endif
}

void make_blas_serial() {
#ifdef NTKROB_HAS_BLAS
  if (openblas_set_num_threads != nullptr) openblas_set_num_threads(1);
#endif
}

}  // namespace ntkrob
