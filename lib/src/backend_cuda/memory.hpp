/// Memory of a device for one operation.
#pragma once

#include <cstddef>
#include <utility>

#include "backend_cuda/queue.hpp"

namespace ntkrob::cuda {

/// Bytes on a device for one operation, not initialised. Allocated and freed in the order of a stream.
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
  /// Somebody else frees it.
  void leave() { data_ = nullptr; }

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

}  // namespace ntkrob::cuda
