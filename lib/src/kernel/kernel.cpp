/// The tile loops: the only place that walks pairs of samples. What happens inside a tile is the backend's.
#include "ntkrob/kernel/kernel.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "ntkrob/base/finite.hpp"

namespace ntkrob {

/// What one worker needs for a strip. Matrices grow to the largest shape asked for and stay.
template <class R>
struct WorkerScratch {
  Matrix<R> value, part, dq, da, u;
  Matrix<double> sum;
};

template <class R>
struct Kernel::Scratch {
  std::vector<WorkerScratch<R>> workers;
  SampleTable<R> x_table, y_table;
  Matrix<R> vt;
};

template <>
Kernel::Scratch<float>& Kernel::scratch<float>() const {
  return *scratch_float_;
}
template <>
Kernel::Scratch<double>& Kernel::scratch<double>() const {
  return *scratch_double_;
}

namespace {

/// The top left rows x cols of a matrix that is reallocated only when it is too small.
template <class T>
View2D<T> fit(Matrix<T>& m, index rows, index cols) {
  if (m.rows() < rows || m.cols() < cols) m = Matrix<T>(std::max(rows, m.rows()), std::max(cols, m.cols()));
  return {m.data(), rows, cols, m.cols()};
}

/// What one call works on.
template <class R>
struct Call {
  const Kernel& kernel;
  ConstView2D<R> x, y;
  Pairing pairing;
  KernelPlan plan;
  Kernel::Scratch<R>& scratch;
  const SampleTable<R>* y_table = nullptr;

  Call(const Kernel& k, Verb verb, ConstView2D<R> x_, ConstView2D<R> y_, Pairing pairing_, index r)
      : kernel(k), x(x_), y(y_), pairing(pairing_), scratch(k.scratch<R>()) {
    NTKROB_CHECK(x.cols == y.cols, ShapeError, "kernel inputs have ", x.cols, " and ", y.cols, " values per sample");
    NTKROB_CHECK(pairing == Pairing::cross || (x.rows == y.rows), ShapeError, "Pairing::same with ", x.rows, " and ",
                 y.rows, " samples");
    NTKROB_CHECK(x.cols > 0, ShapeError, "kernel inputs have no values");
    const bool strips_of_y = verb == Verb::pull_back;
    plan = plan_tiles(verb, strips_of_y ? y.rows : x.rows, strips_of_y ? x.rows : y.rows, x.cols, r, sizeof(R),
                      strips_of_y ? 1 : backend().info().workers, budget(k));
    backend().sample_table(chain(), x, scratch.x_table);
    const bool one_set = x.data == y.data && x.rows == y.rows && x.stride == y.stride;
    if (!one_set) backend().sample_table(chain(), y, scratch.y_table);
    y_table = one_set ? &scratch.x_table : &scratch.y_table;
    scratch.workers.resize(static_cast<std::size_t>(backend().info().workers));
  }

  static std::size_t budget(const Kernel& k) {
    if (k.options().memory_budget != 0) return k.options().memory_budget;
    const std::size_t quarter = k.backend().info().memory_bytes / 4;
    return quarter == 0 ? std::size_t(1) << 30 : std::min(quarter, std::size_t(1) << 30);
  }
  Backend& backend() const { return kernel.backend(); }
  const Chain& chain() const { return kernel.spec().layers(); }

  PairTile<R> tile(index i, index n, index j, index m) const {
    PairTile<R> t;
    t.chain = &chain();
    t.output = kernel.options().output;
    t.x = x.middle_rows(i, n);
    t.y = y.middle_rows(j, m);
    t.x_table = &scratch.x_table;
    t.y_table = y_table;
    t.x_begin = i;
    t.y_begin = j;
    t.same = pairing == Pairing::same;
    return t;
  }

  index strips() const { return (x.rows + plan.tile_rows - 1) / plan.tile_rows; }
  index strip_rows(index strip) const { return std::min(plan.tile_rows, x.rows - strip * plan.tile_rows); }
};

/// Copies a block and its transpose into a matrix of the same or a wider type.
template <class R, class O>
void place(ConstView2D<R> block, View2D<O> out, index i, index j, bool mirror) {
  for (index a = 0; a < block.rows; ++a)
    for (index b = 0; b < block.cols; ++b) out(i + a, j + b) = static_cast<O>(block(a, b));
  if (!mirror) return;
  for (index b = 0; b < block.cols; ++b)
    for (index a = 0; a < block.rows; ++a) out(j + b, i + a) = static_cast<O>(block(a, b));
}

template <class R, class O>
void matrix_impl(const Kernel& kernel, ConstView2D<R> x, ConstView2D<R> y, Pairing pairing, View2D<O> out,
                 View2D<R> products = {}) {
  NTKROB_CHECK_SHAPE(out, x.rows, y.rows);
  const Call<R> call(kernel, Verb::matrix, x, y, pairing, 0);
  const bool half = pairing == Pairing::same;
  const index rows = call.plan.tile_rows, cols = half ? rows : call.plan.tile_cols;
  const index tile_rows = (x.rows + rows - 1) / rows, tile_cols = (y.rows + cols - 1) / cols;
  const index tasks = half ? tile_rows * (tile_rows + 1) / 2 : tile_rows * tile_cols;
  kernel.backend().for_each(tasks, [&](index task, int worker) {
    index ti = half ? 0 : task / tile_cols, tj = half ? 0 : task % tile_cols;
    if (half) {
      while ((ti + 1) * (ti + 2) / 2 <= task) ++ti;
      tj = task - ti * (ti + 1) / 2;
    }
    const index i = ti * rows, j = tj * cols;
    const index n = std::min(rows, x.rows - i), m = std::min(cols, y.rows - j);
    PairTile<R> tile = call.tile(i, n, j, m);
    tile.value = fit(call.scratch.workers[static_cast<std::size_t>(worker)].value, n, m);
    if (!products.empty()) {
      kernel.backend().gemm(Transpose::no, Transpose::yes, R(1) / static_cast<R>(x.cols), tile.x, tile.y, R(0),
                            tile.value);
      place(ConstView2D<R>(tile.value), products, i, j, half && ti != tj);
      tile.products_given = true;
    }
    kernel.backend().pair_tile(tile);
    place(ConstView2D<R>(tile.value), out, i, j, half && ti != tj);
  });
}

/// out rows of one strip += tile * v, in float64.
template <class R>
void add_product(Backend& backend, ConstView2D<R> value, ConstView2D<R> v, View2D<R> part, View2D<double> sum) {
  backend.gemm(Transpose::no, Transpose::no, R(1), value, v, R(0), part);
  for (index i = 0; i < sum.rows; ++i)
    for (index c = 0; c < sum.cols; ++c) sum(i, c) += static_cast<double>(part(i, c));
}

template <class R>
void check_finite(ConstView2D<R> out, index first_row, const char* what) {
  for (index i = 0; i < out.rows; ++i)
    NTKROB_CHECK(all_finite(out.row(i), out.cols), NonFinite, what, " of sample ", first_row + i,
                 " is not finite; the inputs or coefficients are too large for this precision");
}

/// Both apply (no cotangent) and apply_grad, so that out has the same bits in both.
template <class R>
void strips(const Kernel& kernel, ConstView2D<R> x, ConstView2D<R> y, Pairing pairing, ConstView2D<R> v,
            const Kernel::StripCotangent<R>* cotangent, View2D<R> out, View2D<R> dx, ConstView2D<R> products = {}) {
  const index r = v.cols, m = y.rows, d = x.cols;
  NTKROB_CHECK_SHAPE(v, y.rows, r);
  NTKROB_CHECK_SHAPE(out, x.rows, r);
  if (cotangent != nullptr) NTKROB_CHECK_SHAPE(dx, x.rows, x.cols);
  const Call<R> call(kernel, cotangent != nullptr ? Verb::grad : Verb::apply, x, y, pairing, r);
  Backend& backend = kernel.backend();
  const index rows = call.plan.tile_rows, cols = call.plan.tile_cols;
  View2D<R> vt;
  if (cotangent != nullptr) {
    vt = fit(call.scratch.vt, r, m);
    for (index j = 0; j < m; ++j)
      for (index c = 0; c < r; ++c) vt(c, j) = v(j, c);
  }

  backend.for_each(call.strips(), [&](index strip, int worker) {
    WorkerScratch<R>& own = call.scratch.workers[static_cast<std::size_t>(worker)];
    const index i = strip * rows, n = call.strip_rows(strip);
    const View2D<double> sum = fit(own.sum, n, r);
    const View2D<R> part = fit(own.part, n, r);
    const View2D<R> dq = cotangent != nullptr ? fit(own.dq, n, m) : View2D<R>();
    const View2D<R> da = cotangent != nullptr ? fit(own.da, n, m) : View2D<R>();
    for (index a = 0; a < n; ++a)
      for (index c = 0; c < r; ++c) sum(a, c) = 0;
    for (index j = 0; j < m; j += cols) {
      const index k = std::min(cols, m - j);
      PairTile<R> tile = call.tile(i, n, j, k);
      tile.value = fit(own.value, n, k);
      if (cotangent != nullptr) {
        tile.dq = dq.middle_cols(j, k);
        tile.da = da.middle_cols(j, k);
      }
      if (!products.empty()) {
        for (index a = 0; a < n; ++a) std::copy_n(products.row(i + a) + j, k, tile.value.row(a));
        tile.products_given = true;
      }
      backend.pair_tile(tile);
      add_product(backend, ConstView2D<R>(tile.value), v.middle_rows(j, k), part, sum);
    }
    const View2D<R> result = out.middle_rows(i, n);
    for (index a = 0; a < n; ++a)
      for (index c = 0; c < r; ++c) result(a, c) = static_cast<R>(sum(a, c));
    check_finite(ConstView2D<R>(result), i, "kernel output");
    if (cotangent == nullptr) return;

    const View2D<R> u = fit(own.u, n, r);
    (*cotangent)(i, result, u);
    std::vector<double> row_sum(static_cast<std::size_t>(n), 0.0);
    backend.weigh_tile(u, ConstView2D<R>(vt), dq, da, row_sum.data());
    const View2D<R> target = dx.middle_rows(i, n);
    const R inverse = R(1) / static_cast<R>(d);
    backend.gemm(Transpose::no, Transpose::no, inverse, ConstView2D<R>(dq), y, R(0), target);
    for (index a = 0; a < n; ++a) {
      const R factor = static_cast<R>(2 * row_sum[static_cast<std::size_t>(a)] / static_cast<double>(d));
      for (index k = 0; k < d; ++k) target(a, k) += factor * x(i + a, k);
    }
    check_finite(ConstView2D<R>(target), i, "kernel gradient");
  });
}

template <class R>
void grad_impl(const Kernel& kernel, ConstView2D<R> x, ConstView2D<R> y, Pairing pairing, ConstView2D<R> u,
               ConstView2D<R> v, View2D<R> dx, ConstView2D<R> products = {}) {
  NTKROB_CHECK_SHAPE(u, x.rows, v.cols);
  if (!products.empty()) NTKROB_CHECK_SHAPE(products, x.rows, y.rows);
  Matrix<R> unused(x.rows, v.cols);
  const Kernel::StripCotangent<R> given = [&](index first, ConstView2D<R> out, View2D<R> target) {
    for (index a = 0; a < out.rows; ++a)
      for (index c = 0; c < out.cols; ++c) target(a, c) = u(first + a, c);
  };
  strips(kernel, x, y, pairing, v, &given, unused.view(), dx, products);
}

/// Strips of y one after the other; inside a strip the rows of x are shared out in chunks, each owned by one task.
template <class R>
void pull_back_impl(const Kernel& kernel, ConstView2D<R> x, ConstView2D<R> y, ConstView2D<R> v,
                    const Kernel::StripCotangent<R>& cotangent, View2D<R> out, View2D<R> h, View2D<R> dx) {
  const index n = x.rows, d = x.cols, r = v.cols;
  NTKROB_CHECK_SHAPE(v, n, r);
  NTKROB_CHECK_SHAPE(out, y.rows, r);
  NTKROB_CHECK_SHAPE(h, n, r);
  NTKROB_CHECK_SHAPE(dx, n, d);
  const Call<R> call(kernel, Verb::pull_back, x, y, Pairing::cross, r);
  Backend& backend = kernel.backend();
  WorkerScratch<R>& own = call.scratch.workers[0];
  const index strip = call.plan.tile_rows, chunk = std::min<index>(512, std::max<index>(64, (n / 8 + 31) / 32 * 32));
  const index chunks = (n + chunk - 1) / chunk;
  const View2D<double> h_sum = fit(own.sum, n, r + 1);  // the last column: row sums of the cotangent times dk/da
  for (index i = 0; i < n; ++i)
    for (index c = 0; c <= r; ++c) h_sum(i, c) = 0;
  const R inverse = R(1) / static_cast<R>(d);
  for (index j = 0; j < y.rows; j += strip) {
    const index m = std::min(strip, y.rows - j);
    const View2D<R> value = fit(own.value, n, m), dq = fit(own.dq, n, m), da = fit(own.da, n, m);
    backend.for_each(chunks, [&](index task, int) {
      const index i = task * chunk, rows = std::min(chunk, n - i);
      PairTile<R> tile = call.tile(i, rows, j, m);
      tile.value = value.middle_rows(i, rows);
      tile.dq = dq.middle_rows(i, rows);
      tile.da = da.middle_rows(i, rows);
      backend.pair_tile(tile);
    });
    const View2D<R> result = out.middle_rows(j, m), g = fit(own.u, m, r), part = fit(own.part, std::max(n, m), r);
    std::vector<double> sum(static_cast<std::size_t>(m * r), 0.0);
    for (index i = 0; i < n; i += 1024) {
      const index rows = std::min<index>(1024, n - i);
      backend.gemm(Transpose::yes, Transpose::no, R(1), ConstView2D<R>(value.middle_rows(i, rows)),
                   v.middle_rows(i, rows), R(0), part.middle_rows(0, m));
      for (index k = 0; k < m * r; ++k) sum[static_cast<std::size_t>(k)] += static_cast<double>(part(k / r, k % r));
    }
    for (index k = 0; k < m * r; ++k) result(k / r, k % r) = static_cast<R>(sum[static_cast<std::size_t>(k)]);
    check_finite(ConstView2D<R>(result), j, "kernel output");
    cotangent(j, result, g);
    const View2D<R> gt = fit(call.scratch.vt, r, m);
    for (index k = 0; k < m; ++k)
      for (index c = 0; c < r; ++c) gt(c, k) = g(k, c);
    backend.for_each(chunks, [&](index task, int) {
      const index i = task * chunk, rows = std::min(chunk, n - i);
      const View2D<R> product = part.middle_rows(i, rows), weights = dq.middle_rows(i, rows);
      backend.gemm(Transpose::no, Transpose::no, R(1), ConstView2D<R>(value.middle_rows(i, rows)), ConstView2D<R>(g),
                   R(0), product);
      std::vector<double> row_sum(static_cast<std::size_t>(rows), 0.0);
      backend.weigh_tile(v.middle_rows(i, rows), ConstView2D<R>(gt), weights, da.middle_rows(i, rows), row_sum.data());
      for (index a = 0; a < rows; ++a) {
        for (index c = 0; c < r; ++c) h_sum(i + a, c) += static_cast<double>(product(a, c));
        h_sum(i + a, r) += row_sum[static_cast<std::size_t>(a)];
      }
      backend.gemm(Transpose::no, Transpose::no, inverse, ConstView2D<R>(weights), y.middle_rows(j, m),
                   j == 0 ? R(0) : R(1), dx.middle_rows(i, rows));
    });
  }
  for (index i = 0; i < n; ++i) {
    const R factor = static_cast<R>(2 * h_sum(i, r) / static_cast<double>(d));
    for (index k = 0; k < d; ++k) dx(i, k) += factor * x(i, k);
    for (index c = 0; c < r; ++c) h(i, c) = static_cast<R>(h_sum(i, c));
  }
  check_finite(ConstView2D<R>(dx), 0, "kernel gradient");
}

}  // namespace

Kernel::Kernel(KernelSpec spec, Backend& backend, KernelOptions options)
    : spec_(std::move(spec)),
      backend_(&backend),
      options_(options),
      scratch_float_(std::make_shared<Scratch<float>>()),
      scratch_double_(std::make_shared<Scratch<double>>()) {
  const std::string reason = backend.supports(spec_.layers());
  NTKROB_CHECK(reason.empty(), NotSupported, "kernel \"", spec_.source(), "\" on backend ", backend.info().name, ": ",
               reason);
}

void Kernel::matrix(ConstView2D<float> x, ConstView2D<float> y, Pairing p, View2D<float> out) const {
  matrix_impl(*this, x, y, p, out);
}
void Kernel::matrix(ConstView2D<float> x, ConstView2D<float> y, Pairing p, View2D<double> out) const {
  matrix_impl(*this, x, y, p, out);
}
void Kernel::matrix(ConstView2D<double> x, ConstView2D<double> y, Pairing p, View2D<double> out) const {
  matrix_impl(*this, x, y, p, out);
}
void Kernel::gram(ConstView2D<float> x, View2D<double> out, View2D<float> products) const {
  matrix_impl(*this, x, x, Pairing::same, out, products);
}
void Kernel::gram(ConstView2D<double> x, View2D<double> out, View2D<double> products) const {
  matrix_impl(*this, x, x, Pairing::same, out, products);
}
void Kernel::gram_grad(ConstView2D<float> x, ConstView2D<float> products, ConstView2D<float> u, ConstView2D<float> v,
                       View2D<float> dx) const {
  grad_impl(*this, x, x, Pairing::same, u, v, dx, products);
}
void Kernel::gram_grad(ConstView2D<double> x, ConstView2D<double> products, ConstView2D<double> u,
                       ConstView2D<double> v, View2D<double> dx) const {
  grad_impl(*this, x, x, Pairing::same, u, v, dx, products);
}
void Kernel::apply(ConstView2D<float> x, ConstView2D<float> y, Pairing p, ConstView2D<float> v,
                   View2D<float> out) const {
  strips<float>(*this, x, y, p, v, nullptr, out, {});
}
void Kernel::apply(ConstView2D<double> x, ConstView2D<double> y, Pairing p, ConstView2D<double> v,
                   View2D<double> out) const {
  strips<double>(*this, x, y, p, v, nullptr, out, {});
}
void Kernel::grad(ConstView2D<float> x, ConstView2D<float> y, Pairing p, ConstView2D<float> u, ConstView2D<float> v,
                  View2D<float> dx) const {
  grad_impl(*this, x, y, p, u, v, dx);
}
void Kernel::grad(ConstView2D<double> x, ConstView2D<double> y, Pairing p, ConstView2D<double> u, ConstView2D<double> v,
                  View2D<double> dx) const {
  grad_impl(*this, x, y, p, u, v, dx);
}
void Kernel::apply_grad(ConstView2D<float> x, ConstView2D<float> y, Pairing p, ConstView2D<float> v,
                        const StripCotangent<float>& cotangent, View2D<float> out, View2D<float> dx) const {
  strips<float>(*this, x, y, p, v, &cotangent, out, dx);
}
void Kernel::apply_grad(ConstView2D<double> x, ConstView2D<double> y, Pairing p, ConstView2D<double> v,
                        const StripCotangent<double>& cotangent, View2D<double> out, View2D<double> dx) const {
  strips<double>(*this, x, y, p, v, &cotangent, out, dx);
}
void Kernel::pull_back(ConstView2D<float> x, ConstView2D<float> y, ConstView2D<float> v,
                       const StripCotangent<float>& cotangent, View2D<float> out, View2D<float> h,
                       View2D<float> dx) const {
  pull_back_impl(*this, x, y, v, cotangent, out, h, dx);
}
void Kernel::pull_back(ConstView2D<double> x, ConstView2D<double> y, ConstView2D<double> v,
                       const StripCotangent<double>& cotangent, View2D<double> out, View2D<double> h,
                       View2D<double> dx) const {
  pull_back_impl(*this, x, y, v, cotangent, out, h, dx);
}
std::string Kernel::explain(Verb verb, index n, index m, index d, index r) const {
  const DeviceInfo device = backend_->info();
  std::string out = text("kernel     ", spec_.source(), " = ", spec_.to_string(), "\n", "output     ",
                         options_.output == Output::ntk ? "ntk" : "nngp", "\n",
                         "state      flat: one covariance per pair of samples (no layer mixes positions)\n",
                         "backend    ", device.name, ": ", device.description, "\n");
  for (const std::size_t bytes : {sizeof(float), sizeof(double)}) {
    const KernelPlan plan = plan_tiles(verb, n, m, d, r, bytes, device.workers, Call<float>::budget(*this));
    out += text(bytes == 4 ? "mixed      " : "float64    ", n, " x ", m, " pairs in ", plan.tiles, " tiles of ",
                plan.tile_rows, " x ", plan.tile_cols, ", scratch ", plan.scratch_bytes, " bytes (", device.workers,
                " workers), budget ", Call<float>::budget(*this), " bytes\n");
  }
  return out;
}

}  // namespace ntkrob
