/// Pairs of one sample in chains with noise (dropout): they have one noise, other pairs have two.
///
/// Template over the tile type, Backend's PairTile, so that this component stays below the backends.
#pragma once

#include "layers/samples.hpp"
#include "ntkrob/base/view.hpp"

namespace ntkrob::layers {

/// Sets the pairs of one sample in a tile to k(x,x), which is not the limit of the others there. The derivative by x is
/// half of that of x -> k(x,x), as everywhere.
template <template <class> class Tile, class R>
void set_same_pairs(const Tile<R>& tile) {
  if (!tile.same || !adds_noise(*tile.chain)) return;
  for (index i = 0; i < tile.x.rows; ++i) {
    const index j = tile.x_begin + i - tile.y_begin;
    if (j < 0 || j >= tile.y.rows) continue;
    double a = 0;
    for (index k = 0; k < tile.x.cols; ++k) a += static_cast<double>(tile.x(i, k)) * static_cast<double>(tile.x(i, k));
    const SelfState s = self_state(*tile.chain, a / static_cast<double>(tile.x.cols));
    const bool ntk = tile.output == decltype(tile.output)::ntk;
    tile.value(i, j) = static_cast<R>(ntk ? s.t : s.a);
    if (!tile.nngp.empty()) tile.nngp(i, j) = static_cast<R>(s.a);
    if (!tile.dq.empty()) tile.dq(i, j) = static_cast<R>(ntk ? s.dt : s.da);
    if (!tile.da.empty()) tile.da(i, j) = 0;
  }
}

}  // namespace ntkrob::layers
