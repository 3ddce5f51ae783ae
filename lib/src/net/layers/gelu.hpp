/// gelu: y = x Phi(x), Phi the normal distribution function (Hendrycks & Gimpel 2016); exact, not the tanh form.
#pragma once

#include "net/reading.hpp"

namespace ntkrob::net::rules::gelu {

inline void read(const Reading& r, Layer& layer) {
  r.no_arguments();
  keep_shape(layer);
}

inline std::string limit(const Reading& r) {
  r.no_arguments();
  return "gelu";
}

}  // namespace ntkrob::net::rules::gelu
