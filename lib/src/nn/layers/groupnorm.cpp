// groupnorm: over all positions and the channels of a group.
#include "nn/sample_norm.hpp"

namespace ntkrob::nn {

template <class R>
LayerPtr<R> make_groupnorm(const net::Layer& what) {
  return std::make_shared<SampleNorm<R>>(what, false, static_cast<index>(what.constant("groups")));
}

NTKROB_INSTANTIATE_NET_LAYER(groupnorm)

}  // namespace ntkrob::nn
