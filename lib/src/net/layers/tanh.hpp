/// tanh: y = tanh(x).
#pragma once

#include "net/reading.hpp"

namespace ntkrob::net::rules::tanh {

inline void read(const Reading& r, Layer& layer) {
  r.no_arguments();
  keep_shape(layer);
}

inline std::string limit(const Reading& r) { r.fail("the kernel of tanh has no closed form; erf is near to it"); }

}  // namespace ntkrob::net::rules::tanh
