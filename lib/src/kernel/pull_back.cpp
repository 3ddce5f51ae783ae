/// pull_back: bands of y one after the other; inside a band the rows of x are shared out in strips.
#include "kernel/images.hpp"
#include "kernel/tiles.hpp"

namespace ntkrob {
namespace kernel {
namespace {

template <class R>
void pull_back(const Kernel& k, ConstView2D<R> x, ConstView2D<R> y, ConstView2D<R> v,
               const Kernel::StripCotangent<R>& cotangent, View2D<R> out, View2D<R> h, View2D<R> dx) {
  if (k.program() != nullptr) return image_pull_back(k, x, y, v, cotangent, out, h, dx);
  const index n = x.rows, d = x.cols, r = v.cols;
  NTKROB_CHECK_SHAPE(v, n, r);
  NTKROB_CHECK_SHAPE(out, y.rows, r);
  NTKROB_CHECK_SHAPE(h, n, r);
  NTKROB_CHECK_SHAPE(dx, n, d);
  NTKROB_CHECK(y.rows > 0, ShapeError, "a kernel's second argument has no samples");
  const Call<R> call(k, Verb::pull_back, x, y, Pairing::cross, r);
  Backend& backend = call.backend();
  Arrays& arrays = call.arrays();
  auto& scratch = call.scratch;
  Near<R> near_out(arrays, out, scratch.out), near_h(arrays, h, scratch.h), near_dx(arrays, dx, scratch.dx);
  const ConstView2D<R> near_v = nearby(arrays, v, scratch.v);
  const View2D<double> sum = fit(arrays, scratch.sum, n, r + 1);  // h; last, row sums of the cotangent times dk/da
  arrays.fill(sum, 0.0);
  const auto rows_of = [&](index strip) { return strip * call.plan.tile_rows; };

  call.for_each_band(true, true, [&](const Band<R>& band) {
    const index j = band.begin, m = band.size;
    const View2D<R> value = fit(arrays, scratch.value, n, m), dq = fit(arrays, scratch.dq, n, m),
                    da = fit(arrays, scratch.da, n, m);
    backend.for_each(call.strips(), [&](index strip, int) {
      const index i = rows_of(strip), rows = call.strip_rows(strip);
      PairTile<R> tile = call.tile(i, rows, j, m, band);
      tile.value = value.middle_rows(i, rows);
      tile.dq = dq.middle_rows(i, rows);
      tile.da = da.middle_rows(i, rows);
      backend.pair_tile(tile);
    });
    const View2D<double> predicted = fit(arrays, scratch.predicted, m, r);
    arrays.fill(predicted, 0.0);
    backend.add_thin_transposed(ConstView2D<R>(value), near_v, predicted);
    arrays.copy(ConstView2D<double>(predicted), near_out.view().middle_rows(j, m));
    near_out.commit_rows(j, m);
    const View2D<R> g = fit(arrays, scratch.u, m, r);
    call_cotangent(arrays, cotangent, j, ConstView2D<R>(out.middle_rows(j, m)), g, call.own(0));
    const ConstView2D<R> gt = transposed(arrays, ConstView2D<R>(g), scratch.gt);
    backend.for_each(call.strips(), [&](index strip, int) {
      const index i = rows_of(strip), rows = call.strip_rows(strip);
      const View2D<R> weights = dq.middle_rows(i, rows), target = near_dx.view().middle_rows(i, rows);
      const View2D<double> sums = sum.middle_rows(i, rows).middle_cols(0, r),
                           row_sum = sum.middle_rows(i, rows).middle_cols(r, 1);
      backend.add_thin(ConstView2D<R>(value.middle_rows(i, rows)), gt, sums);
      backend.weigh_tile(near_v.middle_rows(i, rows), gt, weights, ConstView2D<R>(da.middle_rows(i, rows)), row_sum);
      backend.multiply(R(1) / static_cast<R>(d), ConstView2D<R>(weights), *band.plain, 0, j == 0 ? R(0) : R(1), target);
      if (!band.last) return;
      arrays.add_scaled_rows(static_cast<double>(d) / 2, row_sum, call.x.middle_rows(i, rows), target);
      arrays.copy(ConstView2D<double>(sums), near_h.view().middle_rows(i, rows));
      near_h.commit_rows(i, rows);
      check_finite(arrays, ConstView2D<R>(target), i, "kernel gradient");
      near_dx.commit_rows(i, rows);
    });
  });
}

}  // namespace
}  // namespace kernel

void Kernel::pull_back(ConstView2D<float> x, ConstView2D<float> y, ConstView2D<float> v,
                       const StripCotangent<float>& cotangent, View2D<float> out, View2D<float> h,
                       View2D<float> dx) const {
  kernel::pull_back(*this, x, y, v, cotangent, out, h, dx);
}
void Kernel::pull_back(ConstView2D<double> x, ConstView2D<double> y, ConstView2D<double> v,
                       const StripCotangent<double>& cotangent, View2D<double> out, View2D<double> h,
                       View2D<double> dx) const {
  kernel::pull_back(*this, x, y, v, cotangent, out, h, dx);
}

}  // namespace ntkrob
