/// Networks on images straight from the textbook: for one pair of images all covariances between positions, of x with
/// itself, of x with y and of y with itself, in float64. Windows are summed tap by tap. Small images only.
#pragma once

#include "ntkrob/backend/backend.hpp"

namespace ntkrob {

template <class R>
void reference_image_tile(const ImageTile<R>& tile);
/// Memory of one pair.
std::size_t reference_image_bytes(const Program& program, bool gradient);

}  // namespace ntkrob
