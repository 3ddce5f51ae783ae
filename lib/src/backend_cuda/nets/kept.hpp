/// Matrices that stay on a device between operations.
#pragma once

#include <memory>

#include "backend_cuda/device.hpp"

namespace ntkrob::cuda::nets {

/// Contiguous, not initialised.
template <class T>
class Kept {
 public:
  Kept() = default;
  /// throws: ResourceError with the bytes needed and free
  Kept(Device& device, index rows, index cols)
      : memory_(device.allocate(
            checked_mul(checked_mul(static_cast<std::size_t>(rows), static_cast<std::size_t>(cols), "device matrix"),
                        sizeof(T), "device matrix"))),
        view_{static_cast<T*>(memory_.get()), rows, cols, cols} {}
  const DeviceView<T>& view() const { return view_; }
  T* data() const { return view_.data; }

  /// The first rows x cols numbers, as a matrix. What is too small is made anew.
  DeviceView<T> fit(Device& device, index rows, index cols) {
    if (view_.rows * view_.cols < rows * cols) {
      *this = Kept();  // before there is new memory
      *this = Kept(device, rows, cols);
    }
    return {data(), rows, cols, cols};
  }

 private:
  std::shared_ptr<void> memory_;
  DeviceView<T> view_;
};

}  // namespace ntkrob::cuda::nets
