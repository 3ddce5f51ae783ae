/// Chains of layers that every backend must compute as the reference backend does: the example of every layer of
/// layers.def, and layers one after another that have met in a bug or might.
#pragma once

#include <string>
#include <vector>

#include "layers/all.hpp"

namespace ntkrob::kit {

/// The example of every layer.
inline std::vector<std::string> layer_examples() {
  std::vector<std::string> specs;
  for (int kind = 0; kind < layers::kKinds; ++kind) specs.emplace_back(layers::info(kind).example);
  return specs;
}

inline std::vector<std::string> parity_specs() {
  std::vector<std::string> specs = layer_examples();
  for (const char* more :
       {"dense", "fc:1", "fc:3", "fc:3(w=1.41421356237,b=0)", "fc:7(b=0.5)", "dense-dense-relu-dense(b=0)",
        "dense(b=0)-abs-dense(b=0)-abs-dense(b=0)", "dense-abrelu(-0.5,0.2)-dense-identity-dense",
        "dense(param=standard,in=11,width=40)-relu-dense(b=0,param=standard,width=7)-scale(0.5)-"
        "erf-dense(w=2,param=standard)",
        "dense(b=0)-erf-dense(b=0)-relu-dense", "dense-erf-dense-erf(a=0.7,b=2,c=0.3)-dense",
        "dense(b=0)-gelu-dense-relu-dense", "dense(b=0)-sin-dense(b=0)-cos-dense",
        "dense-cos(0.5,1.5,-0.4)-dense-erf-dense", "dense(b=0)-monomial(2)-dense(w=0.5,b=0)-monomial(5)-dense(b=0)"})
    specs.emplace_back(more);
  return specs;
}

}  // namespace ntkrob::kit
