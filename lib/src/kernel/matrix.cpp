/// Kernel matrices and Gram matrices: tiles of strips and column blocks, written out as they come.
#include "kernel/images.hpp"
#include "kernel/tiles.hpp"

namespace ntkrob {
namespace kernel {
namespace {

struct Tile {
  index i, n, j, m;
};

/// The tiles of a band. With half, those that hold pairs on or above the diagonal.
template <class R>
std::vector<Tile> tiles_of(const Call<R>& call, const Band<R>& band, bool half) {
  std::vector<Tile> tiles;
  const index end = band.begin + band.size;
  for (index strip = 0; strip < call.strips(); ++strip) {
    const index i = strip * call.plan.tile_rows, n = call.strip_rows(strip);
    const index first = half ? std::max(band.begin, i / kPanelStep * kPanelStep) : band.begin;
    for (index j = first; j < end; j += call.plan.tile_cols)
      tiles.push_back({i, n, j, std::min(call.plan.tile_cols, end - j)});
  }
  return tiles;
}

/// nngp: the other kernel of a kernel with output ntk, or empty.
template <class R, class O>
void matrix(const Call<R>& call, View2D<O> out, View2D<O> nngp = {}, View2D<R> products = {}) {
  NTKROB_CHECK_SHAPE(out, call.x.rows, call.y.rows);
  if (!nngp.empty()) NTKROB_CHECK_SHAPE(nngp, call.x.rows, call.y.rows);
  const bool half = call.pairing == Pairing::same;
  Backend& backend = call.backend();
  Arrays& arrays = call.arrays();
  call.for_each_band(true, false, [&](const Band<R>& band) {
    const std::vector<Tile> tiles = tiles_of(call, band, half);
    backend.for_each(static_cast<index>(tiles.size()), [&](index task, int worker) {
      const Tile& t = tiles[static_cast<std::size_t>(task)];
      PairTile<R> tile = call.tile(t.i, t.n, t.j, t.m, band);
      const Placement where{t.i, t.j, half};
      tile.value = fit(arrays, call.own(worker).value, t.n, t.m);
      if (!nngp.empty()) tile.nngp = fit(arrays, call.own(worker).nngp, t.n, t.m);
      if (!products.empty()) {
        backend.multiply(R(1) / static_cast<R>(call.x.cols), tile.x, *tile.panels, tile.panel_begin, R(0), tile.value);
        arrays.place(ConstView2D<R>(tile.value), where, products);
        tile.panels = nullptr;
      }
      backend.pair_tile(tile);
      arrays.place(ConstView2D<R>(tile.value), where, out);
      if (!nngp.empty()) arrays.place(ConstView2D<R>(tile.nngp), where, nngp);
    });
  });
}

template <class R, class O>
void any_matrix(const Kernel& k, ConstView2D<R> x, ConstView2D<R> y, Pairing p, View2D<O> out) {
  if (k.program() != nullptr) return image_matrix(k, x, y, p, out);
  matrix(Call<R>(k, Verb::matrix, x, y, p, 0), out);
}

template <class R>
void both(const Kernel& k, ConstView2D<R> x, ConstView2D<R> y, Pairing p, View2D<R> ntk, View2D<R> nngp) {
  NTKROB_CHECK(k.options().output == Output::ntk, ConfigError,
               "both kernels are asked of a kernel made for nngp alone");
  if (k.program() != nullptr) return image_matrix(k, x, y, p, ntk, nngp);
  matrix(Call<R>(k, Verb::matrices, x, y, p, 0), ntk, nngp);
}

}  // namespace
}  // namespace kernel

void Kernel::matrix(ConstView2D<float> x, ConstView2D<float> y, Pairing p, View2D<float> out) const {
  kernel::any_matrix(*this, x, y, p, out);
}
void Kernel::matrix(ConstView2D<float> x, ConstView2D<float> y, Pairing p, View2D<double> out) const {
  kernel::any_matrix(*this, x, y, p, out);
}
void Kernel::matrix(ConstView2D<double> x, ConstView2D<double> y, Pairing p, View2D<double> out) const {
  kernel::any_matrix(*this, x, y, p, out);
}

void Kernel::matrices(ConstView2D<float> x, ConstView2D<float> y, Pairing p, View2D<float> ntk,
                      View2D<float> nngp) const {
  kernel::both(*this, x, y, p, ntk, nngp);
}
void Kernel::matrices(ConstView2D<double> x, ConstView2D<double> y, Pairing p, View2D<double> ntk,
                      View2D<double> nngp) const {
  kernel::both(*this, x, y, p, ntk, nngp);
}

template <class R>
void Kernel::gram(const PreparedSet<R>& x, View2D<double> out, To<R> products) const {
  kernel::check_full(x);
  if (program() != nullptr) return kernel::image_matrix(*this, x.samples, x.samples, Pairing::same, out);
  if (!products.empty()) NTKROB_CHECK_SHAPE(products, x.samples.rows, x.samples.rows);
  kernel::matrix(kernel::Call<R>(*this, Verb::matrix, x.samples, x.samples, Pairing::same, 0, &x), out, {}, products);
}
template void Kernel::gram(const PreparedSet<float>&, View2D<double>, View2D<float>) const;
template void Kernel::gram(const PreparedSet<double>&, View2D<double>, View2D<double>) const;

}  // namespace ntkrob
