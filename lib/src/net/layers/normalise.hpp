/// normalise: y = (x - mean) / std, one pair of numbers for all channels or one per channel. What users of other
/// frameworks do to their data before the net; here it is inside, because a Model takes pixels in [0,1].
#pragma once

#include <cmath>

#include "net/reading.hpp"

namespace ntkrob::net::rules::normalise {

/// "0.49:0.48:0.45": one number for all channels, or one per channel.
inline std::vector<double> per_channel(const SpecArguments& arguments, const char* name, index channels,
                                       bool positive) {
  const SpecArgument* argument = arguments.find(name);
  if (argument == nullptr)
    spec_error(arguments.source(), arguments.item().position, "normalise needs both: normalise(mean=0.5,std=0.25)");
  const auto fail = [&](const std::string& message) { spec_error(arguments.source(), argument->position, message); };
  std::vector<double> values;
  for (std::size_t at = 0; at <= argument->value.size();) {
    const std::size_t colon = std::min(argument->value.find(':', at), argument->value.size());
    try {
      values.push_back(parse_number(argument->value.substr(at, colon - at), text("normalise ", name)));
    } catch (const ConfigError& error) {
      fail(error.what());
    }
    // What is not 0 and finite in float64 must be so in float32 too.
    if (!(std::abs(values.back()) <= 1e30) || (positive && values.back() < 1e-30))
      fail(text("normalise ", name, " is ", values.back(), ", must be ", positive ? "positive and " : "",
                "at most 1e30"));
    at = colon + 1;
  }
  if (values.size() == 1) values.resize(static_cast<std::size_t>(channels), values[0]);
  if (static_cast<index>(values.size()) != channels)
    fail(text("normalise ", name, " has ", values.size(), " numbers for ", channels, " channels"));
  return values;
}

inline void read(const Reading& r, Layer& layer) {
  const SpecArguments arguments(r.source, r.item, {"mean", "std"}, 0);
  keep_shape(layer);
  layer.mean = per_channel(arguments, "mean", layer.in.channels, false);
  layer.deviation = per_channel(arguments, "std", layer.in.channels, true);
}

inline std::string limit(const Reading& r) {
  r.fail("normalise has no kernel: a kernel takes the data as they are, normalise them before");
}

}  // namespace ntkrob::net::rules::normalise
