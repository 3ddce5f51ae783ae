/// One operation on the queue of the calling thread: its operands as they lie on the device, or as copies there.
#pragma once

#include <algorithm>
#include <functional>
#include <type_traits>
#include <utility>
#include <vector>

#include "backend_cuda/device.hpp"

namespace ntkrob::cuda {

/// Copies go through the queue's pinned memory, in pieces of some MiB: writing host memory to the device does not wait
/// for it; reading waits until the numbers are there. What a view means, host memory or an array, is asked of the
/// device.
class Work {
 public:
  explicit Work(Device& device) : device_(device), queue_(device.queue()) {}
  Work(const Work&) = delete;
  Work& operator=(const Work&) = delete;

  Queue& queue() const { return queue_; }
  Stream stream() const { return queue_.stream; }

  /// An operand, for as long as this operation lives.
  template <class T>
  DeviceView<const T> in(View2D<const T> from) {
    if (device_.near(from.data)) return on_device(from);
    const DeviceView<T> copy = scratch<T>(from.rows, from.cols);
    write(from, copy);
    return copy;
  }
  /// A result: finish() brings it to where it belongs. With `read` what is there comes first.
  template <class T>
  DeviceView<T> out(View2D<T> to, bool read = false) {
    if (device_.near(to.data)) return on_device(to);
    const DeviceView<T> copy = scratch<T>(to.rows, to.cols);
    if (read) write(View2D<const T>(to), copy);
    results_.push_back([this, copy, to] { this->read(copy, to); });
    return copy;
  }
  /// Brings results to the host, and waits for them where there are any.
  void finish() {
    for (const auto& bring : results_) bring();
    results_.clear();
  }

  template <class T>
  DeviceMatrix<T> make(index rows, index cols) {
    return DeviceMatrix<T>(rows, cols, stream());
  }
  /// A copy on the device, of host memory or of an array.
  template <class T>
  DeviceMatrix<T> upload(View2D<const T> from) {
    DeviceMatrix<T> to(from.rows, from.cols, stream());
    write(from, to.view());
    return to;
  }
  template <class T>
  void write(View2D<const T> from, DeviceView<T> to) {
    if (device_.holds(from.data)) return move(on_device(from), to);
    send<T>(to, [&](index row, index col, View2D<T> piece) {
      convert(from.middle_rows(row, piece.rows).middle_cols(col, piece.cols), piece);
    });
  }
  /// Waits where `to` is host memory.
  template <class T>
  void read(DeviceView<T> from, View2D<std::remove_const_t<T>> to) {
    if (device_.holds(to.data)) return move(DeviceView<const T>(from), on_device(to));
    receive<std::remove_const_t<T>>(from, [&](index row, index col, View2D<const T> piece) {
      convert(piece, to.middle_rows(row, piece.rows).middle_cols(col, piece.cols));
    });
  }
  /// Fills `to` by fill(row, col, a piece in host memory).
  template <class T, class F>
  void send(DeviceView<T> to, F&& fill) {
    for_each_piece<T>(to.rows, to.cols, [&](index row, index col, index rows, index cols) {
      const View2D<T> piece(reinterpret_cast<T*>(queue_.staging.next()), rows, cols);
      fill(row, col, piece);
      copy(to.data + row * to.stride + col, to.stride, piece.data, cols, rows, cols, sizeof(T), cudaMemcpyHostToDevice);
      queue_.staging.started(stream());
    });
    device_.to_device += static_cast<unsigned long long>(to.rows * to.cols) * sizeof(T);
  }
  /// Calls take(row, col, a piece in host memory) for all of `from`, piece by piece, while the next one is copied.
  template <class T, class F>
  void receive(DeviceView<const T> from, F&& take) {
    struct Piece {
      index row, col, rows, cols;
    };
    Piece last{};
    bool pending = false;
    const auto hand_over = [&](int before) {
      const auto* data = reinterpret_cast<const T*>(queue_.staging.wait(before));
      take(last.row, last.col, View2D<const T>(data, last.rows, last.cols));
    };
    for_each_piece<T>(from.rows, from.cols, [&](index row, index col, index rows, index cols) {
      unsigned char* half = queue_.staging.next();
      copy(half, cols, from.data + row * from.stride + col, from.stride, rows, cols, sizeof(T), cudaMemcpyDeviceToHost);
      queue_.staging.started(stream());
      if (pending) hand_over(1);
      last = {row, col, rows, cols};
      pending = true;
    });
    if (pending) hand_over(0);
    device_.to_host += static_cast<unsigned long long>(from.rows * from.cols) * sizeof(T);
  }
  template <class T>
  void move(DeviceView<const T> from, DeviceView<std::remove_const_t<T>> to) {
    copy(to.data, to.stride, from.data, from.stride, to.rows, to.cols, sizeof(T), cudaMemcpyDeviceToDevice);
  }

  template <class T>
  static DeviceView<T> on_device(View2D<T> view) {
    return {view.data, view.rows, view.cols, view.stride};
  }
  /// Scratch memory for as long as this operation lives.
  template <class T>
  DeviceView<T> scratch(index rows, index cols) {
    DeviceMatrix<T> matrix(rows, cols, stream());
    const DeviceView<T> view = matrix.view();
    copies_.push_back(std::move(matrix).memory());
    return view;
  }

 private:
  /// Pieces of rows that fit a half of the staging memory, in order; parts of a row where one does not.
  template <class T, class F>
  static void for_each_piece(index rows, index cols, F&& piece) {
    if (rows == 0 || cols == 0) return;
    constexpr index kNumbers = static_cast<index>(Staging::kHalf / sizeof(T));
    const index height = std::max<index>(1, kNumbers / cols), width = std::min(cols, kNumbers);
    for (index row = 0; row < rows; row += height)
      for (index col = 0; col < cols; col += width)
        piece(row, col, std::min(height, rows - row), std::min(width, cols - col));
  }
  void copy(void* to, index to_stride, const void* from, index from_stride, index rows, index cols, std::size_t number,
            cudaMemcpyKind kind);

  Device& device_;
  Queue& queue_;
  std::vector<Memory> copies_;
  std::vector<std::function<void()>> results_;
};

}  // namespace ntkrob::cuda
