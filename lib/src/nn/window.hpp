/// Windows that move over an image: geometry of convolutions and pools, and walks over their taps.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "ntkrob/backend/net.hpp"
#include "ntkrob/base/spec_arguments.hpp"
#include "ntkrob/base/state_dict.hpp"

namespace ntkrob::nn {

/// kh x kw taps, moved by `stride`, with `top` lines and `left` columns of padding in front.
struct Window {
  index kh = 1, kw = 1, stride = 1, top = 0, left = 0;
  index height = 0, width = 0;  // positions of the window
};

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

/// Parameter names of a window, for SpecArguments.
inline std::vector<std::string> window_parameters(std::vector<std::string> first) {
  for (const char* name : {"kh", "kw", "stride", "pad"}) first.emplace_back(name);
  return first;
}

/// The window of a layer on images of shape `in`. pad: valid (none), same (as many positions as input pixels / stride,
/// rounded up; the smaller half of the padding in front, as in the common frameworks), or a number for every side.
///   stride_default: 0 means kh
///   throws: ConfigError with the position, also where no window fits
Window read_window(const SpecArguments& arguments, ImageShape in, index stride_default, const char* pad_default);

/// The window of a layer that a backend runs.
void describe_window(const Window& w, NetLayer& layer);

/// What a stored file says about a window: kernel [kh,kw], stride, padding [top,left,bottom,right].
std::vector<std::pair<std::string, StateDict::Value>> window_attributes(const Window& w, ImageShape in);

}  // namespace ntkrob::nn
