/// What the verbs of a kernel share: scratch memory, one call's view of its arguments, bands and strips. Private to
/// kernel.
#pragma once

#include <algorithm>
#include <vector>

#include "ntkrob/base/finite.hpp"
#include "ntkrob/kernel/kernel.hpp"

namespace ntkrob {

/// What one worker needs for a strip. Arrays and matrices grow to the largest shape asked for and stay.
template <class R>
struct WorkerScratch {
  Array<R> value, nngp, dq, da, u;
  Matrix<R> host_out, host_u;  // for cotangents, where arrays are not on the host
  Matrix<R> images;            // values or cotangents of a network on images
};

template <class R>
struct Kernel::Scratch {
  std::vector<WorkerScratch<R>> workers;
  SampleTable<R> x_table, y_table;
  Panels<R> transposed, plain;
  Array<R> x, y, u, v, out, dx, h;  // copies of inputs and results that lie elsewhere
  Array<R> value, dq, da;           // of all rows (pull_back)
  Array<R> vt, gt;
  Array<double> sum, predicted;
  Matrix<R> image_vt;
  ImageTable<R> image_table;
};

template <>
Kernel::Scratch<float>& Kernel::scratch<float>() const;
template <>
Kernel::Scratch<double>& Kernel::scratch<double>() const;

namespace kernel {

/// The top left rows x cols of a matrix that is reallocated only when it is too small.
template <class T>
View2D<T> fit(Matrix<T>& m, index rows, index cols) {
  if (m.rows() < rows || m.cols() < cols) m = Matrix<T>(std::max(rows, m.rows()), std::max(cols, m.cols()));
  return {m.data(), rows, cols, m.cols()};
}

template <class R>
ConstView2D<R> transposed(ConstView2D<R> a, Matrix<R>& target) {
  const View2D<R> t = fit(target, a.cols, a.rows);
  host_arrays().transpose(a, t);
  return t;
}
template <class R>
ConstView2D<R> transposed(Arrays& arrays, ConstView2D<R> a, Array<R>& target) {
  const View2D<R> t = fit(arrays, target, a.cols, a.rows);
  arrays.transpose(a, t);
  return t;
}

template <class R>
void check_finite(Arrays& arrays, ConstView2D<R> out, index first_row, const char* what) {
  const index bad = arrays.first_not_finite(out);
  NTKROB_CHECK(bad < 0, NonFinite, what, " of sample ", first_row + bad,
               " is not finite; the inputs or coefficients are too large for this precision");
}
template <class R>
void check_finite(ConstView2D<R> out, index first_row, const char* what) {
  check_finite(host_arrays(), out, first_row, what);
}

/// Calls a cotangent, which works on host memory and looks itself whether the outputs are finite: u = cotangent(out).
///   out, u: host memory or arrays
template <class R>
void call_cotangent(Arrays& arrays, const Kernel::StripCotangent<R>& cotangent, index first_row, ConstView2D<R> out,
                    View2D<R> u, WorkerScratch<R>& own) {
  const bool out_apart = !arrays.on_host() && arrays.holds(out.data),
             u_apart = !arrays.on_host() && arrays.holds(u.data);
  ConstView2D<R> shown = out;
  if (out_apart) {
    const View2D<R> copy = fit(own.host_out, out.rows, out.cols);
    arrays.copy(out, copy);
    shown = copy;
  }
  const View2D<R> made = u_apart ? fit(own.host_u, u.rows, u.cols) : u;
  cotangent(first_row, shown, made);
  if (u_apart) arrays.copy(ConstView2D<R>(made), u);
}

/// Gram matrices are factored: their products are never rounded.
template <class R>
void check_full(const PreparedSet<R>& set) {
  NTKROB_CHECK(set.transposed.operands == Operands::full && set.plain.operands == Operands::full, ConfigError,
               "a set prepared with bfloat16 operands cannot serve a Gram matrix; use Kernel::prepare");
}

/// Copies the samples of a set into the memory of the backend, where they do not lie there.
template <class R>
ConstView2D<R> bring(Arrays& arrays, PreparedSet<R>& set) {
  const ConstView2D<R> y = set.samples;
  if (arrays.holds(y.data)) {
    set.copy = Array<R>();
  } else {
    if (set.copy.rows() != y.rows || set.copy.cols() != y.cols) set.copy = Array<R>(arrays, y.rows, y.cols);
    arrays.copy(y, set.copy.view());
  }
  return set.near();
}

/// Consecutive samples of y with their layouts for products.
template <class R>
struct Band {
  index begin, size;
  bool last;
  const Panels<R>* transposed;
  const Panels<R>* plain;
};

/// One call of a verb: arguments checked, plan made, sample tables filled.
template <class R>
struct Call {
  const Kernel& kernel;
  ConstView2D<R> x, y;
  Pairing pairing;
  const PreparedSet<R>* prepared;  // of y, or null
  Kernel::Scratch<R>& scratch;
  KernelPlan plan;
  const SampleTable<R>*x_table, *y_table;

  Call(const Kernel& k, Verb verb, ConstView2D<R> x_, ConstView2D<R> y_, Pairing pairing_, index r,
       const PreparedSet<R>* prepared_ = nullptr)
      : kernel(k), x(x_), y(y_), pairing(pairing_), prepared(prepared_), scratch(k.scratch<R>()) {
    NTKROB_CHECK(x.cols == y.cols, ShapeError, "kernel inputs have ", x.cols, " and ", y.cols, " values per sample");
    NTKROB_CHECK(pairing == Pairing::cross || (x.rows == y.rows), ShapeError, "Pairing::same with ", x.rows, " and ",
                 y.rows, " samples");
    NTKROB_CHECK(x.cols > 0, ShapeError, "kernel inputs have no values");
    const DeviceInfo device = backend().info();
    plan = plan_tiles(verb, x.rows, y.rows, x.cols, r, sizeof(R), device.workers, budget(k), prepared != nullptr,
                      device.tiles, !arrays().on_host());
    const bool one_set = x.data == y.data && x.rows == y.rows && x.stride == y.stride;
    y = prepared != nullptr ? prepared->near() : nearby(arrays(), y, scratch.y);
    x = one_set ? y : nearby(arrays(), x, scratch.x);
    if (prepared == nullptr) backend().sample_table(chain(), y, scratch.y_table);
    y_table = prepared != nullptr ? &prepared->table : &scratch.y_table;
    if (!one_set) backend().sample_table(chain(), x, scratch.x_table);
    x_table = one_set ? y_table : &scratch.x_table;
    scratch.workers.resize(static_cast<std::size_t>(device.workers));
  }

  static std::size_t budget(const Kernel& k) { return k.memory_budget(); }
  Backend& backend() const { return kernel.backend(); }
  Arrays& arrays() const { return kernel.backend().arrays(); }
  const Chain& chain() const { return kernel.spec().layers(); }
  WorkerScratch<R>& own(int worker) const { return scratch.workers[static_cast<std::size_t>(worker)]; }

  /// The pairs of x rows [i, i + n) and y rows [j, j + m) of a band. Without panels the caller supplies products.
  PairTile<R> tile(index i, index n, index j, index m, const Band<R>& band) const {
    PairTile<R> t;
    t.chain = &chain();
    t.output = kernel.options().output;
    t.x = x.middle_rows(i, n);
    t.y = y.middle_rows(j, m);
    t.x_table = x_table;
    t.y_table = y_table;
    t.x_begin = i;
    t.y_begin = j;
    t.same = pairing == Pairing::same;
    t.panels = band.transposed;
    t.panel_begin = j - band.begin;
    return t;
  }

  index strips() const { return (x.rows + plan.tile_rows - 1) / plan.tile_rows; }
  index strip_rows(index strip) const { return std::min(plan.tile_rows, x.rows - strip * plan.tile_rows); }

  /// Calls work(band) for all bands in order, with the layouts that are asked for. A prepared set is one band.
  template <class F>
  void for_each_band(bool values, bool gradients, F&& work) const {
    for (index begin = 0; begin < y.rows; begin += plan.band) {
      const index size = std::min(plan.band, y.rows - begin);
      Band<R> band{begin, size, begin + size == y.rows, nullptr, nullptr};
      if (values) {
        if (prepared == nullptr) backend().pack(Transpose::yes, y.middle_rows(begin, size), scratch.transposed);
        band.transposed = prepared != nullptr ? &prepared->transposed : &scratch.transposed;
      }
      if (gradients) {
        if (prepared == nullptr) backend().pack(Transpose::no, y.middle_rows(begin, size), scratch.plain);
        band.plain = prepared != nullptr ? &prepared->plain : &scratch.plain;
      }
      work(static_cast<const Band<R>&>(band));
    }
  }
};

}  // namespace kernel
}  // namespace ntkrob
