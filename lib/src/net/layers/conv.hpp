/// conv: y[p] = bias + sum over the taps t of a window of W[t] x[s p + t - padding], zeros outside the image: a
/// cross-correlation, as in all frameworks of nets. In a kernel its limit is that of Novak 2019 and Arora 2019.
#pragma once

#include "net/weights.hpp"

namespace ntkrob::net::rules::conv {

/// conv(16,3): width and window; conv(3): a window, as in a kernel; in a kernel conv(3,5): a window.
inline SpecArguments arguments(const Reading& r) {
  const auto& given = r.item.arguments;
  std::size_t positional = 0;
  bool named = false;
  for (const SpecArgument& argument : given) {
    positional += argument.key.empty();
    named |= argument.key == "kh" || argument.key == "kw";
  }
  const bool as_kernel = r.tongue == Tongue::kernel || (positional == 1 && !named) || positional == 0;
  const std::vector<std::string> first = as_kernel ? std::vector<std::string>{} : std::vector<std::string>{"width"};
  return {r.source, r.item, weight_parameters(window_parameters(first)), as_kernel ? 2U : 3U};
}

inline index width(const SpecArguments& a) { return a.integer("width", kDefaultChannels, 1, index{1} << 16); }

inline void read(const Reading& r, Layer& layer) {
  const SpecArguments a = arguments(r);
  layer.window = read_window(a, layer.in, 1, "same");
  layer.outputs = width(a);
  layer.fan_in = layer.window.kh * layer.window.kw * layer.in.channels;
  layer.out = {layer.window.height, layer.window.width, layer.outputs};
  layer.weight_shape = {layer.outputs, layer.in.channels, layer.window.kh, layer.window.kw};
  read_scales(a, layer);
}

inline std::string limit(const Reading& r) {
  const SpecArguments a = arguments(r);
  return "conv(" + window_limit(a, 1, "same") + "," + limit_weights(a, width(a)) + ")";
}

}  // namespace ntkrob::net::rules::conv
