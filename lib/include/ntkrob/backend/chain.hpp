/// Chain: a run of pointwise kernel layers, as data. What a backend needs to know about a kernel.
#pragma once

#include <array>
#include <vector>

#include "ntkrob/base/view.hpp"

namespace ntkrob {

/// One layer of a chain: its number in layers.def and its parameters in the order of its Params.
struct ChainLayer {
  int kind = 0;
  std::array<double, 4> params{};
};

using Chain = std::vector<ChainLayer>;

/// Which kernel of the infinitely wide net: the covariance of its outputs, or the tangent kernel.
enum class Output { ntk, nngp };

/// cross: x and y are different sets. same: y is x, row by row, so that k(x_i, x_i) is smooth and known exactly.
enum class Pairing { cross, same };

}  // namespace ntkrob
