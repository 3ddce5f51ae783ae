/// pull_back: bands of y one after the other; inside a band the rows of x are shared out in strips.
#include "kernel/images.hpp"
#include "kernel/tiles.hpp"

namespace ntkrob {
namespace kernel {
namespace {

/// out = value^T v, in float64 beyond 1024 terms.   value: n x m   v: n x r   out: m x r
template <class R>
void predict(Backend& backend, ConstView2D<R> value, ConstView2D<R> v, View2D<R> part, View2D<R> out) {
  constexpr index kBlock = 1024;
  const index m = value.cols, r = v.cols;
  std::vector<double> sum(static_cast<std::size_t>(m * r), 0.0);
  for (index i = 0; i < value.rows; i += kBlock) {
    const index rows = std::min(kBlock, value.rows - i);
    backend.gemm(Transpose::yes, Transpose::no, R(1), value.middle_rows(i, rows), v.middle_rows(i, rows), R(0), part);
    for (index k = 0; k < m * r; ++k) sum[static_cast<std::size_t>(k)] += static_cast<double>(part(k / r, k % r));
  }
  for (index k = 0; k < m * r; ++k) out(k / r, k % r) = static_cast<R>(sum[static_cast<std::size_t>(k)]);
}

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
  auto& scratch = call.scratch;
  const View2D<double> sum = fit(scratch.sum, n, r + 1);  // h; last, the row sums of the cotangent times dk/da
  for (index i = 0; i < n; ++i) std::fill_n(sum.row(i), r + 1, 0.0);
  const auto rows_of = [&](index strip) { return strip * call.plan.tile_rows; };

  call.for_each_band(true, true, [&](const Band<R>& band) {
    const index j = band.begin, m = band.size;
    const View2D<R> value = fit(scratch.value, n, m), dq = fit(scratch.dq, n, m), da = fit(scratch.da, n, m);
    backend.for_each(call.strips(), [&](index strip, int) {
      const index i = rows_of(strip), rows = call.strip_rows(strip);
      PairTile<R> tile = call.tile(i, rows, j, m, band);
      tile.value = value.middle_rows(i, rows);
      tile.dq = dq.middle_rows(i, rows);
      tile.da = da.middle_rows(i, rows);
      backend.pair_tile(tile);
    });
    const View2D<R> result = out.middle_rows(j, m), g = fit(scratch.g, m, r);
    predict(backend, ConstView2D<R>(value), v, fit(scratch.part, m, r), result);
    check_finite(ConstView2D<R>(result), j, "kernel output");
    cotangent(j, result, g);
    const ConstView2D<R> gt = transposed(ConstView2D<R>(g), scratch.gt);
    backend.for_each(call.strips(), [&](index strip, int) {
      const index i = rows_of(strip), rows = call.strip_rows(strip);
      const View2D<R> weights = dq.middle_rows(i, rows);
      backend.add_thin(ConstView2D<R>(value.middle_rows(i, rows)), gt, sum.middle_rows(i, rows).middle_cols(0, r));
      const View2D<double> row_sum = sum.middle_rows(i, rows).middle_cols(r, 1);
      backend.weigh_tile(v.middle_rows(i, rows), gt, weights, ConstView2D<R>(da.middle_rows(i, rows)), row_sum);
      const View2D<R> target = dx.middle_rows(i, rows);
      backend.multiply(R(1) / static_cast<R>(d), ConstView2D<R>(weights), *band.plain, 0, j == 0 ? R(0) : R(1), target);
      if (!band.last) return;
      backend.arrays().add_scaled_rows(static_cast<double>(d) / 2, row_sum, x.middle_rows(i, rows), target);
      for (index a = 0; a < rows; ++a) {
        for (index c = 0; c < r; ++c) h(i + a, c) = static_cast<R>(sum(i + a, c));
      }
      check_finite(ConstView2D<R>(target), i, "kernel gradient");
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
