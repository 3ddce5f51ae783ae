/// Leaky ReLU, alpha min(x,0) + max(x,0): formulas in abrelu.hpp.
#pragma once

#include "layers/abrelu.hpp"

namespace ntkrob::layers {

struct Leaky : AbReluFamily<Leaky> {
  static constexpr int kParameterCount = 1;
  static constexpr LayerParameter kParameters[kParameterCount] = {{"alpha", 0.01, -1e6, 1e6}};
  NTKROB_HD static double negative(const double* params) { return params[0]; }
  NTKROB_HD static double positive(const double*) { return 1; }
};

}  // namespace ntkrob::layers
