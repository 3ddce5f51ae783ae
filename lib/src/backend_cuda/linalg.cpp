#include "backend_cuda/linalg.hpp"

#include <algorithm>
#include <cmath>

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

index factor_spd(Work& work, View2D<double> a) {
  const index n = a.rows;
  if (n == 0) return -1;
  Queue& queue = work.queue();
  const DeviceMatrix<double> matrix = work.upload<double>(ConstView2D<double>(a));
  SolverScratch scratch;
  check(cusolverDnXpotrf_bufferSize(queue.solver(), queue.parameters(), kLower, n, CUDA_R_64F, matrix.data(), n,
                                    CUDA_R_64F, &scratch.device_bytes, &scratch.host_bytes),
        "planning a factorisation");
  scratch.make(work);
  check(cusolverDnXpotrf(queue.solver(), queue.parameters(), kLower, n, CUDA_R_64F, matrix.data(), n, CUDA_R_64F,
                         scratch.device.data(), scratch.device_bytes, scratch.host.data(), scratch.host_bytes,
                         scratch.info.data()),
        "factoring a matrix");
  const int info = scratch.verdict(work);
  NTKROB_CHECK(info >= 0, ResourceError, "backend cuda: factoring a matrix: argument ", -info, " is wrong");
  if (info > 0) return info - 1;
  work.read(matrix.view(), a);
  work.finish();
  for (index j = 0; j < n; ++j)  // a pivot that is not a number
    if (!(a(j, j) > 0) || !std::isfinite(a(j, j))) return j;
  return -1;
}

void solve_spd(Work& work, ConstView2D<double> factor, View2D<double> b) {
  const index n = b.rows, r = b.cols;
  if (b.empty()) return;
  Queue& queue = work.queue();
  const DeviceMatrix<double> matrix = work.upload<double>(factor), rows = work.upload<double>(ConstView2D<double>(b)),
                             columns = work.make<double>(r, n);
  const DeviceMatrix<int> info = work.make<int>(1, 1);
  launch(Transposition<double>{rows.view(), columns.view()}, work.stream());
  check(cusolverDnXpotrs(queue.solver(), queue.parameters(), kLower, n, r, CUDA_R_64F, matrix.data(), n, CUDA_R_64F,
                         columns.data(), n, info.data()),
        "solving with a factor");
  launch(Transposition<double>{columns.view(), rows.view()}, work.stream());
  work.read(rows.view(), b);
  work.finish();
}

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
