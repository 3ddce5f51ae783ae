#include "backend_cuda/queue.hpp"

namespace ntkrob::cuda {

void check(cudaError_t status, const char* what) {
  NTKROB_CHECK(status == cudaSuccess, ResourceError, "backend cuda: ", what, ": ", cudaGetErrorString(status));
}
void check(cublasStatus_t status, const char* what) {
  NTKROB_CHECK(status == CUBLAS_STATUS_SUCCESS, ResourceError, "backend cuda: ", what, ": ",
               cublasGetStatusString(status));
}
void check(cusolverStatus_t status, const char* what) {
  NTKROB_CHECK(status == CUSOLVER_STATUS_SUCCESS, ResourceError, "backend cuda: ", what, ": cuSOLVER status ",
               static_cast<int>(status));
}

Staging::~Staging() {
  for (const cudaEvent_t event : done_)
    if (event != nullptr) cudaEventDestroy(event);
  if (memory_ != nullptr) cudaFreeHost(memory_);
}

unsigned char* Staging::next() {
  if (memory_ == nullptr) {
    for (cudaEvent_t& event : done_)
      if (event == nullptr) check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "making an event");
    void* memory = nullptr;
    check(cudaMallocHost(&memory, 2 * kHalf), "allocating pinned memory");
    memory_ = static_cast<unsigned char*>(memory);
  }
  half_ = 1 - half_;
  check(cudaEventSynchronize(done_[half_]), "copying");
  return memory_ + static_cast<std::size_t>(half_) * kHalf;
}

void Staging::started(Stream stream) { check(cudaEventRecord(done_[half_], stream), "copying"); }

const unsigned char* Staging::wait(int before) {
  const int half = before == 0 ? half_ : 1 - half_;
  check(cudaEventSynchronize(done_[half]), "copying");
  return memory_ + static_cast<std::size_t>(half) * kHalf;
}

Queue::Queue() {
  check(cudaGetDevice(&device), "finding the device");
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "making a stream");
  check(cudaEventCreateWithFlags(&here_, cudaEventDisableTiming), "making an event");
}

Queue::~Queue() {
  cudaSetDevice(device);
  if (parameters_ != nullptr) cusolverDnDestroyParams(parameters_);
  if (solver_ != nullptr) cusolverDnDestroy(solver_);
  if (blas_ != nullptr) cublasDestroy(blas_);
  if (here_ != nullptr) cudaEventDestroy(here_);
  if (stream != nullptr) cudaStreamDestroy(stream);
}

void Queue::wait_for(Queue& other) {
  check(cudaEventRecord(other.here_, other.stream), "ordering streams");
  check(cudaStreamWaitEvent(stream, other.here_, 0), "ordering streams");
}

void Queue::follow(Queue& other) noexcept {
  if (cudaEventRecord(other.here_, other.stream) == cudaSuccess) cudaStreamWaitEvent(stream, other.here_, 0);
}

cublasHandle_t Queue::blas() {
  if (blas_ == nullptr) {
    check(cublasCreate(&blas_), "starting cuBLAS");
    check(cublasSetStream(blas_, stream), "starting cuBLAS");
    check(cublasSetMathMode(blas_, CUBLAS_PEDANTIC_MATH), "starting cuBLAS");  // no TF32
    check(cublasSetAtomicsMode(blas_, CUBLAS_ATOMICS_NOT_ALLOWED), "starting cuBLAS");
  }
  return blas_;
}

cusolverDnHandle_t Queue::solver() {
  if (solver_ == nullptr) {
    check(cusolverDnCreate(&solver_), "starting cuSOLVER");
    check(cusolverDnSetStream(solver_, stream), "starting cuSOLVER");
    check(cusolverDnSetDeterministicMode(solver_, CUSOLVER_DETERMINISTIC_RESULTS), "starting cuSOLVER");
  }
  return solver_;
}

cusolverDnParams_t Queue::parameters() {
  if (parameters_ == nullptr) check(cusolverDnCreateParams(&parameters_), "starting cuSOLVER");
  return parameters_;
}

}  // namespace ntkrob::cuda
