#include "backend_cuda/arrays.hpp"

#include "backend_cuda/launch.hpp"

namespace ntkrob::cuda {
namespace {

template <class T>
void copy_any(Device& device, ConstView2D<T> from, View2D<T> to) {
  NTKROB_CHECK_SHAPE(from, to.rows, to.cols);
  if (device.holds(from.data)) return Work(device).read(Work::on_device(from), to);
  if (device.holds(to.data)) return Work(device).write(from, Work::on_device(to));
  convert(from, to);
}

/// Converts on the side that makes the narrower type cross.
template <class From, class To>
void copy_converted(Device& device, ConstView2D<From> from, View2D<To> to) {
  NTKROB_CHECK_SHAPE(from, to.rows, to.cols);
  constexpr bool widens = sizeof(To) > sizeof(From);
  const bool near_from = device.holds(from.data), near_to = device.holds(to.data);
  Work work(device);
  if (!near_from && !near_to) return convert(from, to);
  if (near_from && (near_to || !widens)) {
    launch(Conversion<From, To>{{}, Work::on_device(from), work.out(to)}, work.stream());
    return work.finish();
  }
  if (near_from)
    return work.receive(Work::on_device(from), [&](index row, index col, ConstView2D<From> piece) {
      convert(piece, to.middle_rows(row, piece.rows).middle_cols(col, piece.cols));
    });
  if (widens)
    launch(Conversion<From, To>{{}, work.in(from), Work::on_device(to)}, work.stream());
  else
    work.send(Work::on_device(to), [&](index row, index col, View2D<To> piece) {
      convert(from.middle_rows(row, piece.rows).middle_cols(col, piece.cols), piece);
    });
}

template <class T>
void fill_any(Device& device, View2D<T> a, T value) {
  if (!device.holds(a.data)) return host_arrays().fill(a, value);
  launch(Filling<T>{{}, Work::on_device(a), value}, Work(device).stream());
}

template <class T>
void transpose_any(Device& device, ConstView2D<T> from, View2D<T> to) {
  NTKROB_CHECK_SHAPE(to, from.cols, from.rows);
  if (!device.holds(from.data) && !device.holds(to.data)) return host_arrays().transpose(from, to);
  Work work(device);
  launch(Transposition<T>{work.in(from), work.out(to)}, work.stream());
  work.finish();
}

/// On the device, or piece by piece from pinned memory into host memory.
template <class R, class O>
void place_any(Device& device, ConstView2D<R> block, const Placement& where, View2D<O> to) {
  NTKROB_CHECK(
      where.row >= 0 && where.col >= 0 && where.row + block.rows <= to.rows && where.col + block.cols <= to.cols,
      ShapeError, "a block of ", block.rows, " x ", block.cols, " at (", where.row, ",", where.col,
      ") leaves a matrix of ", to.rows, " x ", to.cols);
  Work work(device);
  if (device.holds(to.data))
    return launch(Placing<R, O>{work.in(block), where.row, where.col, where.mirrored, Work::on_device(to)},
                  work.stream());
  if (!device.holds(block.data)) return host_arrays().place(block, where, to);
  work.receive(Work::on_device(block), [&](index row, index col, ConstView2D<R> piece) {
    host_arrays().place(piece, {where.row + row, where.col + col, where.mirrored}, to);
  });
}

template <class R>
void add_rows(Device& device, double divisor, ConstView2D<double> factors, ConstView2D<R> from, View2D<R> to) {
  NTKROB_CHECK_SHAPE(factors, to.rows, 1);
  NTKROB_CHECK_SHAPE(from, to.rows, to.cols);
  Work work(device);
  launch(ScaledRows<R>{{}, work.in(factors), divisor, work.in(from), work.out(to, true)}, work.stream());
  work.finish();
}

template <class R>
void square_rows(Device& device, ConstView2D<R> a, View2D<double> sums) {
  NTKROB_CHECK_SHAPE(sums, a.rows, 1);
  Work work(device);
  launch(RowSquares<R>{work.in(a), work.out(sums)}, work.stream());
  work.finish();
}

template <class R>
index bad_row(Device& device, ConstView2D<R> a) {
  if (!device.holds(a.data)) return host_arrays().first_not_finite(a);
  if (a.empty()) return -1;
  Work work(device);
  const DeviceView<int> flags = work.scratch<int>(1, a.rows);
  index first = -1;
  const DeviceView<index> found = work.out(View2D<index>(&first, 1, 1));
  launch(NotFinite<R>{Work::on_device(a), flags}, work.stream());
  launch(FirstSet{flags, found}, work.stream());
  work.finish();
  return first;
}

}  // namespace

void DeviceArrays::copy(ConstView2D<float> from, View2D<float> to) { copy_any(*device_, from, to); }
void DeviceArrays::copy(ConstView2D<double> from, View2D<double> to) { copy_any(*device_, from, to); }
void DeviceArrays::copy(ConstView2D<float> from, View2D<double> to) { copy_converted(*device_, from, to); }
void DeviceArrays::copy(ConstView2D<double> from, View2D<float> to) { copy_converted(*device_, from, to); }
void DeviceArrays::fill(View2D<float> a, float value) { fill_any(*device_, a, value); }
void DeviceArrays::fill(View2D<double> a, double value) { fill_any(*device_, a, value); }
void DeviceArrays::transpose(ConstView2D<float> from, View2D<float> to) { transpose_any(*device_, from, to); }
void DeviceArrays::transpose(ConstView2D<double> from, View2D<double> to) { transpose_any(*device_, from, to); }
void DeviceArrays::place(ConstView2D<float> block, const Placement& where, View2D<float> to) {
  place_any(*device_, block, where, to);
}
void DeviceArrays::place(ConstView2D<float> block, const Placement& where, View2D<double> to) {
  place_any(*device_, block, where, to);
}
void DeviceArrays::place(ConstView2D<double> block, const Placement& where, View2D<double> to) {
  place_any(*device_, block, where, to);
}
void DeviceArrays::add(ConstView2D<double> from, View2D<double> to) {
  NTKROB_CHECK_SHAPE(from, to.rows, to.cols);
  Work work(*device_);
  launch(Addition{{}, work.in(from), work.out(to, true)}, work.stream());
  work.finish();
}

void DeviceArrays::clear_left(index first, View2D<double> a) {
  if (!device_->holds(a.data)) return host_arrays().clear_left(first, a);
  launch(LeftClearing{{}, first, Work::on_device(a)}, Work(*device_).stream());
}

void DeviceArrays::add_scaled_rows(double divisor, ConstView2D<double> factors, ConstView2D<float> from,
                                   View2D<float> to) {
  add_rows(*device_, divisor, factors, from, to);
}
void DeviceArrays::add_scaled_rows(double divisor, ConstView2D<double> factors, ConstView2D<double> from,
                                   View2D<double> to) {
  add_rows(*device_, divisor, factors, from, to);
}
void DeviceArrays::row_squares(ConstView2D<float> a, View2D<double> sums) { square_rows(*device_, a, sums); }
void DeviceArrays::row_squares(ConstView2D<double> a, View2D<double> sums) { square_rows(*device_, a, sums); }
index DeviceArrays::first_not_finite(ConstView2D<float> a) { return bad_row(*device_, a); }
index DeviceArrays::first_not_finite(ConstView2D<double> a) { return bad_row(*device_, a); }

void DeviceArrays::diagonal(ConstView2D<double> a, double* out) {
  NTKROB_CHECK_SHAPE(a, a.rows, a.rows);
  if (!device_->holds(a.data)) return host_arrays().diagonal(a, out);
  Work work(*device_);
  launch(DiagonalOut{{}, Work::on_device(a), work.out(View2D<double>(out, 1, a.rows))}, work.stream());
  work.finish();
}

void DeviceArrays::set_diagonal(const double* values, double shift, View2D<double> a) {
  NTKROB_CHECK_SHAPE(a, a.rows, a.rows);
  if (!device_->holds(a.data)) return host_arrays().set_diagonal(values, shift, a);
  Work work(*device_);
  launch(DiagonalIn{{}, work.in(ConstView2D<double>(values, 1, a.rows)), shift, Work::on_device(a)}, work.stream());
}

void DeviceArrays::mirror_upper(View2D<double> a) {
  NTKROB_CHECK_SHAPE(a, a.rows, a.rows);
  if (!device_->holds(a.data)) return host_arrays().mirror_upper(a);
  launch(UpperMirror{Work::on_device(a)}, Work(*device_).stream());
}

}  // namespace ntkrob::cuda
