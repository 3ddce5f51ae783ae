/// Arrays: matrices in the memory of a backend, and what is done to them beside kernels and products.
///
/// On a processor that memory is ordinary memory. On a device host code must not read or write it: views of arrays are
/// handles for operations of the backend, all of which take views of host memory and of arrays alike. Operations on
/// arrays alone do not wait for the device; one that writes host memory returns when the numbers are there. Operations
/// of one task follow each other in the order of the calls; what is called outside Backend::for_each happens before
/// its tasks, or after them.
#pragma once

#include <cstddef>
#include <memory>

#include "ntkrob/base/view.hpp"

namespace ntkrob {

/// Where a block of a matrix goes.
struct Placement {
  index row = 0, col = 0;
  /// Only pairs on and above the diagonal of the target count, and are written to their mirror images too.
  bool mirrored = false;
};

/// Operations of a memory. All write only their outputs. Shapes are checked.   throws: ShapeError, ResourceError
class Arrays {
 public:
  virtual ~Arrays() = default;
  /// Whether host code may read and write the arrays.
  virtual bool on_host() const = 0;
  /// Whether this is an address in an array of this memory; with on_host(), any address. True for null.
  virtual bool holds(const void* address) const = 0;
  /// Not initialised; aligned to 64 bytes at least.   throws: ResourceError with the bytes needed and free
  virtual std::shared_ptr<void> allocate(std::size_t bytes) = 0;

  /// to = from, converted.   from, to: n x m
  virtual void copy(ConstView2D<float> from, View2D<float> to) = 0;
  virtual void copy(ConstView2D<double> from, View2D<double> to) = 0;
  virtual void copy(ConstView2D<float> from, View2D<double> to) = 0;
  virtual void copy(ConstView2D<double> from, View2D<float> to) = 0;
  /// Every number of a becomes `value`.
  virtual void fill(View2D<float> a, float value) = 0;
  virtual void fill(View2D<double> a, double value) = 0;
  /// to = from^T.   from: n x m   to: m x n
  virtual void transpose(ConstView2D<float> from, View2D<float> to) = 0;
  virtual void transpose(ConstView2D<double> from, View2D<double> to) = 0;
  /// Writes a block into a matrix, converted.   block: n x m   to: larger
  virtual void place(ConstView2D<float> block, const Placement& where, View2D<float> to) = 0;
  virtual void place(ConstView2D<float> block, const Placement& where, View2D<double> to) = 0;
  virtual void place(ConstView2D<double> block, const Placement& where, View2D<double> to) = 0;
  /// to += from.   from, to: n x m
  virtual void add(ConstView2D<double> from, View2D<double> to) = 0;
  /// Row i loses what stands before column first + i: a(i,k) = 0 for k < first + i.
  virtual void clear_left(index first, View2D<double> a) = 0;
  /// to(i,k) += R(factors(i) / divisor) from(i,k).   factors: n x 1   from, to: n x m
  virtual void add_scaled_rows(double divisor, ConstView2D<double> factors, ConstView2D<float> from,
                               View2D<float> to) = 0;
  virtual void add_scaled_rows(double divisor, ConstView2D<double> factors, ConstView2D<double> from,
                               View2D<double> to) = 0;
  /// sums(i) = sum_k a(i,k)^2 in float64.   sums: n x 1
  virtual void row_squares(ConstView2D<float> a, View2D<double> sums) = 0;
  virtual void row_squares(ConstView2D<double> a, View2D<double> sums) = 0;
  /// The first row with a number that is not finite, or -1.
  virtual index first_not_finite(ConstView2D<float> a) = 0;
  virtual index first_not_finite(ConstView2D<double> a) = 0;
  /// The diagonal of a.   a: n x n   out: n, host memory
  virtual void diagonal(ConstView2D<double> a, double* out) = 0;
  /// a(i,i) = values[i] + shift.   a: n x n   values: n, host memory
  virtual void set_diagonal(const double* values, double shift, View2D<double> a) = 0;
  /// The strict upper triangle is copied over the lower one.   a: n x n
  virtual void mirror_upper(View2D<double> a) = 0;
};

/// Arrays in ordinary memory. Serial; one for all, without state.
Arrays& host_arrays();

/// An owning row-major matrix in the memory of a backend, contiguous, not initialised.
template <class T>
class Array {
 public:
  Array() = default;
  Array(Arrays& arrays, index rows, index cols)
      : memory_(arrays.allocate(checked_mul(
            checked_mul(static_cast<std::size_t>(rows), static_cast<std::size_t>(cols), "array"), sizeof(T), "array"))),
        rows_(rows),
        cols_(cols) {}
  Array(Array&& other) noexcept { swap(other); }
  Array& operator=(Array&& other) noexcept {
    Array(std::move(other)).swap(*this);
    return *this;
  }
  index rows() const { return rows_; }
  index cols() const { return cols_; }
  View2D<T> view() { return {static_cast<T*>(memory_.get()), rows_, cols_}; }
  ConstView2D<T> view() const { return {static_cast<const T*>(memory_.get()), rows_, cols_}; }

 private:
  void swap(Array& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(rows_, other.rows_);
    std::swap(cols_, other.cols_);
  }
  std::shared_ptr<void> memory_;
  index rows_ = 0, cols_ = 0;
};

/// The top left rows x cols of an array that is reallocated only when it is too small.
template <class T>
View2D<T> fit(Arrays& arrays, Array<T>& a, index rows, index cols) {
  if (a.rows() < rows || a.cols() < cols) {
    const index height = std::max(rows, a.rows()), width = std::max(cols, a.cols());
    a = Array<T>();  // before there is new memory
    a = Array<T>(arrays, height, width);
  }
  return {a.view().data, rows, cols, a.cols()};
}

/// A view in the memory of a backend: the argument itself where it lies there, else a copy in `scratch`.
template <class T>
ConstView2D<T> nearby(Arrays& arrays, View2D<const T> from, Array<T>& scratch) {
  if (arrays.holds(from.data)) return from;
  const View2D<T> copy = fit(arrays, scratch, from.rows, from.cols);
  arrays.copy(from, copy);
  return copy;
}

/// A place for results in the memory of a backend: the target itself where it lies there, else an array that commit()
/// copies to it.
template <class T>
class Near {
 public:
  Near(Arrays& arrays, View2D<T> target, Array<T>& scratch) : arrays_(arrays), target_(target), near_(target) {
    if (!arrays.holds(target.data)) near_ = fit(arrays, scratch, target.rows, target.cols);
  }
  View2D<T> view() const { return near_; }
  View2D<T> target() const { return target_; }
  /// Copies what the target holds, to be added to.
  void load() {
    if (near_.data != target_.data) arrays_.copy(View2D<const T>(target_), near_);
  }
  void commit() { commit_rows(0, target_.rows); }
  void commit_rows(index begin, index n) {
    if (near_.data != target_.data)
      arrays_.copy(View2D<const T>(near_.middle_rows(begin, n)), target_.middle_rows(begin, n));
  }

 private:
  Arrays& arrays_;
  View2D<T> target_, near_;
};

}  // namespace ntkrob
