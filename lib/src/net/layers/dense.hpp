/// dense: y = W x + bias, all numbers with all, in the order H W C. The last one of a net has the classes as width.
#pragma once

#include "net/weights.hpp"

namespace ntkrob::net::rules::dense {

inline SpecArguments arguments(const Reading& r) {
  const bool kernel = r.tongue == Tongue::kernel;
  return {r.source, r.item, weight_parameters(kernel ? std::vector<std::string>{} : std::vector<std::string>{"width"}),
          kernel ? 2U : 1U};
}

inline void read(const Reading& r, Layer& layer) {
  const SpecArguments a = arguments(r);
  const index width = a.integer("width", r.classes > 0 ? r.classes : kDefaultWidth, 1, index{1} << 20);
  // In a kernel, whose text may be this one, a width of the readout means nothing.
  if (r.classes > 0 && width != r.classes && r.tongue == Tongue::net)
    r.fail(text("the last dense has ", width, " outputs, the data ", r.classes, " classes; leave its width out"));
  layer.outputs = r.classes > 0 ? r.classes : width;
  layer.fan_in = layer.in.size();
  layer.out = {1, 1, layer.outputs};
  layer.weight_shape = {layer.outputs, layer.fan_in};
  read_scales(a, layer);
}

inline std::string limit(const Reading& r) {
  const SpecArguments a = arguments(r);
  const index width = r.classes > 0 ? 0 : a.integer("width", kDefaultWidth, 1, index{1} << 20);
  const std::string weights = limit_weights(a, width);
  return weights.empty() ? "dense" : "dense(" + weights + ")";
}

}  // namespace ntkrob::net::rules::dense
