/// Walks over the taps of windows of convolutions and pools.
#pragma once

#include <algorithm>

#include "ntkrob/net/description.hpp"

namespace ntkrob::nn {

using net::Window;

/// Taps [begin, end) of a window at `at` (in padded coordinates: minus padding) that lie inside [0, extent).
struct Taps {
  index begin, end;
  Taps(index at, index k, index extent) : begin(std::max<index>(0, -at)), end(std::min(k, extent - at)) {
    if (end < begin) end = begin;
  }
};

/// Calls tap(offset of the first channel) for every tap of position p that lies inside an image of shape `in`.
template <class Tap>
void for_taps(const Window& w, ImageShape in, index p, const Tap& tap) {
  const index y0 = p / w.width * w.stride - w.top, x0 = p % w.width * w.stride - w.left;
  const Taps rows(y0, w.kh, in.height), cols(x0, w.kw, in.width);
  for (index ky = rows.begin; ky < rows.end; ++ky)
    for (index kx = cols.begin; kx < cols.end; ++kx) tap(((y0 + ky) * in.width + x0 + kx) * in.channels);
}

}  // namespace ntkrob::nn
