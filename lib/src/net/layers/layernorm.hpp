/// layernorm: y = gamma (x - m) / sqrt(v + eps) + beta; m and v are mean and biased variance of a sample over the
/// channels of a position, or with axes=all over all positions and channels (Ba 2016). gamma and beta per channel.
#pragma once

#include "net/reading.hpp"

namespace ntkrob::net::rules::layernorm {

inline SpecArguments arguments(const Reading& r) { return {r.source, r.item, {"eps", "axes"}, 1}; }
inline double eps(const Reading& r, const SpecArguments& a) {
  return a.number("eps", r.tongue == Tongue::kernel ? 1e-12 : 1e-5, 1e-12, 1e6);
}
inline bool all(const SpecArguments& a) { return a.choice("axes", 0, {"channel", "all"}) == 1; }

inline void read(const Reading& r, Layer& layer) {
  const SpecArguments a = arguments(r);
  scale_and_shift(layer);
  layer.all_positions = all(a);
  layer.constants = {{"eps", eps(r, a)}};
}

inline std::string limit(const Reading& r) {
  const SpecArguments a = arguments(r);
  return text("layernorm(eps=", format_number(eps(r, a)), ",axes=", all(a) ? "all" : "channel", ")");
}

}  // namespace ntkrob::net::rules::layernorm
