/// batchnorm: y = gamma (x - m) / sqrt(v + eps) + beta for every channel (Ioffe & Szegedy 2015). In training m and v
/// are mean and biased variance over the batch and all positions, and the running ones move by `momentum` towards them
/// (the variance unbiased, as in PyTorch); elsewhere m and v are the running ones.
#pragma once

#include "net/reading.hpp"

namespace ntkrob::net::rules::batchnorm {

inline void read(const Reading& r, Layer& layer) {
  const SpecArguments arguments(r.source, r.item, {"eps", "momentum"}, 0);
  scale_and_shift(layer);
  layer.statistics = true;
  layer.constants = {{"eps", arguments.number("eps", 1e-5, 1e-12, 1)},
                     {"momentum", arguments.number("momentum", 0.1, 1e-6, 1)}};
}

inline std::string limit(const Reading& r) {
  r.fail("batchnorm has no kernel: what it makes of a sample depends on the batch; layernorm has one");
}

}  // namespace ntkrob::net::rules::batchnorm
