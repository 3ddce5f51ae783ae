#include <cstdlib>
#include <vector>

#include "ntkrob/backend/arrays.hpp"
#include "ntkrob/base/finite.hpp"

namespace ntkrob {
namespace {

/// With `mirrored` the mirror images are written in a second pass, along rows of the target too.
template <class R, class O>
void place_block(ConstView2D<R> block, const Placement& where, View2D<O> to) {
  NTKROB_CHECK(
      where.row >= 0 && where.col >= 0 && where.row + block.rows <= to.rows && where.col + block.cols <= to.cols,
      ShapeError, "a block of ", block.rows, " x ", block.cols, " at (", where.row, ",", where.col,
      ") leaves a matrix of ", to.rows, " x ", to.cols);
  for (index a = 0; a < block.rows; ++a)
    for (index b = where.mirrored ? std::max<index>(0, where.row + a - where.col) : 0; b < block.cols; ++b)
      to(where.row + a, where.col + b) = static_cast<O>(block(a, b));
  if (!where.mirrored) return;
  for (index b = 0; b < block.cols; ++b)
    for (index a = 0; a < std::min(block.rows, where.col + b - where.row); ++a)
      to(where.col + b, where.row + a) = static_cast<O>(block(a, b));
}

template <class R>
void turn(ConstView2D<R> from, View2D<R> to) {
  NTKROB_CHECK_SHAPE(to, from.cols, from.rows);
  for (index i = 0; i < from.rows; ++i)
    for (index j = 0; j < from.cols; ++j) to(j, i) = from(i, j);
}

template <class R>
void add_rows(double divisor, ConstView2D<double> factors, ConstView2D<R> from, View2D<R> to) {
  NTKROB_CHECK_SHAPE(factors, to.rows, 1);
  NTKROB_CHECK_SHAPE(from, to.rows, to.cols);
  for (index i = 0; i < to.rows; ++i) {
    const R factor = static_cast<R>(factors(i, 0) / divisor);
    for (index k = 0; k < to.cols; ++k) to(i, k) += factor * from(i, k);
  }
}

template <class R>
void sum_squares(ConstView2D<R> a, View2D<double> sums) {
  NTKROB_CHECK_SHAPE(sums, a.rows, 1);
  for (index i = 0; i < a.rows; ++i) {
    double sum = 0;
    for (index k = 0; k < a.cols; ++k) sum += static_cast<double>(a(i, k)) * static_cast<double>(a(i, k));
    sums(i, 0) = sum;
  }
}

class HostArrays final : public Arrays {
 public:
  bool on_host() const override { return true; }
  bool holds(const void*) const override { return true; }
  std::shared_ptr<void> allocate(std::size_t bytes) override {
    const std::size_t padded = (bytes + 63) / 64 * 64;
    if (padded == 0) return nullptr;
    void* p = std::aligned_alloc(64, padded);
    NTKROB_CHECK(p != nullptr, ResourceError, "out of memory: an array needs ", given(bytes), " bytes; ",
                 advice("lower ", field("memory"), ", the batch or the number of images"));
    return std::shared_ptr<void>(p, std::free);
  }

  void copy(ConstView2D<float> from, View2D<float> to) override { convert(from, to); }
  void copy(ConstView2D<double> from, View2D<double> to) override { convert(from, to); }
  void copy(ConstView2D<float> from, View2D<double> to) override { convert(from, to); }
  void copy(ConstView2D<double> from, View2D<float> to) override { convert(from, to); }
  void fill(View2D<float> a, float value) override {
    for (index i = 0; i < a.rows; ++i) std::fill_n(a.row(i), a.cols, value);
  }
  void fill(View2D<double> a, double value) override {
    for (index i = 0; i < a.rows; ++i) std::fill_n(a.row(i), a.cols, value);
  }
  void transpose(ConstView2D<float> from, View2D<float> to) override { turn(from, to); }
  void transpose(ConstView2D<double> from, View2D<double> to) override { turn(from, to); }
  void place(ConstView2D<float> block, const Placement& where, View2D<float> to) override {
    place_block(block, where, to);
  }
  void place(ConstView2D<float> block, const Placement& where, View2D<double> to) override {
    place_block(block, where, to);
  }
  void place(ConstView2D<double> block, const Placement& where, View2D<double> to) override {
    place_block(block, where, to);
  }
  void add(ConstView2D<double> from, View2D<double> to) override {
    NTKROB_CHECK_SHAPE(from, to.rows, to.cols);
    for (index i = 0; i < to.rows; ++i)
      for (index k = 0; k < to.cols; ++k) to(i, k) += from(i, k);
  }
  void clear_left(index first, View2D<double> a) override {
    for (index i = 0; i < a.rows; ++i) std::fill_n(a.row(i), std::clamp<index>(first + i, 0, a.cols), 0.0);
  }
  void add_scaled_rows(double divisor, ConstView2D<double> factors, ConstView2D<float> from,
                       View2D<float> to) override {
    add_rows(divisor, factors, from, to);
  }
  void add_scaled_rows(double divisor, ConstView2D<double> factors, ConstView2D<double> from,
                       View2D<double> to) override {
    add_rows(divisor, factors, from, to);
  }
  void row_squares(ConstView2D<float> a, View2D<double> sums) override { sum_squares(a, sums); }
  void row_squares(ConstView2D<double> a, View2D<double> sums) override { sum_squares(a, sums); }
  index first_not_finite(ConstView2D<float> a) override { return first_row_not_finite(a); }
  index first_not_finite(ConstView2D<double> a) override { return first_row_not_finite(a); }

  void diagonal(ConstView2D<double> a, double* out) override {
    NTKROB_CHECK_SHAPE(a, a.rows, a.rows);
    for (index i = 0; i < a.rows; ++i) out[i] = a(i, i);
  }
  void set_diagonal(const double* values, double shift, View2D<double> a) override {
    NTKROB_CHECK_SHAPE(a, a.rows, a.rows);
    for (index i = 0; i < a.rows; ++i) a(i, i) = values[i] + shift;
  }
  void mirror_upper(View2D<double> a) override {
    NTKROB_CHECK_SHAPE(a, a.rows, a.rows);
    for (index i = 0; i < a.rows; ++i)
      for (index j = 0; j < i; ++j) a(i, j) = a(j, i);
  }
};

}  // namespace

Arrays& host_arrays() {
  static HostArrays arrays;
  return arrays;
}

}  // namespace ntkrob
