/// maxpool: the largest number of each window, channel by channel; the first of equals has the derivative.
#pragma once

#include "net/reading.hpp"

namespace ntkrob::net::rules::maxpool {

inline void read(const Reading& r, Layer& layer) {
  layer.window = read_window(SpecArguments(r.source, r.item, window_parameters({}), 2), layer.in, 0, "valid");
  layer.out = {layer.window.height, layer.window.width, layer.in.channels};
}

inline std::string limit(const Reading& r) { r.fail("the kernel of maxpool has no closed form; avgpool has one"); }

}  // namespace ntkrob::net::rules::maxpool
