#include "kernel/images.hpp"

#include <cmath>

namespace ntkrob::kernel {
namespace {

/// Samples of x taken together, so that the tables of a y serve all of them.
constexpr index kImageRows = 32;

template <class R>
void check_inputs(const Kernel& kernel, ConstView2D<R> x) {
  NTKROB_CHECK(x.cols == kernel.program()->input.size(), ShapeError, "kernel inputs have ", x.cols,
               " values per sample, the network \"", kernel.spec().source(), "\" was made for ",
               kernel.program()->input.height, " x ", kernel.program()->input.width, " x ",
               kernel.program()->input.channels);
  for (index i = 0; i < x.rows; ++i)
    NTKROB_CHECK(all_finite(x.row(i), x.cols), NonFinite, "sample ", i,
                 " of a kernel input has values that are not finite");
}

/// One call: x in strips of rows, a scratch matrix of values or cotangents per worker.
template <class R>
class Images {
 public:
  /// table: of y, or null: then one is made where it fits   outputs: kernels computed side by side   reserved: bytes
  /// that the verb itself keeps
  Images(const Kernel& kernel, ConstView2D<R> x, ConstView2D<R> y, bool gradient, const ImageTable<R>* table = nullptr,
         index outputs = 1, std::size_t reserved = 0)
      : kernel_(kernel), backend_(kernel.backend()), x_(x), y_(y), table_(table), outputs_(outputs) {
    check_inputs(kernel, x);
    if (x.data != y.data || x.rows != y.rows) check_inputs(kernel, y);
    const ImagePlan plan = plan_images(kernel, x.rows, y.rows, sizeof(R), gradient, outputs, reserved);
    rows_ = plan.rows;
    if (table_ == nullptr && plan.table_bytes > 0) {
      backend_.image_table(*kernel.program(), y, kernel.scratch<R>().image_table);
      table_ = &kernel.scratch<R>().image_table;
    }
    kernel.scratch<R>().workers.resize(static_cast<std::size_t>(backend_.info().workers));
  }

  /// work(first row, rows, a rows x (outputs M) matrix of the worker's own)
  template <class F>
  void for_each_strip(F&& work) const {
    backend_.for_each((x_.rows + rows_ - 1) / rows_, [&](index task, int worker) {
      const index i = task * rows_, n = std::min(rows_, x_.rows - i);
      work(i, n, fit(kernel_.scratch<R>().workers[static_cast<std::size_t>(worker)].images, n, outputs_ * y_.rows));
    });
  }

  /// k(x rows, y rows from j on)
  void values(index i, index n, index j, View2D<R> out, View2D<R> nngp = {}) const {
    ImageTile<R> tile = make(i, n, j, out.cols);
    tile.value = out;
    tile.nngp = nngp;
    backend_.image_tile(tile);
    check_finite(ConstView2D<R>(out), i, "kernel value");
    check_finite(ConstView2D<R>(nngp), i, "kernel value");
  }
  void gradient(index i, index n, ConstView2D<R> cotangent, View2D<R> dx) const {
    ImageTile<R> tile = make(i, n, 0, y_.rows);
    tile.cotangent = cotangent;
    tile.dx = dx;
    backend_.image_tile(tile);
    check_finite(ConstView2D<R>(dx), i, "kernel gradient");
  }
  /// The gradient of sum (u_i . v_j) k(x_i, y_j); c: the worker's matrix
  void gradient(index i, index n, ConstView2D<R> u, ConstView2D<R> v, View2D<R> c, View2D<R> dx) const {
    for (index a = 0; a < n; ++a)
      for (index j = 0; j < v.rows; ++j) {
        double sum = 0;
        for (index k = 0; k < v.cols; ++k) sum += static_cast<double>(u(a, k)) * static_cast<double>(v(j, k));
        c(a, j) = static_cast<R>(sum);
      }
    gradient(i, n, ConstView2D<R>(c), dx);
  }
  Backend& backend() const { return backend_; }

 private:
  ImageTile<R> make(index i, index n, index j, index m) const {
    ImageTile<R> tile;
    tile.program = kernel_.program();
    tile.output = kernel_.options().output;
    tile.x = x_.middle_rows(i, n);
    tile.y = y_.middle_rows(j, m);
    tile.table = table_;
    tile.table_begin = j;
    return tile;
  }

  const Kernel& kernel_;
  Backend& backend_;
  ConstView2D<R> x_, y_;
  const ImageTable<R>* table_;
  index outputs_;
  index rows_ = 1;
};

/// out = value v for a strip. The caller, or the cotangent that it calls, looks whether out is finite.
template <class R>
void thin(Backend& backend, ConstView2D<R> value, ConstView2D<R> vt, View2D<R> out) {
  Matrix<double> sum(out.rows, out.cols);
  backend.add_thin(value, vt, sum.view());
  convert(ConstView2D<double>(sum.view()), out);
}

}  // namespace

namespace {

/// Of a worker with `rows` samples x against m samples y.
std::size_t worker_bytes(const Kernel& kernel, index rows, index m, std::size_t bytes_per_number, bool gradient) {
  const Backend& backend = kernel.backend();
  return backend.image_bytes(*kernel.program(), bytes_per_number, gradient) +
         static_cast<std::size_t>(rows) * (backend.image_row_bytes(*kernel.program(), bytes_per_number, gradient) +
                                           static_cast<std::size_t>(m) * bytes_per_number);
}

}  // namespace

bool image_table_fits(const Kernel& kernel, index n, std::size_t bytes_per_number) {
  const std::size_t budget = Call<float>::budget(kernel),
                    table = kernel.backend().image_table_bytes(*kernel.program(), n, bytes_per_number);
  const auto workers = static_cast<std::size_t>(kernel.backend().info().workers);
  return table <= budget / 2 && table + workers * worker_bytes(kernel, 1, n, bytes_per_number, true) <= budget;
}

ImagePlan plan_images(const Kernel& kernel, index n, index m, std::size_t bytes_per_number, bool gradient,
                      index outputs, std::size_t reserved) {
  const DeviceInfo device = kernel.backend().info();
  const auto workers = static_cast<std::size_t>(device.workers);
  const std::size_t budget = Call<float>::budget(kernel);
  ImagePlan plan;
  if (image_table_fits(kernel, m, bytes_per_number))
    plan.table_bytes = kernel.backend().image_table_bytes(*kernel.program(), m, bytes_per_number);
  plan.rows = std::clamp<index>((n + 2 * device.workers - 1) / (2 * device.workers), 1, kImageRows);
  const auto total = [&] {
    plan.scratch_bytes_per_worker = worker_bytes(kernel, plan.rows, outputs * m, bytes_per_number, gradient);
    return plan.scratch_bytes = reserved + plan.table_bytes + workers * plan.scratch_bytes_per_worker;
  };
  while (plan.rows > 1 && total() > budget) plan.rows /= 2;
  NTKROB_CHECK(total() <= budget, ResourceError, "memory budget of ", limit(budget), " bytes is too small: network \"",
               kernel.spec().source(), "\" needs ", given(total()), " bytes for one pair per worker (", device.workers,
               " workers); ", advice("raise ", field("memory"), " or lower ", field("threads")));
  return plan;
}

template <class R, class O>
void image_matrix(const Kernel& kernel, ConstView2D<R> x, ConstView2D<R> y, Pairing pairing, View2D<O> out,
                  View2D<std::common_type_t<O>> nngp) {
  NTKROB_CHECK_SHAPE(out, x.rows, y.rows);
  if (!nngp.empty()) NTKROB_CHECK_SHAPE(nngp, x.rows, y.rows);
  const bool half = pairing == Pairing::same;
  Arrays& arrays = kernel.backend().arrays();
  const Images<R> images(kernel, x, y, false, nullptr, nngp.empty() ? 1 : 2);
  images.for_each_strip([&](index i, index n, View2D<R> values) {
    const index first = half ? i / kImageStep * kImageStep : 0, m = y.rows - first;
    const View2D<R> part = values.middle_cols(0, m);
    const View2D<R> other = nngp.empty() ? View2D<R>() : values.middle_cols(y.rows, m);
    images.values(i, n, first, part, other);
    arrays.place(ConstView2D<R>(part), {i, first, half}, out);
    if (!nngp.empty()) arrays.place(ConstView2D<R>(other), {i, first, half}, nngp);
  });
}

template <class R>
void image_apply(const Kernel& kernel, ConstView2D<R> x, ConstView2D<R> y, ConstView2D<R> v, View2D<R> out,
                 const ImageTable<R>* table) {
  NTKROB_CHECK_SHAPE(v, y.rows, v.cols);
  NTKROB_CHECK_SHAPE(out, x.rows, v.cols);
  const Images<R> images(kernel, x, y, false, table);
  const ConstView2D<R> vt = transposed(v, kernel.scratch<R>().image_vt);
  images.for_each_strip([&](index i, index n, View2D<R> value) {
    images.values(i, n, 0, value);
    const View2D<R> result = out.middle_rows(i, n);
    thin(images.backend(), ConstView2D<R>(value), vt, result);
    check_finite(ConstView2D<R>(result), i, "kernel output");
  });
}

template <class R>
void image_grad(const Kernel& kernel, ConstView2D<R> x, ConstView2D<R> y, ConstView2D<R> u, ConstView2D<R> v,
                View2D<R> dx, bool add, const ImageTable<R>* table) {
  NTKROB_CHECK_SHAPE(v, y.rows, v.cols);
  NTKROB_CHECK_SHAPE(u, x.rows, v.cols);
  NTKROB_CHECK_SHAPE(dx, x.rows, x.cols);
  const Images<R> images(kernel, x, y, true, table);
  images.for_each_strip([&](index i, index n, View2D<R> value) {
    const View2D<R> target = dx.middle_rows(i, n);
    if (!add) return images.gradient(i, n, u.middle_rows(i, n), v, value, target);
    Matrix<R> part(n, x.cols);
    images.gradient(i, n, u.middle_rows(i, n), v, value, part.view());
    for (index a = 0; a < n; ++a)
      for (index k = 0; k < x.cols; ++k) target(a, k) += part(a, k);
  });
}

template <class R>
void image_apply_grad(const Kernel& kernel, ConstView2D<R> x, ConstView2D<R> y, ConstView2D<R> v,
                      const Kernel::StripCotangent<R>& cotangent, View2D<R> out, View2D<R> dx,
                      const ImageTable<R>* table) {
  NTKROB_CHECK_SHAPE(v, y.rows, v.cols);
  NTKROB_CHECK_SHAPE(out, x.rows, v.cols);
  NTKROB_CHECK_SHAPE(dx, x.rows, x.cols);
  const Images<R> images(kernel, x, y, true, table);
  const ConstView2D<R> vt = transposed(v, kernel.scratch<R>().image_vt);
  images.for_each_strip([&](index i, index n, View2D<R> value) {
    images.values(i, n, 0, value);
    const View2D<R> result = out.middle_rows(i, n);
    thin(images.backend(), ConstView2D<R>(value), vt, result);
    Matrix<R> u(n, v.cols);
    cotangent(i, result, u.view());
    images.gradient(i, n, u.view(), v, value, dx.middle_rows(i, n));
  });
}

template <class R>
void image_pull_back(const Kernel& kernel, ConstView2D<R> x, ConstView2D<R> y, ConstView2D<R> v,
                     const Kernel::StripCotangent<R>& cotangent, View2D<R> out, View2D<R> h, View2D<R> dx) {
  NTKROB_CHECK_SHAPE(v, x.rows, v.cols);
  Matrix<R> g(y.rows, v.cols);
  // K(y,x) and its transpose serve prediction and h, where a quarter of the budget holds both.
  const std::size_t kept = 2 * sizeof(R) * static_cast<std::size_t>(x.rows) * static_cast<std::size_t>(y.rows);
  if (kept <= Call<R>::budget(kernel) / 4) {
    Matrix<R> values(y.rows, x.rows), turned, vt;
    const Images<R> images(kernel, y, x, false, nullptr, 1, kept);
    images.for_each_strip(
        [&](index i, index n, View2D<R>) { images.values(i, n, 0, values.view().middle_rows(i, n)); });
    thin(images.backend(), ConstView2D<R>(values.view()), transposed(v, vt), out);
    cotangent(0, out, g.view());
    thin(images.backend(), transposed(ConstView2D<R>(values.view()), turned), transposed(ConstView2D<R>(g.view()), vt),
         h);
    check_finite(ConstView2D<R>(h), 0, "kernel output");
  } else {
    image_apply<R>(kernel, y, x, v, out, nullptr);
    cotangent(0, out, g.view());
    image_apply<R>(kernel, x, y, ConstView2D<R>(g.view()), h, nullptr);
  }
  image_grad<R>(kernel, x, y, v, ConstView2D<R>(g.view()), dx, false, nullptr);
}

template <class R>
void image_diag(const Kernel& kernel, ConstView2D<R> x, double* out) {
  check_inputs(kernel, x);
  kernel.backend().for_each(x.rows, [&](index i, int) {
    R value = 0;
    ImageTile<R> tile;
    tile.program = kernel.program();
    tile.output = kernel.options().output;
    tile.x = tile.y = x.middle_rows(i, 1);
    tile.value = View2D<R>(&value, 1, 1);
    kernel.backend().image_tile(tile);
    out[i] = static_cast<double>(value);
    NTKROB_CHECK(std::isfinite(out[i]), NonFinite, "k(x,x) of sample ", i, " is not finite");
  });
}

template <class R>
void image_add_diag_grad(const Kernel& kernel, ConstView2D<R> x, const double* w, View2D<R> dx) {
  NTKROB_CHECK_SHAPE(dx, x.rows, x.cols);
  check_inputs(kernel, x);
  kernel.backend().for_each(x.rows, [&](index i, int) {
    // Both arguments move: twice the derivative by the first.
    const R cotangent = static_cast<R>(2 * w[i]);
    Matrix<R> part(1, x.cols);
    ImageTile<R> tile;
    tile.program = kernel.program();
    tile.output = kernel.options().output;
    tile.x = tile.y = x.middle_rows(i, 1);
    tile.cotangent = ConstView2D<R>(&cotangent, 1, 1);
    tile.dx = part.view();
    kernel.backend().image_tile(tile);
    for (index k = 0; k < x.cols; ++k) dx(i, k) += part(0, k);
  });
}

template void image_matrix(const Kernel&, ConstView2D<float>, ConstView2D<float>, Pairing, View2D<float>,
                           View2D<float>);
template void image_matrix(const Kernel&, ConstView2D<float>, ConstView2D<float>, Pairing, View2D<double>,
                           View2D<double>);
template void image_matrix(const Kernel&, ConstView2D<double>, ConstView2D<double>, Pairing, View2D<double>,
                           View2D<double>);
#define NTKROB_INSTANTIATE(R)                                                                                        \
  template void image_apply(const Kernel&, ConstView2D<R>, ConstView2D<R>, ConstView2D<R>, View2D<R>,                \
                            const ImageTable<R>*);                                                                   \
  template void image_grad(const Kernel&, ConstView2D<R>, ConstView2D<R>, ConstView2D<R>, ConstView2D<R>, View2D<R>, \
                           bool, const ImageTable<R>*);                                                              \
  template void image_apply_grad(const Kernel&, ConstView2D<R>, ConstView2D<R>, ConstView2D<R>,                      \
                                 const Kernel::StripCotangent<R>&, View2D<R>, View2D<R>, const ImageTable<R>*);      \
  template void image_pull_back(const Kernel&, ConstView2D<R>, ConstView2D<R>, ConstView2D<R>,                       \
                                const Kernel::StripCotangent<R>&, View2D<R>, View2D<R>, View2D<R>);                  \
  template void image_diag(const Kernel&, ConstView2D<R>, double*);                                                  \
  template void image_add_diag_grad(const Kernel&, ConstView2D<R>, const double*, View2D<R>);
NTKROB_INSTANTIATE(float)
NTKROB_INSTANTIATE(double)

}  // namespace ntkrob::kernel
