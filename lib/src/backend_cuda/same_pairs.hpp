/// Pairs of one sample in chains with noise (layers/noise.hpp): they have one noise, other pairs have two.
#pragma once

#include "backend_cuda/elements.hpp"

namespace ntkrob::cuda {

/// Sets pair (i, i + offset) to k(x,x) of sample i, for those inside the tile.
template <class R>
struct SamePairs : EachElement<SamePairs<R>> {
  DeviceView<const double> self;  // 4 x n: k(x,x) as variance and tangent kernel, and their derivatives by x.x / D
  index offset = 0;
  bool ntk = true;
  DeviceView<R> value, nngp, dq, da;  // n x m; the last three may be empty

  NTKROB_HD index rows() const { return 1; }
  NTKROB_HD index cols() const { return value.rows; }
  NTKROB_HD void at(index, index i) const {
    const index j = i + offset;
    if (j < 0 || j >= value.cols) return;
    value(i, j) = static_cast<R>(self(ntk ? 1 : 0, i));
    if (!nngp.empty()) nngp(i, j) = static_cast<R>(self(0, i));
    if (!dq.empty()) dq(i, j) = static_cast<R>(self(ntk ? 3 : 2, i));
    if (!da.empty()) da(i, j) = R(0);
  }
};

}  // namespace ntkrob::cuda
