/// avgpool: the mean of each window, channel by channel; the padding counts as 0, or with edges=inside not at all.
#pragma once

#include "net/reading.hpp"

namespace ntkrob::net::rules::avgpool {

inline SpecArguments arguments(const Reading& r) {
  std::vector<std::string> known = window_parameters({});
  known.emplace_back("edges");
  return {r.source, r.item, std::move(known), 2};
}
inline bool inside(const SpecArguments& a) { return a.choice("edges", 0, {"window", "inside"}) == 1; }

inline void read(const Reading& r, Layer& layer) {
  const SpecArguments a = arguments(r);
  layer.inside = inside(a);
  layer.window = read_window(a, layer.in, 0, "valid");
  layer.out = {layer.window.height, layer.window.width, layer.in.channels};
}

inline std::string limit(const Reading& r) {
  const SpecArguments a = arguments(r);
  return text("avgpool(", window_limit(a, 0, "valid"), ",edges=", inside(a) ? "inside" : "window", ")");
}

}  // namespace ntkrob::net::rules::avgpool
