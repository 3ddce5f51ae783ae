/// Absolute value: formulas in abrelu.hpp. Antiparallel inputs coincide afterwards.
#pragma once

#include "layers/abrelu.hpp"

namespace ntkrob::layers {

struct Abs : AbReluFamily<Abs> {
  static constexpr int kParameterCount = 0;
  static constexpr const LayerParameter* kParameters = nullptr;
  NTKROB_HD static double negative(const double*) { return -1; }
  NTKROB_HD static double positive(const double*) { return 1; }
};

}  // namespace ntkrob::layers
