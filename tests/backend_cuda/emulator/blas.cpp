// cuBLAS: what backend_cuda calls, and its neighbours. Every routine runs on the stream of its handle; scalars are read
// at the call, or on the stream where the handle says that they lie on the device.
#include <cublas_v2.h>
#include <cuda_bf16.h>

#include <type_traits>

#include "dense.hpp"
#include "ntkrob/base/error.hpp"
#include "streams.hpp"

using namespace ntkrob::emulator;

struct cublasContext {
  cudaStream_t stream = nullptr;
  int device = 0;
  cublasMath_t math = CUBLAS_DEFAULT_MATH;
  cublasPointerMode_t pointers = CUBLAS_POINTER_MODE_HOST;
  cublasAtomicsMode_t atomics = CUBLAS_ATOMICS_NOT_ALLOWED;
};

namespace {

using Lock = std::lock_guard<std::recursive_mutex>;

cublasStatus_t put(cublasHandle_t handle, const char* what, std::function<void()> operation) {
  if (handle->device != current_device()) return CUBLAS_STATUS_EXECUTION_FAILED;
  return enqueue(handle->stream, what, std::move(operation)) == cudaSuccess ? CUBLAS_STATUS_SUCCESS
                                                                            : CUBLAS_STATUS_EXECUTION_FAILED;
}

/// A scalar argument: its value, or where it lies on the device.
template <class T>
class Scalar {
 public:
  Scalar(cublasHandle_t handle, const T* at)
      : at_(handle->pointers == CUBLAS_POINTER_MODE_DEVICE ? at : nullptr), value_(at_ == nullptr ? *at : T(0)) {}
  T operator()() const { return at_ == nullptr ? value_ : *at_; }

 private:
  const T* at_;
  T value_;
};

bool transposed(cublasOperation_t op) { return op != CUBLAS_OP_N; }
bool too_short(Count ld, Count rows) { return ld < std::max<Count>(rows, 1); }
bool lower(cublasFillMode_t uplo) { return uplo == CUBLAS_FILL_MODE_LOWER; }

/// float32 with the 10 bits of TF32, to nearest and even.
float to_tf32(float x) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &x, sizeof(bits));
  bits = (bits + 0xfff + ((bits >> 13) & 1)) & ~std::uint32_t{0x1fff};
  std::memcpy(&x, &bits, sizeof(bits));
  return x;
}

template <class T, class From, class To>
cublasStatus_t gemm(cublasHandle_t h, const char* what, cublasOperation_t ta, cublasOperation_t tb, Count m, Count n,
                    Count k, const T* alpha, const From* a, Count lda, const From* b, Count ldb, const T* beta, To* c,
                    Count ldc, bool tf32 = false, Count batch = 1, Count step_a = 0, Count step_b = 0,
                    Count step_c = 0) {
  if (m < 0 || n < 0 || k < 0 || batch < 0 || too_short(lda, transposed(ta) ? k : m) ||
      too_short(ldb, transposed(tb) ? n : k) || too_short(ldc, m))
    return CUBLAS_STATUS_INVALID_VALUE;
  if (m == 0 || n == 0 || batch == 0) return CUBLAS_STATUS_SUCCESS;
  const Scalar<T> by(h, alpha), keep(h, beta);
  return put(h, what, [=] {
    for (Count s = 0; s < batch; ++s) {
      std::vector<T> left = dense<T>(a + s * step_a, lda, m, k, transposed(ta)),
                     right = dense<T>(b + s * step_b, ldb, k, n, transposed(tb));
      if constexpr (std::is_same<T, float>::value)
        if (tf32) {
          std::transform(left.begin(), left.end(), left.begin(), to_tf32);
          std::transform(right.begin(), right.end(), right.begin(), to_tf32);
        }
      multiply(m, n, k, by(), left, right, keep(), c + s * step_c, ldc);
    }
  });
}

/// Products with the types as numbers.
cublasStatus_t gemm_of_types(cublasHandle_t h, cublasOperation_t ta, cublasOperation_t tb, Count m, Count n, Count k,
                             const void* alpha, const void* a, cudaDataType ta_number, Count lda, const void* b,
                             cudaDataType tb_number, Count ldb, const void* beta, void* c, cudaDataType tc_number,
                             Count ldc, cublasComputeType_t compute, Count batch = 1, Count step_a = 0,
                             Count step_b = 0, Count step_c = 0) {
  constexpr const char* kName = "cublasGemmEx";
  if (ta_number != tb_number) return CUBLAS_STATUS_NOT_SUPPORTED;
  const auto call = [&](auto scale, auto from, auto to, bool tf32) {
    using T = decltype(scale);
    using From = decltype(from);
    using To = decltype(to);
    return gemm<T, From, To>(h, kName, ta, tb, m, n, k, static_cast<const T*>(alpha), static_cast<const From*>(a), lda,
                             static_cast<const From*>(b), ldb, static_cast<const T*>(beta), static_cast<To*>(c), ldc,
                             tf32, batch, step_a, step_b, step_c);
  };
  const bool tf32 = compute == CUBLAS_COMPUTE_32F_FAST_TF32;
  if (compute == CUBLAS_COMPUTE_32F || compute == CUBLAS_COMPUTE_32F_PEDANTIC || tf32) {
    if (ta_number == CUDA_R_32F && tc_number == CUDA_R_32F) return call(float(), float(), float(), tf32);
    if (ta_number == CUDA_R_16BF && tc_number == CUDA_R_32F) return call(float(), __nv_bfloat16(), float(), false);
    if (ta_number == CUDA_R_16BF && tc_number == CUDA_R_16BF)
      return call(float(), __nv_bfloat16(), __nv_bfloat16(), false);
  }
  if ((compute == CUBLAS_COMPUTE_64F || compute == CUBLAS_COMPUTE_64F_PEDANTIC) && ta_number == CUDA_R_64F &&
      tc_number == CUDA_R_64F)
    return call(double(), double(), double(), false);
  return CUBLAS_STATUS_NOT_SUPPORTED;
}

template <class T>
cublasStatus_t symm(cublasHandle_t h, const char* what, cublasSideMode_t side, cublasFillMode_t uplo, Count m, Count n,
                    const T* alpha, const T* a, Count lda, const T* b, Count ldb, const T* beta, T* c, Count ldc) {
  const bool left = side == CUBLAS_SIDE_LEFT;
  const Count order = left ? m : n;
  if (m < 0 || n < 0 || too_short(lda, order) || too_short(ldb, m) || too_short(ldc, m))
    return CUBLAS_STATUS_INVALID_VALUE;
  const Scalar<T> by(h, alpha), keep(h, beta);
  return put(h, what, [=] {
    const std::vector<T> symmetric = whole(a, lda, order, lower(uplo)), other = dense<T>(b, ldb, m, n, false);
    multiply(m, n, order, by(), left ? symmetric : other, left ? other : symmetric, keep(), c, ldc);
  });
}

template <class T>
cublasStatus_t syrk(cublasHandle_t h, const char* what, cublasFillMode_t uplo, cublasOperation_t trans, Count n,
                    Count k, const T* alpha, const T* a, Count lda, const T* beta, T* c, Count ldc) {
  if (n < 0 || k < 0 || too_short(lda, transposed(trans) ? k : n) || too_short(ldc, n))
    return CUBLAS_STATUS_INVALID_VALUE;
  const Scalar<T> by(h, alpha), keep(h, beta);
  return put(h, what, [=] {
    const std::vector<T> left = dense<T>(a, lda, n, k, transposed(trans)),
                         right = dense<T>(a, lda, k, n, !transposed(trans));
    std::vector<T> all(static_cast<std::size_t>(n * n));
    multiply(n, n, k, by(), left, right, T(0), all.data(), n);
    for (Count j = 0; j < n; ++j)
      for (Count i = lower(uplo) ? j : 0; i < (lower(uplo) ? n : j + 1); ++i) {
        const T value = all[static_cast<std::size_t>(i + j * n)];
        c[i + j * ldc] = keep() == T(0) ? value : value + keep() * c[i + j * ldc];
      }
  });
}

template <class T>
cublasStatus_t trsm(cublasHandle_t h, const char* what, cublasSideMode_t side, cublasFillMode_t uplo,
                    cublasOperation_t trans, cublasDiagType_t diag, Count m, Count n, const T* alpha, const T* a,
                    Count lda, T* b, Count ldb) {
  const bool left = side == CUBLAS_SIDE_LEFT;
  const Count order = left ? m : n;
  if (m < 0 || n < 0 || too_short(lda, order) || too_short(ldb, m)) return CUBLAS_STATUS_INVALID_VALUE;
  const Scalar<T> by(h, alpha);
  return put(h, what, [=] {
    // From the right: b op(a)^-1 is the transpose of op(a)^-T b^T.
    const bool turned = transposed(trans) == left;
    const std::vector<T> triangle = dense<T>(a, lda, order, order, turned);
    const bool low = lower(uplo) != turned, unit = diag == CUBLAS_DIAG_UNIT;
    const Count columns = left ? n : m;
    std::vector<T> x = dense<T>(b, ldb, order, columns, !left);
    for (T& value : x) value *= by();
    solve_triangle(triangle, order, low, unit, x.data(), order, columns);
    for (Count j = 0; j < columns; ++j)
      for (Count i = 0; i < order; ++i)
        (left ? b[i + j * ldb] : b[j + i * ldb]) = x[static_cast<std::size_t>(i + j * order)];
  });
}

template <class T>
cublasStatus_t geam(cublasHandle_t h, const char* what, cublasOperation_t ta, cublasOperation_t tb, Count m, Count n,
                    const T* alpha, const T* a, Count lda, const T* beta, const T* b, Count ldb, T* c, Count ldc) {
  if (m < 0 || n < 0 || too_short(lda, transposed(ta) ? n : m) || too_short(ldb, transposed(tb) ? n : m) ||
      too_short(ldc, m))
    return CUBLAS_STATUS_INVALID_VALUE;
  if ((c == a && (transposed(ta) || lda != ldc)) || (c == b && (transposed(tb) || ldb != ldc)))
    return CUBLAS_STATUS_INVALID_VALUE;
  const Scalar<T> by(h, alpha), also(h, beta);
  return put(h, what, [=] {
    const T one = by(), two = also();
    for (Count j = 0; j < n; ++j)
      for (Count i = 0; i < m; ++i) {
        T sum = 0;
        if (one != T(0)) sum += one * (transposed(ta) ? a[j + i * lda] : a[i + j * lda]);
        if (two != T(0)) sum += two * (transposed(tb) ? b[j + i * ldb] : b[i + j * ldb]);
        c[i + j * ldc] = sum;
      }
  });
}

template <class T>
cublasStatus_t gemv(cublasHandle_t h, const char* what, cublasOperation_t trans, Count m, Count n, const T* alpha,
                    const T* a, Count lda, const T* x, Count step_x, const T* beta, T* y, Count step_y) {
  if (m < 0 || n < 0 || too_short(lda, m) || step_x < 1 || step_y < 1) return CUBLAS_STATUS_INVALID_VALUE;
  const Scalar<T> by(h, alpha), keep(h, beta);
  const Count rows = transposed(trans) ? n : m, inner = transposed(trans) ? m : n;
  return put(h, what, [=] {
    for (Count i = 0; i < rows; ++i) {
      T sum = 0;
      for (Count j = 0; j < inner; ++j) sum += (transposed(trans) ? a[j + i * lda] : a[i + j * lda]) * x[j * step_x];
      y[i * step_y] = keep() == T(0) ? by() * sum : by() * sum + keep() * y[i * step_y];
    }
  });
}

template <class T>
cublasStatus_t axpy(cublasHandle_t h, const char* what, Count n, const T* alpha, const T* x, Count step_x, T* y,
                    Count step_y) {
  const Scalar<T> by(h, alpha);
  return put(h, what, [=] {
    for (Count i = 0; i < n; ++i) y[i * step_y] += by() * x[i * step_x];
  });
}

template <class T>
cublasStatus_t scal(cublasHandle_t h, const char* what, Count n, const T* alpha, T* x, Count step) {
  const Scalar<T> by(h, alpha);
  return put(h, what, [=] {
    for (Count i = 0; i < n; ++i) x[i * step] *= by();
  });
}

/// A result on the host is waited for.
template <class T>
cublasStatus_t dot(cublasHandle_t h, const char* what, Count n, const T* x, Count step_x, const T* y, Count step_y,
                   T* result) {
  const cublasStatus_t status = put(h, what, [=] {
    T sum = 0;
    for (Count i = 0; i < n; ++i) sum += x[i * step_x] * y[i * step_y];
    *result = sum;
  });
  if (status == CUBLAS_STATUS_SUCCESS && h->pointers == CUBLAS_POINTER_MODE_HOST) cudaStreamSynchronize(h->stream);
  return status;
}

}  // namespace

// Handles.

cublasStatus_t cublasCreate(cublasHandle_t* handle) {
  const Lock lock(big_lock());
  born("cuBLAS handles");
  *handle = new cublasContext;
  (*handle)->device = current_device();
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasDestroy(cublasHandle_t handle) {
  const Lock lock(big_lock());
  gone("cuBLAS handles");
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetStream(cublasHandle_t handle, cudaStream_t stream) {
  handle->stream = stream;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasGetStream(cublasHandle_t handle, cudaStream_t* stream) {
  *stream = handle->stream;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t mode) {
  handle->math = mode;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasGetMathMode(cublasHandle_t handle, cublasMath_t* mode) {
  *mode = handle->math;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetAtomicsMode(cublasHandle_t handle, cublasAtomicsMode_t mode) {
  handle->atomics = mode;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetPointerMode(cublasHandle_t handle, cublasPointerMode_t mode) {
  handle->pointers = mode;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasGetPointerMode(cublasHandle_t handle, cublasPointerMode_t* mode) {
  *mode = handle->pointers;
  return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasSetWorkspace(cublasHandle_t, void*, std::size_t) { return CUBLAS_STATUS_SUCCESS; }
const char* cublasGetStatusString(cublasStatus_t status) {
  switch (status) {
    case CUBLAS_STATUS_SUCCESS:
      return "success";
    case CUBLAS_STATUS_INVALID_VALUE:
      return "an unsupported value or parameter was passed to the function";
    case CUBLAS_STATUS_NOT_SUPPORTED:
      return "the functionality requested is not supported";
    default:
      return "the operation failed";
  }
}

// Routines in float and double, with counts of 32 and of 64 bits. v2: what the header appends to most names.

#define EMULATED_ROUTINES(S, T, v2, suffix, Int)                                                                     \
  cublasStatus_t cublas##S##gemm##v2(cublasHandle_t h, cublasOperation_t ta, cublasOperation_t tb, Int m, Int n,     \
                                     Int k, const T* alpha, const T* a, Int lda, const T* b, Int ldb, const T* beta, \
                                     T* c, Int ldc) {                                                                \
    return gemm(h, "cublas" #S "gemm", ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc,                         \
                h->math == CUBLAS_TF32_TENSOR_OP_MATH);                                                              \
  }                                                                                                                  \
  cublasStatus_t cublas##S##gemmStridedBatched##suffix(cublasHandle_t h, cublasOperation_t ta, cublasOperation_t tb, \
                                                       Int m, Int n, Int k, const T* alpha, const T* a, Int lda,     \
                                                       long long step_a, const T* b, Int ldb, long long step_b,      \
                                                       const T* beta, T* c, Int ldc, long long step_c, Int batch) {  \
    return gemm(h, "cublas" #S "gemmStridedBatched", ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc,           \
                h->math == CUBLAS_TF32_TENSOR_OP_MATH, batch, step_a, step_b, step_c);                               \
  }                                                                                                                  \
  cublasStatus_t cublas##S##symm##v2(cublasHandle_t h, cublasSideMode_t side, cublasFillMode_t uplo, Int m, Int n,   \
                                     const T* alpha, const T* a, Int lda, const T* b, Int ldb, const T* beta, T* c,  \
                                     Int ldc) {                                                                      \
    return symm(h, "cublas" #S "symm", side, uplo, m, n, alpha, a, lda, b, ldb, beta, c, ldc);                       \
  }                                                                                                                  \
  cublasStatus_t cublas##S##syrk##v2(cublasHandle_t h, cublasFillMode_t uplo, cublasOperation_t trans, Int n, Int k, \
                                     const T* alpha, const T* a, Int lda, const T* beta, T* c, Int ldc) {            \
    return syrk(h, "cublas" #S "syrk", uplo, trans, n, k, alpha, a, lda, beta, c, ldc);                              \
  }                                                                                                                  \
  cublasStatus_t cublas##S##trsm##v2(cublasHandle_t h, cublasSideMode_t side, cublasFillMode_t uplo,                 \
                                     cublasOperation_t trans, cublasDiagType_t diag, Int m, Int n, const T* alpha,   \
                                     const T* a, Int lda, T* b, Int ldb) {                                           \
    return trsm(h, "cublas" #S "trsm", side, uplo, trans, diag, m, n, alpha, a, lda, b, ldb);                        \
  }                                                                                                                  \
  cublasStatus_t cublas##S##geam##suffix(cublasHandle_t h, cublasOperation_t ta, cublasOperation_t tb, Int m, Int n, \
                                         const T* alpha, const T* a, Int lda, const T* beta, const T* b, Int ldb,    \
                                         T* c, Int ldc) {                                                            \
    return geam(h, "cublas" #S "geam", ta, tb, m, n, alpha, a, lda, beta, b, ldb, c, ldc);                           \
  }                                                                                                                  \
  cublasStatus_t cublas##S##gemv##v2(cublasHandle_t h, cublasOperation_t trans, Int m, Int n, const T* alpha,        \
                                     const T* a, Int lda, const T* x, Int step_x, const T* beta, T* y, Int step_y) { \
    return gemv(h, "cublas" #S "gemv", trans, m, n, alpha, a, lda, x, step_x, beta, y, step_y);                      \
  }                                                                                                                  \
  cublasStatus_t cublas##S##axpy##v2(cublasHandle_t h, Int n, const T* alpha, const T* x, Int step_x, T* y,          \
                                     Int step_y) {                                                                   \
    return axpy(h, "cublas" #S "axpy", n, alpha, x, step_x, y, step_y);                                              \
  }                                                                                                                  \
  cublasStatus_t cublas##S##scal##v2(cublasHandle_t h, Int n, const T* alpha, T* x, Int step) {                      \
    return scal(h, "cublas" #S "scal", n, alpha, x, step);                                                           \
  }                                                                                                                  \
  cublasStatus_t cublas##S##dot##v2(cublasHandle_t h, Int n, const T* x, Int step_x, const T* y, Int step_y,         \
                                    T* result) {                                                                     \
    return dot(h, "cublas" #S "dot", n, x, step_x, y, step_y, result);                                               \
  }

EMULATED_ROUTINES(S, float, _v2, , int)
EMULATED_ROUTINES(D, double, _v2, , int)
EMULATED_ROUTINES(S, float, _v2_64, _64, int64_t)
EMULATED_ROUTINES(D, double, _v2_64, _64, int64_t)
#undef EMULATED_ROUTINES

#define EMULATED_TYPED(suffix, Int)                                                                                  \
  cublasStatus_t cublasGemmEx##suffix(cublasHandle_t h, cublasOperation_t ta, cublasOperation_t tb, Int m, Int n,    \
                                      Int k, const void* alpha, const void* a, cudaDataType type_a, Int lda,         \
                                      const void* b, cudaDataType type_b, Int ldb, const void* beta, void* c,        \
                                      cudaDataType type_c, Int ldc, cublasComputeType_t compute, cublasGemmAlgo_t) { \
    return gemm_of_types(h, ta, tb, m, n, k, alpha, a, type_a, lda, b, type_b, ldb, beta, c, type_c, ldc, compute);  \
  }                                                                                                                  \
  cublasStatus_t cublasGemmStridedBatchedEx##suffix(                                                                 \
      cublasHandle_t h, cublasOperation_t ta, cublasOperation_t tb, Int m, Int n, Int k, const void* alpha,          \
      const void* a, cudaDataType type_a, Int lda, long long step_a, const void* b, cudaDataType type_b, Int ldb,    \
      long long step_b, const void* beta, void* c, cudaDataType type_c, Int ldc, long long step_c, Int batch,        \
      cublasComputeType_t compute, cublasGemmAlgo_t) {                                                               \
    return gemm_of_types(h, ta, tb, m, n, k, alpha, a, type_a, lda, b, type_b, ldb, beta, c, type_c, ldc, compute,   \
                         batch, step_a, step_b, step_c);                                                             \
  }
EMULATED_TYPED(, int)
EMULATED_TYPED(_64, int64_t)
#undef EMULATED_TYPED
