// cuSOLVER: Cholesky factors, solves with them, and eigenvectors, in float32 and float64.
#include <cusolverDn.h>

#include "dense.hpp"
#include "ntkrob/base/error.hpp"
#include "streams.hpp"

using namespace ntkrob::emulator;

struct cusolverDnContext {
  cudaStream_t stream = nullptr;
  int device = 0;
  cusolverDeterministicMode_t mode = CUSOLVER_DETERMINISTIC_RESULTS;
};
struct cusolverDnParams {};

namespace {

using Lock = std::lock_guard<std::recursive_mutex>;

/// Sizes of scratch that a routine asks for and, later, insists on.
constexpr std::size_t kHostBytes = 64;
std::size_t scratch_bytes(Count n, std::size_t number) { return static_cast<std::size_t>(n) * 32 * number + 256; }

cusolverStatus_t put(cusolverDnHandle_t handle, const char* what, std::function<void()> operation) {
  if (handle->device != current_device()) return CUSOLVER_STATUS_EXECUTION_FAILED;
  return enqueue(handle->stream, what, std::move(operation)) == cudaSuccess ? CUSOLVER_STATUS_SUCCESS
                                                                            : CUSOLVER_STATUS_EXECUTION_FAILED;
}

bool lower(cublasFillMode_t uplo) { return uplo == CUBLAS_FILL_MODE_LOWER; }

template <class T>
cusolverStatus_t potrf(cusolverDnHandle_t h, cublasFillMode_t uplo, Count n, T* a, Count lda, void* scratch,
                       std::size_t bytes, int* info) {
  if (n < 0 || lda < std::max<Count>(n, 1) || bytes < scratch_bytes(n, sizeof(T))) return CUSOLVER_STATUS_INVALID_VALUE;
  return put(h, "cusolverDnXpotrf", [=] {
    std::memset(scratch, 0xff, bytes);
    std::vector<T> matrix = whole(a, lda, n, lower(uplo));
    *info = factor(matrix, n);
    for (Count j = 0; j < n; ++j)
      for (Count i = j; i < n; ++i)
        (lower(uplo) ? a[i + j * lda] : a[j + i * lda]) = matrix[static_cast<std::size_t>(i + j * n)];
  });
}

template <class T>
cusolverStatus_t potrs(cusolverDnHandle_t h, cublasFillMode_t uplo, Count n, Count r, const T* a, Count lda, T* b,
                       Count ldb, int* info) {
  if (n < 0 || r < 0 || lda < std::max<Count>(n, 1) || ldb < std::max<Count>(n, 1))
    return CUSOLVER_STATUS_INVALID_VALUE;
  return put(h, "cusolverDnXpotrs", [=] {
    const bool is_lower = lower(uplo);
    const std::vector<T> factor = dense<T>(a, lda, n, n, !is_lower), back = dense<T>(a, lda, n, n, is_lower);
    solve_triangle(factor, n, true, false, b, ldb, r);
    solve_triangle(back, n, false, false, b, ldb, r);
    *info = 0;
  });
}

template <class T>
cusolverStatus_t syevd(cusolverDnHandle_t h, cusolverEigMode_t mode, cublasFillMode_t uplo, Count n, T* a, Count lda,
                       T* values, void* scratch, std::size_t bytes, int* info) {
  if (n < 0 || lda < std::max<Count>(n, 1) || bytes < scratch_bytes(n, sizeof(T))) return CUSOLVER_STATUS_INVALID_VALUE;
  return put(h, "cusolverDnXsyevd", [=] {
    std::memset(scratch, 0xff, bytes);
    std::vector<T> matrix = whole(a, lda, n, lower(uplo)), found;
    eigen(matrix, n, found);
    std::copy(found.begin(), found.end(), values);
    const bool vectors = mode == CUSOLVER_EIG_MODE_VECTOR;
    for (Count j = 0; j < n; ++j)
      for (Count i = 0; i < n; ++i)
        a[i + j * lda] = vectors ? matrix[static_cast<std::size_t>(i + j * n)] : std::nan("");
    *info = 0;
  });
}

/// Calls with a float* or a double*.
template <class Call>
cusolverStatus_t by_type(cudaDataType type, cudaDataType compute, const Call& call) {
  if (type == CUDA_R_32F && compute == CUDA_R_32F) return call(static_cast<float*>(nullptr));
  if (type == CUDA_R_64F && compute == CUDA_R_64F) return call(static_cast<double*>(nullptr));
  return CUSOLVER_STATUS_INVALID_VALUE;
}

cusolverStatus_t sizes(Count n, cudaDataType compute, std::size_t* device, std::size_t* host) {
  *device = scratch_bytes(n, compute == CUDA_R_32F ? sizeof(float) : sizeof(double));
  *host = kHostBytes;
  return CUSOLVER_STATUS_SUCCESS;
}

}  // namespace

cusolverStatus_t cusolverDnCreate(cusolverDnHandle_t* handle) {
  const Lock lock(big_lock());
  born("cuSOLVER handles");
  *handle = new cusolverDnContext;
  (*handle)->device = current_device();
  return CUSOLVER_STATUS_SUCCESS;
}
cusolverStatus_t cusolverDnDestroy(cusolverDnHandle_t handle) {
  const Lock lock(big_lock());
  gone("cuSOLVER handles");
  delete handle;
  return CUSOLVER_STATUS_SUCCESS;
}
cusolverStatus_t cusolverDnSetStream(cusolverDnHandle_t handle, cudaStream_t stream) {
  handle->stream = stream;
  return CUSOLVER_STATUS_SUCCESS;
}
cusolverStatus_t cusolverDnGetStream(cusolverDnHandle_t handle, cudaStream_t* stream) {
  *stream = handle->stream;
  return CUSOLVER_STATUS_SUCCESS;
}
cusolverStatus_t cusolverDnSetDeterministicMode(cusolverDnHandle_t handle, cusolverDeterministicMode_t mode) {
  handle->mode = mode;
  return CUSOLVER_STATUS_SUCCESS;
}
cusolverStatus_t cusolverDnCreateParams(cusolverDnParams_t* parameters) {
  const Lock lock(big_lock());
  born("sets of cuSOLVER parameters");
  *parameters = new cusolverDnParams;
  return CUSOLVER_STATUS_SUCCESS;
}
cusolverStatus_t cusolverDnDestroyParams(cusolverDnParams_t parameters) {
  const Lock lock(big_lock());
  gone("sets of cuSOLVER parameters");
  delete parameters;
  return CUSOLVER_STATUS_SUCCESS;
}

cusolverStatus_t cusolverDnXpotrf_bufferSize(cusolverDnHandle_t, cusolverDnParams_t, cublasFillMode_t, int64_t n,
                                             cudaDataType, const void*, int64_t, cudaDataType compute,
                                             std::size_t* device_bytes, std::size_t* host_bytes) {
  return sizes(n, compute, device_bytes, host_bytes);
}
cusolverStatus_t cusolverDnXpotrf(cusolverDnHandle_t h, cusolverDnParams_t, cublasFillMode_t uplo, int64_t n,
                                  cudaDataType type, void* a, int64_t lda, cudaDataType compute, void* scratch,
                                  std::size_t bytes, void*, std::size_t host_bytes, int* info) {
  if (host_bytes < kHostBytes) return CUSOLVER_STATUS_INVALID_VALUE;
  return by_type(type, compute, [&](auto* number) {
    return potrf(h, uplo, n, static_cast<decltype(number)>(a), lda, scratch, bytes, info);
  });
}
cusolverStatus_t cusolverDnXpotrs(cusolverDnHandle_t h, cusolverDnParams_t, cublasFillMode_t uplo, int64_t n, int64_t r,
                                  cudaDataType type_a, const void* a, int64_t lda, cudaDataType type_b, void* b,
                                  int64_t ldb, int* info) {
  return by_type(type_a, type_b, [&](auto* number) {
    using T = std::remove_pointer_t<decltype(number)>;
    return potrs(h, uplo, n, r, static_cast<const T*>(a), lda, static_cast<T*>(b), ldb, info);
  });
}
cusolverStatus_t cusolverDnXsyevd_bufferSize(cusolverDnHandle_t, cusolverDnParams_t, cusolverEigMode_t,
                                             cublasFillMode_t, int64_t n, cudaDataType, const void*, int64_t,
                                             cudaDataType, const void*, cudaDataType compute, std::size_t* device_bytes,
                                             std::size_t* host_bytes) {
  return sizes(n, compute, device_bytes, host_bytes);
}
cusolverStatus_t cusolverDnXsyevd(cusolverDnHandle_t h, cusolverDnParams_t, cusolverEigMode_t mode,
                                  cublasFillMode_t uplo, int64_t n, cudaDataType type, void* a, int64_t lda,
                                  cudaDataType type_w, void* values, cudaDataType compute, void* scratch,
                                  std::size_t bytes, void*, std::size_t host_bytes, int* info) {
  if (host_bytes < kHostBytes || type_w != type) return CUSOLVER_STATUS_INVALID_VALUE;
  return by_type(type, compute, [&](auto* number) {
    using T = std::remove_pointer_t<decltype(number)>;
    return syevd(h, mode, uplo, n, static_cast<T*>(a), lda, static_cast<T*>(values), scratch, bytes, info);
  });
}
