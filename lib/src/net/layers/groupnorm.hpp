/// groupnorm: y = gamma (x - m) / sqrt(v + eps) + beta; m and v are mean and biased variance of a sample over all
/// positions and a group of channels (Wu & He 2018). instancenorm: every channel is a group (Ulyanov 2016), here with
/// gamma and beta.
#pragma once

#include "net/reading.hpp"

namespace ntkrob::net::rules::groupnorm {

inline void read(const Reading& r, Layer& layer) {
  const bool instance = r.item.name == "instancenorm";
  const SpecArguments arguments(r.source, r.item,
                                instance ? std::vector<std::string>{"eps"} : std::vector<std::string>{"groups", "eps"},
                                instance ? 0 : 1);
  const index channels = layer.in.channels;
  const index groups = instance ? channels : arguments.integer("groups", 8, 1, index{1} << 16);
  if (channels % groups != 0)
    r.fail(text("groupnorm: ", channels, " channels do not divide into ", groups,
                " groups; give groups=N that divides ", channels));
  scale_and_shift(layer);
  layer.constants = {{"groups", static_cast<double>(groups)}, {"eps", arguments.number("eps", 1e-5, 1e-12, 1)}};
}

inline std::string limit(const Reading& r) {
  r.fail("groupnorm has no kernel here; layernorm, over all channels, has one");
}

}  // namespace ntkrob::net::rules::groupnorm
