/// Non-owning matrix views and the one owning host matrix.
///
/// All matrices are row-major: component j of row i is data[i * stride + j]. Every parameter of the library that is a
/// view carries its shape in a comment, for example `x, // N x D`. Views are trivially copyable and never own; a view
/// must not outlive its matrix. Float64 and float32 are distinct types and never convert silently.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

#include "ntkrob/base/error.hpp"

namespace ntkrob {

using index = std::ptrdiff_t;

/// rows x cols numbers, row-major, rows `stride` apart.
template <class T>
struct View2D {
  T* data = nullptr;
  index rows = 0;
  index cols = 0;
  index stride = 0;

  View2D() = default;
  View2D(T* data_, index rows_, index cols_, index stride_) : data(data_), rows(rows_), cols(cols_), stride(stride_) {}
  View2D(T* data_, index rows_, index cols_) : View2D(data_, rows_, cols_, cols_) {}
  /// View<T> converts to View<const T>, never back.
  template <class U, class = std::enable_if_t<std::is_same<const U, T>::value && !std::is_same<U, T>::value>>
  View2D(const View2D<U>& other) : View2D(other.data, other.rows, other.cols, other.stride) {}

  T* row(index i) const { return data + i * stride; }
  T& operator()(index i, index j) const { return data[i * stride + j]; }
  /// Rows [begin, begin + n).
  View2D middle_rows(index begin, index n) const { return {data + begin * stride, n, cols, stride}; }
  /// Columns [begin, begin + n).
  View2D middle_cols(index begin, index n) const { return {data + begin, rows, n, stride}; }
  bool empty() const { return rows == 0 || cols == 0; }
};

template <class T>
using ConstView2D = View2D<const T>;

/// a * b, or ResourceError where that does not fit std::size_t. For every size that comes from a file or a user.
inline std::size_t checked_mul(std::size_t a, std::size_t b, const char* what) {
  NTKROB_CHECK(b == 0 || a <= std::numeric_limits<std::size_t>::max() / b, ResourceError, what, ": ", a, " x ", b,
               " does not fit a 64-bit size");
  return a * b;
}

/// Copies source into target and converts the element type. Shapes must agree.
template <class To, class From>
void convert(View2D<From> source, View2D<To> target) {
  NTKROB_CHECK_SHAPE(source, target.rows, target.cols);
  for (index i = 0; i < source.rows; ++i) {
    if constexpr (std::is_same<std::remove_const_t<From>, To>::value) {
      std::copy_n(source.row(i), source.cols, target.row(i));
    } else {
      for (index j = 0; j < source.cols; ++j) target(i, j) = static_cast<To>(source(i, j));
    }
  }
}

/// Owning row-major host matrix, contiguous (stride == cols), 64-byte aligned, zero-initialised. Copyable and movable;
/// assigning a matrix of the same shape reuses the memory.
template <class T>
class Matrix {
 public:
  static_assert(std::is_arithmetic<T>::value, "Matrix holds numbers");

  Matrix() = default;
  Matrix(index rows, index cols) : rows_(rows), cols_(cols), data_(allocate(rows, cols)) {
    if (const index n = size(); n > 0) std::fill_n(data(), n, T(0));
  }
  explicit Matrix(View2D<const T> source)
      : rows_(source.rows), cols_(source.cols), data_(allocate(source.rows, source.cols)) {
    convert(source, view());
  }
  Matrix(const Matrix& other) : Matrix(other.view()) {}
  Matrix(Matrix&& other) noexcept { swap(other); }
  Matrix& operator=(const Matrix& other) {
    if (this == &other) return *this;
    if (rows_ == other.rows_ && cols_ == other.cols_) {
      convert(other.view(), view());
    } else {
      Matrix(other).swap(*this);
    }
    return *this;
  }
  Matrix& operator=(Matrix&& other) noexcept {
    Matrix(std::move(other)).swap(*this);
    return *this;
  }

  index rows() const { return rows_; }
  index cols() const { return cols_; }
  index size() const { return rows_ * cols_; }
  bool empty() const { return size() == 0; }
  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  T* row(index i) { return data_.get() + i * cols_; }
  const T* row(index i) const { return data_.get() + i * cols_; }
  T& operator()(index i, index j) { return data_[static_cast<std::size_t>(i * cols_ + j)]; }
  const T& operator()(index i, index j) const { return data_[static_cast<std::size_t>(i * cols_ + j)]; }
  View2D<T> view() { return {data_.get(), rows_, cols_}; }
  View2D<const T> view() const { return {data_.get(), rows_, cols_}; }
  operator View2D<T>() { return view(); }
  operator View2D<const T>() const { return view(); }

  void swap(Matrix& other) noexcept {
    std::swap(rows_, other.rows_);
    std::swap(cols_, other.cols_);
    std::swap(data_, other.data_);
  }

 private:
  struct Free {
    void operator()(T* p) const { std::free(p); }
  };
  using Block = std::unique_ptr<T[], Free>;

  /// Not initialised.
  static Block allocate(index rows, index cols) {
    NTKROB_CHECK(rows >= 0 && cols >= 0, ShapeError, "Matrix: negative size ", rows, " x ", cols);
    const std::size_t count = checked_mul(static_cast<std::size_t>(rows), static_cast<std::size_t>(cols), "Matrix");
    const std::size_t bytes = (checked_mul(count, sizeof(T), "Matrix") + 63) / 64 * 64;
    if (bytes == 0) return {};
    void* p = std::aligned_alloc(64, bytes);
    NTKROB_CHECK(p != nullptr, ResourceError, "out of memory: a ", rows, " x ", cols, " matrix needs ", given(bytes),
                 " bytes; ", advice("lower ", field("memory"), ", the batch or the number of images"));
    return Block(static_cast<T*>(p));
  }

  index rows_ = 0;
  index cols_ = 0;
  Block data_;
};

/// Shape of one image, NHWC order. A plain vector of D numbers is {1, 1, D}.
struct ImageShape {
  index height = 1;
  index width = 1;
  index channels = 1;
  index size() const { return height * width * channels; }
  bool operator==(const ImageShape& o) const {
    return height == o.height && width == o.width && channels == o.channels;
  }
  bool operator!=(const ImageShape& o) const { return !(*this == o); }
};

}  // namespace ntkrob
