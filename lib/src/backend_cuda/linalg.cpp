#include "backend_cuda/linalg.hpp"

#include <algorithm>
#include <type_traits>

#include "backend_cuda/launch.hpp"

namespace ntkrob::cuda {
namespace {

cublasStatus_t call_gemm(cublasHandle_t handle, cublasOperation_t ta, cublasOperation_t tb, index m, index n, index k,
                         const float* alpha, const float* a, index lda, const float* b, index ldb, const float* beta,
                         float* c, index ldc) {
  return cublasSgemm_64(handle, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}
cublasStatus_t call_gemm(cublasHandle_t handle, cublasOperation_t ta, cublasOperation_t tb, index m, index n, index k,
                         const double* alpha, const double* a, index lda, const double* b, index ldb,
                         const double* beta, double* c, index ldc) {
  return cublasDgemm_64(handle, ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
}

cublasOperation_t operation(Transpose t) { return t == Transpose::yes ? CUBLAS_OP_T : CUBLAS_OP_N; }

cublasStatus_t call_trsm(cublasHandle_t handle, cublasOperation_t trans, index m, index n, const float* a, index lda,
                         float* b, index ldb) {
  const float one = 1;
  return cublasStrsm_64(handle, CUBLAS_SIDE_RIGHT, CUBLAS_FILL_MODE_UPPER, trans, CUBLAS_DIAG_NON_UNIT, m, n, &one, a,
                        lda, b, ldb);
}
cublasStatus_t call_trsm(cublasHandle_t handle, cublasOperation_t trans, index m, index n, const double* a, index lda,
                         double* b, index ldb) {
  const double one = 1;
  return cublasDtrsm_64(handle, CUBLAS_SIDE_RIGHT, CUBLAS_FILL_MODE_UPPER, trans, CUBLAS_DIAG_NON_UNIT, m, n, &one, a,
                        lda, b, ldb);
}

/// Scratch of a cuSOLVER routine, on the device and on the host, and its verdict.
struct SolverScratch {
  std::size_t device_bytes = 0, host_bytes = 0;
  Memory device;
  std::vector<unsigned char> host;
  DeviceMatrix<int> info;

  void make(Work& work) {
    device = Memory(device_bytes, work.stream());
    host.resize(host_bytes);
    info = work.make<int>(1, 1);
  }
  int verdict(Work& work) {
    int value = 0;
    work.read(info.view(), View2D<int>(&value, 1, 1));
    work.finish();
    return value;
  }
};

template <class R>
constexpr cudaDataType kType = std::is_same<R, float>::value ? CUDA_R_32F : CUDA_R_64F;

}  // namespace

template <class R>
void gemm(Work& work, Transpose ta, Transpose tb, R alpha, ConstView2D<R> a, ConstView2D<R> b, R beta, View2D<R> c) {
  const index inner = ta == Transpose::no ? a.cols : a.rows;
  if (c.empty()) return;
  const DeviceView<const R> left = work.in(a), right = work.in(b);
  const DeviceView<R> result = work.out(c, beta != R(0));
  const auto stride = [](index of) { return std::max<index>(of, 1); };
  check(call_gemm(work.queue().blas(), operation(tb), operation(ta), c.cols, c.rows, inner, &alpha, right.data,
                  stride(right.stride), left.data, stride(left.stride), &beta, result.data, stride(result.stride)),
        "multiplying matrices");
  work.finish();
}
template void gemm(Work&, Transpose, Transpose, float, ConstView2D<float>, ConstView2D<float>, float, View2D<float>);
template void gemm(Work&, Transpose, Transpose, double, ConstView2D<double>, ConstView2D<double>, double,
                   View2D<double>);

/// The lower triangle of a row-major matrix is the upper one of a column-major matrix.
constexpr cublasFillMode_t kLower = CUBLAS_FILL_MODE_UPPER;

template <class R>
index factor_spd(Work& work, View2D<R> a) {
  const index n = a.rows;
  if (n == 0) return -1;
  Queue& queue = work.queue();
  const DeviceView<R> matrix = work.out(a, true);
  index bad = -1;
  SolverScratch scratch;
  check(cusolverDnXpotrf_bufferSize(queue.solver(), queue.parameters(), kLower, n, kType<R>, matrix.data, matrix.stride,
                                    kType<R>, &scratch.device_bytes, &scratch.host_bytes),
        "planning a factorisation");
  scratch.make(work);
  check(cusolverDnXpotrf(queue.solver(), queue.parameters(), kLower, n, kType<R>, matrix.data, matrix.stride, kType<R>,
                         scratch.device.data(), scratch.device_bytes, scratch.host.data(), scratch.host_bytes,
                         scratch.info.data()),
        "factoring a matrix");
  const DeviceView<int> flags = work.scratch<int>(1, n);
  launch(BadPivots<R>{{}, matrix, scratch.info.data(), flags}, work.stream());
  launch(FirstSet{flags, work.out(View2D<index>(&bad, 1, 1))}, work.stream());
  work.finish();  // not before is the scratch on the host free
  return bad;
}
template index factor_spd(Work&, View2D<float>);
template index factor_spd(Work&, View2D<double>);

/// Row-major right-hand sides are B^T in column-major order, and the factor is L^T: X^T = B^T L^-T L^-1.
template <class R>
void solve_spd(Work& work, ConstView2D<R> factor, View2D<R> b) {
  if (b.empty()) return;
  const DeviceView<const R> triangle = work.in(factor);
  const DeviceView<R> sides = work.out(b, true);
  for (const cublasOperation_t by : {CUBLAS_OP_N, CUBLAS_OP_T})
    check(call_trsm(work.queue().blas(), by, b.cols, b.rows, triangle.data, triangle.stride, sides.data, sides.stride),
          "solving with a factor");
  work.finish();
}
template void solve_spd(Work&, ConstView2D<float>, View2D<float>);
template void solve_spd(Work&, ConstView2D<double>, View2D<double>);

void symmetric_eigen(Work& work, View2D<double> a, double* values) {
  const index n = a.rows;
  if (n == 0) return;
  Queue& queue = work.queue();
  const DeviceMatrix<double> matrix = work.upload<double>(ConstView2D<double>(a)), found = work.make<double>(1, n);
  SolverScratch scratch;
  check(cusolverDnXsyevd_bufferSize(queue.solver(), queue.parameters(), CUSOLVER_EIG_MODE_VECTOR, kLower, n, CUDA_R_64F,
                                    matrix.data(), n, CUDA_R_64F, found.data(), CUDA_R_64F, &scratch.device_bytes,
                                    &scratch.host_bytes),
        "planning eigenvalues");
  scratch.make(work);
  check(cusolverDnXsyevd(queue.solver(), queue.parameters(), CUSOLVER_EIG_MODE_VECTOR, kLower, n, CUDA_R_64F,
                         matrix.data(), n, CUDA_R_64F, found.data(), CUDA_R_64F, scratch.device.data(),
                         scratch.device_bytes, scratch.host.data(), scratch.host_bytes, scratch.info.data()),
        "computing eigenvalues");
  NTKROB_CHECK(scratch.verdict(work) == 0, NumericalError, "the eigenvalues of a ", n, " x ", n,
               " matrix did not converge");
  work.read(matrix.view(), a);
  work.read(found.view(), View2D<double>(values, 1, n));
  work.finish();
}

}  // namespace ntkrob::cuda
