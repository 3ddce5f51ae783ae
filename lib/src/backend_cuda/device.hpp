/// A device, its queues and its memory. Whatever fails says so as an ntkrob::Error of one line.
#pragma once

#include <cublas_v2.h>
#include <cuda_runtime_api.h>
#include <cusolverDn.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "backend_cuda/program.hpp"
#include "ntkrob/base/error.hpp"
#include "ntkrob/base/view.hpp"

namespace ntkrob::cuda {

using Stream = cudaStream_t;

/// throws: ResourceError that says what was being done
void check(cudaError_t status, const char* what);
void check(cublasStatus_t status, const char* what);
void check(cusolverStatus_t status, const char* what);

/// Bytes on a device, not initialised. Freed in the order of a stream, or, without one, when the device is idle.
class Memory {
 public:
  Memory() = default;
  /// throws: ResourceError with the bytes needed and free
  Memory(std::size_t bytes, Stream stream);
  Memory(Memory&& other) noexcept { swap(other); }
  Memory& operator=(Memory&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Memory();
  void* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }

 private:
  void swap(Memory& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    std::swap(stream_, other.stream_);
  }
  void* data_ = nullptr;
  std::size_t bytes_ = 0;
  Stream stream_ = nullptr;
};

/// An owning row-major matrix on a device.
template <class T>
class DeviceMatrix {
 public:
  DeviceMatrix() = default;
  DeviceMatrix(index rows, index cols, Stream stream)
      : memory_(
            checked_mul(checked_mul(static_cast<std::size_t>(rows), static_cast<std::size_t>(cols), "device matrix"),
                        sizeof(T), "device matrix"),
            stream),
        view_{static_cast<T*>(memory_.data()), rows, cols, cols} {}
  const DeviceView<T>& view() const { return view_; }
  T* data() const { return view_.data; }

 private:
  Memory memory_;
  DeviceView<T> view_;
};

/// A stream with the handles of the libraries on it: one operation at a time.
struct Queue {
  Queue();
  ~Queue();
  Queue(const Queue&) = delete;
  Queue& operator=(const Queue&) = delete;
  Stream stream = nullptr;
  cublasHandle_t blas = nullptr;
  cusolverDnHandle_t solver = nullptr;
  cusolverDnParams_t parameters = nullptr;
};

class Device {
 public:
  /// throws: ConfigError (no such number), BackendUnavailable (too old)
  explicit Device(int number);
  int number() const { return number_; }
  const std::string& name() const { return name_; }
  std::size_t memory_bytes() const { return memory_bytes_; }
  /// Bytes copied since the start, to the device and back.
  std::atomic<unsigned long long> to_device{0}, to_host{0};

  std::unique_ptr<Queue> borrow();
  void give_back(std::unique_ptr<Queue> queue);

 private:
  int number_;
  std::string name_;
  std::size_t memory_bytes_ = 0;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Queue>> idle_;
};

/// One operation: borrows a queue, moves matrices. finish() waits for the device.
class Work {
 public:
  explicit Work(Device& device) : device_(device), queue_(device.borrow()) {}
  ~Work() { device_.give_back(std::move(queue_)); }
  Work(const Work&) = delete;
  Work& operator=(const Work&) = delete;

  const Queue& queue() const { return *queue_; }
  Stream stream() const { return queue_->stream; }

  template <class T>
  DeviceMatrix<T> make(index rows, index cols) {
    return DeviceMatrix<T>(rows, cols, stream());
  }
  template <class T>
  DeviceMatrix<T> upload(View2D<const T> from) {
    DeviceMatrix<T> to(from.rows, from.cols, stream());
    write(from, to.view());
    return to;
  }
  template <class T>
  void write(View2D<const T> from, DeviceView<T> to) {
    copy(to.data, to.stride, from.data, from.stride, from.rows, from.cols, sizeof(T), cudaMemcpyHostToDevice);
    device_.to_device += static_cast<unsigned long long>(from.rows * from.cols) * sizeof(T);
  }
  template <class T>
  void read(DeviceView<T> from, View2D<T> to) {
    copy(to.data, to.stride, from.data, from.stride, to.rows, to.cols, sizeof(T), cudaMemcpyDeviceToHost);
    device_.to_host += static_cast<unsigned long long>(to.rows * to.cols) * sizeof(T);
  }
  void finish() { check(cudaStreamSynchronize(stream()), "running"); }

 private:
  void copy(void* to, index to_stride, const void* from, index from_stride, index rows, index cols, std::size_t number,
            cudaMemcpyKind kind);
  Device& device_;
  std::unique_ptr<Queue> queue_;
};

}  // namespace ntkrob::cuda
