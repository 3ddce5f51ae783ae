/// Nets for PyTorch: the arrays of a state_dict.
#pragma once

#include "ntkrob/base/state_dict.hpp"
#include "ntkrob/nn/net.hpp"

namespace ntkrob {

/// The parameters of the net as PyTorch has them, float32, for load_state_dict() of the nn.Sequential with one module
/// for every word of the text, presets as their layers: <place>.weight and .bias, of batch normalisation .running_mean
/// and .running_var too, place as net::Layer::place counts. A sum is a module whose branches are its children "0", "1",
/// .., each an nn.Sequential; residual(a) has the one child "0". The order of the arrays is that of the text.
///
/// Shapes: dense [out,in], conv [out,in,kh,kw], conv1d [out,in,k], depthwise [c,1,kh,kw], normalisations [c]. A
/// flattened image is in the order C H W there: weights that read one, or its numbers, are reordered. import_torch()
/// with the net's text gives the same parameters, to the bit.
///   throws: ConfigError where no order of weights gives the same net (import_torch)
StateDict export_torch(const Net& net);

}  // namespace ntkrob
