/// leaky: y = x where x > 0, alpha x elsewhere (Maas 2013).
#pragma once

#include "net/reading.hpp"

namespace ntkrob::net::rules::leaky {

inline double alpha(const Reading& r) {
  return SpecArguments(r.source, r.item, {"alpha"}, 1).number("alpha", 0.01, -10, 10);
}

inline void read(const Reading& r, Layer& layer) {
  keep_shape(layer);
  layer.constants = {{"alpha", alpha(r)}};
}

inline std::string limit(const Reading& r) { return text("leaky(alpha=", format_number(alpha(r)), ")"); }

}  // namespace ntkrob::net::rules::leaky
