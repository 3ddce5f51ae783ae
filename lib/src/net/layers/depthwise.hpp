/// depthwise: y[p, c] = bias[c] + sum over the taps t of W[c, t] x[s p + t - padding, c] (Howard 2017).
#pragma once

#include "net/reading.hpp"

namespace ntkrob::net::rules::depthwise {

inline void read(const Reading& r, Layer& layer) {
  const SpecArguments a(r.source, r.item, window_parameters({}), 2);
  layer.window = read_window(a, layer.in, 1, "same");
  layer.outputs = layer.in.channels;
  layer.fan_in = layer.window.kh * layer.window.kw;
  layer.out = {layer.window.height, layer.window.width, layer.outputs};
  layer.weight_shape = {layer.outputs, 1, layer.window.kh, layer.window.kw};
}

inline std::string limit(const Reading& r) {
  r.fail("a depthwise convolution has no kernel: its channels do not mix, so they stay a sum over few units");
}

}  // namespace ntkrob::net::rules::depthwise
