#include "backend_cuda/device.hpp"

#include <limits>

#include "backend_cuda/availability.hpp"

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

namespace {

cudaMemPool_t pool_of_current_device() {
  int device = 0;
  cudaMemPool_t pool = nullptr;
  check(cudaGetDevice(&device), "finding the device");
  check(cudaDeviceGetDefaultMemPool(&pool, device), "finding the memory pool");
  return pool;
}

}  // namespace

Memory::Memory(std::size_t bytes, Stream stream) : bytes_(bytes), stream_(stream) {
  if (bytes == 0) return;
  const auto allocate = [&] {
    return stream == nullptr ? cudaMalloc(&data_, bytes) : cudaMallocAsync(&data_, bytes, stream);
  };
  cudaError_t status = allocate();
  if (status == cudaErrorMemoryAllocation) {  // what other streams have freed may lie in the pool
    cudaGetLastError();
    check(cudaDeviceSynchronize(), "waiting for memory");
    check(cudaMemPoolTrimTo(pool_of_current_device(), 0), "trimming the memory pool");
    status = allocate();
  }
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    std::size_t free = 0, total = 0;
    check(cudaMemGetInfo(&free, &total), "asking for free memory");
    throw ResourceError(out_of_memory(bytes, free, total));
  }
  check(status, "allocating memory");
}

Memory::~Memory() {
  if (data_ == nullptr) return;
  if (stream_ == nullptr)
    cudaFree(data_);
  else
    cudaFreeAsync(data_, stream_);
}

Queue::Queue() {
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "making a stream");
  check(cublasCreate(&blas), "starting cuBLAS");
  check(cublasSetStream(blas, stream), "starting cuBLAS");
  check(cublasSetMathMode(blas, CUBLAS_PEDANTIC_MATH), "starting cuBLAS");  // no TF32
  check(cublasSetAtomicsMode(blas, CUBLAS_ATOMICS_NOT_ALLOWED), "starting cuBLAS");
  check(cusolverDnCreate(&solver), "starting cuSOLVER");
  check(cusolverDnSetStream(solver, stream), "starting cuSOLVER");
  check(cusolverDnSetDeterministicMode(solver, CUSOLVER_DETERMINISTIC_RESULTS), "starting cuSOLVER");
  check(cusolverDnCreateParams(&parameters), "starting cuSOLVER");
}

Queue::~Queue() {
  if (parameters != nullptr) cusolverDnDestroyParams(parameters);
  if (solver != nullptr) cusolverDnDestroy(solver);
  if (blas != nullptr) cublasDestroy(blas);
  if (stream != nullptr) cudaStreamDestroy(stream);
}

Device::Device(int number) : number_(number) {
  int devices = 0;
  check(cudaGetDeviceCount(&devices), "counting devices");
  NTKROB_CHECK(devices > number, ConfigError, no_such_device(number, devices));
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, number), "asking for the device's properties");
  name_ = properties.name;
  memory_bytes_ = properties.totalGlobalMem;
  const std::string reason = why_too_old(text(number, " (", name_, ")"), properties.major, properties.minor);
  NTKROB_CHECK(reason.empty(), BackendUnavailable, "backend cuda: ", reason);
  NTKROB_CHECK(properties.memoryPoolsSupported != 0, BackendUnavailable, "backend cuda: device ", number, " (", name_,
               ") has no memory pools; update the driver, or use cpu");
  check(cudaSetDevice(number), "choosing the device");
  std::uint64_t keep = std::numeric_limits<std::uint64_t>::max();
  check(cudaMemPoolSetAttribute(pool_of_current_device(), cudaMemPoolAttrReleaseThreshold, &keep),
        "configuring the memory pool");
}

std::unique_ptr<Queue> Device::borrow() {
  check(cudaSetDevice(number_), "choosing the device");  // of this thread
  const std::lock_guard<std::mutex> lock(mutex_);
  if (idle_.empty()) return std::make_unique<Queue>();
  std::unique_ptr<Queue> queue = std::move(idle_.back());
  idle_.pop_back();
  return queue;
}

void Device::give_back(std::unique_ptr<Queue> queue) {
  const std::lock_guard<std::mutex> lock(mutex_);
  idle_.push_back(std::move(queue));
}

void Work::copy(void* to, index to_stride, const void* from, index from_stride, index rows, index cols,
                std::size_t number, cudaMemcpyKind kind) {
  if (rows == 0 || cols == 0) return;
  const auto bytes = [&](index count) { return static_cast<std::size_t>(count) * number; };
  if (rows == 1 || (to_stride == cols && from_stride == cols))
    check(cudaMemcpyAsync(to, from, bytes(rows * cols), kind, stream()), "copying");
  else
    check(cudaMemcpy2DAsync(to, bytes(to_stride), from, bytes(from_stride), bytes(cols), static_cast<std::size_t>(rows),
                            kind, stream()),
          "copying");
}

}  // namespace ntkrob::cuda
