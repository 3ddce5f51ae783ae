// layernorm: over the channels of a position, or over all positions and channels.
#include "nn/sample_norm.hpp"

namespace ntkrob::nn {

template <class R>
LayerPtr<R> make_layernorm(const net::Layer& what) {
  return std::make_shared<SampleNorm<R>>(what, !what.all_positions, 1);
}

NTKROB_INSTANTIATE_NET_LAYER(layernorm)

}  // namespace ntkrob::nn
