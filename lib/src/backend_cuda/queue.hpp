/// A stream, the handles of the libraries on it, and pinned memory that copies between host and device pass through.
#pragma once

#include <cublas_v2.h>
#include <cuda_runtime_api.h>
#include <cusolverDn.h>

#include <cstddef>

#include "ntkrob/base/error.hpp"

namespace ntkrob::cuda {

using Stream = cudaStream_t;

/// throws: ResourceError that says what was being done
void check(cudaError_t status, const char* what);
void check(cublasStatus_t status, const char* what);
void check(cusolverStatus_t status, const char* what);

/// Two halves of pinned host memory. While the device copies one, the host fills or reads the other, so that ordinary
/// memory moves at the speed of the bus, and what is sent may be overwritten at once.
class Staging {
 public:
  static constexpr std::size_t kHalf = std::size_t(4) << 20;
  Staging() = default;
  ~Staging();
  Staging(const Staging&) = delete;
  Staging& operator=(const Staging&) = delete;

  /// The other half, when the last copy from or to it is done.
  unsigned char* next();
  /// A copy from or to the half that next() gave has been put on the stream.
  void started(Stream stream);
  /// Waits until the copy of the half given last (0) or before (1) is done.
  /// returns: that half
  const unsigned char* wait(int before);

 private:
  unsigned char* memory_ = nullptr;
  cudaEvent_t done_[2] = {};
  int half_ = 0;
};

/// One operation at a time.
class Queue {
 public:
  Queue();
  ~Queue();
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;

  /// What follows on this queue happens after what is on the other one now.
  void wait_for(Queue& other);
  /// The same where nobody can be told of a failure, which the next call on the stream reports.
  void follow(Queue& other) noexcept;

  // Made when they are first asked for.
  cublasHandle_t blas();
  cusolverDnHandle_t solver();
  cusolverDnParams_t parameters();

  int device = 0;  // the current one when it was made
  Stream stream = nullptr;
  Staging staging;

 private:
  cudaEvent_t here_ = nullptr;
  cublasHandle_t blas_ = nullptr;
  cusolverDnHandle_t solver_ = nullptr;
  cusolverDnParams_t parameters_ = nullptr;
};

}  // namespace ntkrob::cuda
