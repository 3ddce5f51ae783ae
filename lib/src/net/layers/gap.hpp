/// gap: the mean over all positions, channel by channel.
#pragma once

#include "net/reading.hpp"

namespace ntkrob::net::rules::gap {

inline void read(const Reading& r, Layer& layer) {
  r.no_arguments();
  layer.out = {1, 1, layer.in.channels};
}

inline std::string limit(const Reading& r) {
  r.no_arguments();
  return "gap";
}

}  // namespace ntkrob::net::rules::gap
