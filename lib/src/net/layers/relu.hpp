/// relu: y = max(x, 0), its derivative at 0 counts as 0. A NaN stays NaN.
#pragma once

#include "net/reading.hpp"

namespace ntkrob::net::rules::relu {

inline void read(const Reading& r, Layer& layer) {
  r.no_arguments();
  keep_shape(layer);
}

inline std::string limit(const Reading& r) {
  r.no_arguments();
  return "relu";
}

}  // namespace ntkrob::net::rules::relu
