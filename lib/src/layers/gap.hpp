/// Where the gap 1 - |cosine| of a pair of samples is not taken from their inner product.
#pragma once

namespace ntkrob::layers {

/// Gaps below this are recomputed from differences in float64: the product x.y has lost the digits that matter there.
/// Float32: an error of 2e-7 in the gap moves the angle by 2e-7 / sin(angle), 1e-6 at the limit.
template <class R>
constexpr R kNear = R(sizeof(R) == 4 ? 0.03 : 1e-4);
/// Angles below 1e-14 are rounding noise of the normalisation: coincident (or antiparallel).
constexpr double kCoincident = 1e-28;

}  // namespace ntkrob::layers
