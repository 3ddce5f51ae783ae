/// apply, grad and apply_grad: strips of rows of x, each taken through all pairs of a band of y while it is in the
/// cache. A row's arithmetic does not depend on the strip it is in.
#include "kernel/images.hpp"
#include "kernel/tiles.hpp"

namespace ntkrob {
namespace kernel {
namespace {

/// What a pass over the pairs is to produce. Views of host memory or of arrays.
template <class R>
struct Job {
  ConstView2D<R> v;                                      // M x r
  View2D<R> out;                                         // N x r: K v, or empty
  View2D<R> dx;                                          // N x D: the gradient, or empty
  ConstView2D<R> u;                                      // N x r: its cotangent, if known
  const Kernel::StripCotangent<R>* cotangent = nullptr;  // or made from out
  ConstView2D<R> products;                               // N x M inner products / D, if they are there already
  bool add = false;                                      // to what dx holds
};

template <class R>
void check(const Call<R>& call, const Job<R>& job) {
  NTKROB_CHECK(call.y.rows > 0, ShapeError, "a kernel's second argument has no samples");
  NTKROB_CHECK_SHAPE(job.v, call.y.rows, job.v.cols);
  if (!job.out.empty()) NTKROB_CHECK_SHAPE(job.out, call.x.rows, job.v.cols);
  if (!job.dx.empty()) NTKROB_CHECK_SHAPE(job.dx, call.x.rows, call.x.cols);
  if (!job.u.empty()) NTKROB_CHECK_SHAPE(job.u, call.x.rows, job.v.cols);
  if (!job.products.empty()) NTKROB_CHECK_SHAPE(job.products, call.x.rows, call.y.rows);
}

/// Columns of vt that belong to a band.
template <class R>
ConstView2D<R> of(const Band<R>& band, ConstView2D<R> vt) {
  return vt.middle_cols(band.begin, band.size);
}

/// Where a pass works, all in the memory of the backend. sum: N x (r + 1), K v so far and, last, the row sums of the
/// cotangent times dk/da.
template <class R>
struct Workplace {
  ConstView2D<R> u, vt;
  Near<R> out, dx;
  View2D<double> sum;
};

/// One strip against one band.
template <class R>
void run_strip(const Call<R>& call, const Job<R>& job, Workplace<R>& at, const Band<R>& band, index strip, int worker) {
  Backend& backend = call.backend();
  Arrays& arrays = call.arrays();
  WorkerScratch<R>& own = call.own(worker);
  const index i = strip * call.plan.tile_rows, n = call.strip_rows(strip), r = job.v.cols, d = call.x.cols;
  const bool forward = !job.out.empty(), gradient = !job.dx.empty();
  const View2D<R> dq = gradient ? fit(arrays, own.dq, n, band.size) : View2D<R>();
  const View2D<R> da = gradient ? fit(arrays, own.da, n, band.size) : View2D<R>();
  const View2D<double> sum = at.sum.middle_rows(i, n), row_sum = sum.middle_cols(r, 1), result = sum.middle_cols(0, r);
  for (index j = 0; j < band.size; j += call.plan.tile_cols) {
    const index m = std::min(call.plan.tile_cols, band.size - j), first = band.begin + j;
    PairTile<R> tile = call.tile(i, n, first, m, band);
    tile.value = fit(arrays, own.value, n, m);
    if (gradient) {
      tile.dq = dq.middle_cols(j, m);
      tile.da = da.middle_cols(j, m);
    }
    if (!job.products.empty()) arrays.copy(job.products.middle_rows(i, n).middle_cols(first, m), tile.value);
    backend.pair_tile(tile);
    if (forward) backend.add_thin(ConstView2D<R>(tile.value), at.vt.middle_cols(first, m), result);
  }
  const ConstView2D<R> values = forward ? at.out.target().middle_rows(i, n) : View2D<R>();
  if (forward && band.last) {
    arrays.copy(ConstView2D<double>(result), at.out.view().middle_rows(i, n));
    at.out.commit_rows(i, n);
    if (job.cotangent == nullptr) check_finite(arrays, values, i, "kernel output");
  }
  if (!gradient) return;

  ConstView2D<R> u = job.u.empty() ? at.u : at.u.middle_rows(i, n);
  if (job.cotangent != nullptr) {
    const View2D<R> made = fit(arrays, own.u, n, r);
    call_cotangent(arrays, *job.cotangent, i, values, made, own);
    u = made;
  }
  backend.weigh_tile(u, of(band, at.vt), dq, da, row_sum);
  const View2D<R> target = at.dx.view().middle_rows(i, n);
  backend.multiply(R(1) / static_cast<R>(d), ConstView2D<R>(dq), *band.plain, 0,
                   band.begin == 0 && !job.add ? R(0) : R(1), target);
  if (!band.last) return;
  arrays.add_scaled_rows(static_cast<double>(d) / 2, row_sum, call.x.middle_rows(i, n), target);
  check_finite(arrays, ConstView2D<R>(target), i, "kernel gradient");
  at.dx.commit_rows(i, n);
}

template <class R>
void run(const Call<R>& call, const Job<R>& job) {
  check(call, job);
  Arrays& arrays = call.arrays();
  auto& scratch = call.scratch;
  Workplace<R> at{job.u.empty() ? job.u : nearby(arrays, job.u, scratch.u), transposed(arrays, job.v, scratch.vt),
                  Near<R>(arrays, job.out, scratch.out), Near<R>(arrays, job.dx, scratch.dx),
                  fit(arrays, scratch.sum, call.x.rows, job.v.cols + 1)};
  if (job.add) at.dx.load();
  arrays.fill(at.sum, 0.0);
  call.for_each_band(job.products.empty(), !job.dx.empty(), [&](const Band<R>& band) {
    call.backend().for_each(call.strips(),
                            [&](index strip, int worker) { run_strip(call, job, at, band, strip, worker); });
  });
}

template <class R>
const ImageTable<R>* table_of(const PreparedSet<R>* prepared) {
  return prepared != nullptr && prepared->images.n > 0 ? &prepared->images : nullptr;
}

template <class R>
void apply(const Kernel& k, ConstView2D<R> x, ConstView2D<R> y, Pairing p, ConstView2D<R> v, View2D<R> out,
           const PreparedSet<R>* prepared = nullptr) {
  if (k.program() != nullptr) return image_apply(k, x, y, v, out, table_of(prepared));
  Job<R> job;
  job.v = v;
  job.out = out;
  NTKROB_CHECK_SHAPE(out, x.rows, v.cols);
  run(Call<R>(k, Verb::apply, x, y, p, v.cols, prepared), job);
}

template <class R>
void grad(const Kernel& k, ConstView2D<R> x, ConstView2D<R> y, Pairing p, ConstView2D<R> u, ConstView2D<R> v,
          View2D<R> dx, const PreparedSet<R>* prepared = nullptr) {
  if (k.program() != nullptr) return image_grad(k, x, y, u, v, dx, false, table_of(prepared));
  Job<R> job;
  job.v = v;
  job.u = u;
  job.dx = dx;
  NTKROB_CHECK_SHAPE(u, x.rows, v.cols);
  NTKROB_CHECK_SHAPE(dx, x.rows, x.cols);
  run(Call<R>(k, Verb::grad, x, y, p, v.cols, prepared), job);
}

template <class R>
void apply_grad(const Kernel& k, ConstView2D<R> x, ConstView2D<R> y, Pairing p, ConstView2D<R> v,
                const Kernel::StripCotangent<R>& cotangent, View2D<R> out, View2D<R> dx,
                const PreparedSet<R>* prepared = nullptr) {
  if (k.program() != nullptr) return image_apply_grad(k, x, y, v, cotangent, out, dx, table_of(prepared));
  NTKROB_CHECK_SHAPE(out, x.rows, v.cols);
  NTKROB_CHECK_SHAPE(dx, x.rows, x.cols);
  const Call<R> call(k, Verb::grad, x, y, p, v.cols, prepared);
  if (call.plan.band < y.rows) {  // derivatives of all pairs of a strip do not fit: the pairs are formed twice
    apply(k, x, y, p, v, out, prepared);
    Matrix<R> u(x.rows, v.cols);
    call_cotangent(k.backend().arrays(), cotangent, 0, ConstView2D<R>(out), u.view(), call.own(0));
    return grad(k, x, y, p, ConstView2D<R>(u.view()), v, dx, prepared);
  }
  Job<R> job;
  job.v = v;
  job.out = out;
  job.dx = dx;
  job.cotangent = &cotangent;
  run(call, job);
}

}  // namespace
}  // namespace kernel

void Kernel::apply(ConstView2D<float> x, ConstView2D<float> y, Pairing p, ConstView2D<float> v,
                   View2D<float> out) const {
  kernel::apply(*this, x, y, p, v, out);
}
void Kernel::apply(ConstView2D<double> x, ConstView2D<double> y, Pairing p, ConstView2D<double> v,
                   View2D<double> out) const {
  kernel::apply(*this, x, y, p, v, out);
}
void Kernel::grad(ConstView2D<float> x, ConstView2D<float> y, Pairing p, ConstView2D<float> u, ConstView2D<float> v,
                  View2D<float> dx) const {
  kernel::grad(*this, x, y, p, u, v, dx);
}
void Kernel::grad(ConstView2D<double> x, ConstView2D<double> y, Pairing p, ConstView2D<double> u, ConstView2D<double> v,
                  View2D<double> dx) const {
  kernel::grad(*this, x, y, p, u, v, dx);
}
void Kernel::apply_grad(ConstView2D<float> x, ConstView2D<float> y, Pairing p, ConstView2D<float> v,
                        const StripCotangent<float>& cotangent, View2D<float> out, View2D<float> dx) const {
  kernel::apply_grad(*this, x, y, p, v, cotangent, out, dx);
}
void Kernel::apply_grad(ConstView2D<double> x, ConstView2D<double> y, Pairing p, ConstView2D<double> v,
                        const StripCotangent<double>& cotangent, View2D<double> out, View2D<double> dx) const {
  kernel::apply_grad(*this, x, y, p, v, cotangent, out, dx);
}

template <class R>
void Kernel::apply(In<R> x, const PreparedSet<R>& y, In<R> v, To<R> out) const {
  kernel::apply<R>(*this, x, y.samples, Pairing::cross, v, out, &y);
}
template <class R>
void Kernel::grad(In<R> x, const PreparedSet<R>& y, In<R> u, In<R> v, To<R> dx) const {
  kernel::grad<R>(*this, x, y.samples, Pairing::cross, u, v, dx, &y);
}
template <class R>
void Kernel::apply_grad(In<R> x, const PreparedSet<R>& y, In<R> v,
                        const StripCotangent<std::common_type_t<R>>& cotangent, To<R> out, To<R> dx) const {
  kernel::apply_grad<R>(*this, x, y.samples, Pairing::cross, v, cotangent, out, dx, &y);
}
template <class R>
void Kernel::gram_grad(const PreparedSet<R>& x, In<R> products, In<R> u, In<R> v, To<R> dx) const {
  if (program() != nullptr)
    return kernel::image_grad<R>(*this, x.samples, x.samples, u, v, dx, true, kernel::table_of(&x));
  kernel::check_full(x);
  kernel::Job<R> job;
  job.v = v;
  job.u = u;
  job.dx = dx;
  job.products = products;
  job.add = true;
  NTKROB_CHECK_SHAPE(u, x.samples.rows, v.cols);
  NTKROB_CHECK_SHAPE(dx, x.samples.rows, x.samples.cols);
  kernel::run(kernel::Call<R>(*this, Verb::grad, x.samples, x.samples, Pairing::same, v.cols, &x), job);
}

#define NTKROB_INSTANTIATE(R)                                                                                         \
  template void Kernel::apply(ConstView2D<R>, const PreparedSet<R>&, ConstView2D<R>, View2D<R>) const;                \
  template void Kernel::grad(ConstView2D<R>, const PreparedSet<R>&, ConstView2D<R>, ConstView2D<R>, View2D<R>) const; \
  template void Kernel::apply_grad(ConstView2D<R>, const PreparedSet<R>&, ConstView2D<R>, const StripCotangent<R>&,   \
                                   View2D<R>, View2D<R>) const;                                                       \
  template void Kernel::gram_grad(const PreparedSet<R>&, ConstView2D<R>, ConstView2D<R>, ConstView2D<R>, View2D<R>)   \
      const;
NTKROB_INSTANTIATE(float)
NTKROB_INSTANTIATE(double)

}  // namespace ntkrob
