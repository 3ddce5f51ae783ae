/// A convolution by Winograd's filtering (nn/winograd.hpp), for all three passes.
#pragma once

#include "nn/layer.hpp"
#include "nn/winograd.hpp"

namespace ntkrob::nn {

/// direct: the same layer by direct sums, for backends that ask for them (DeviceInfo::winograd)
///   what: a window of 3 x 3 with stride 1
template <class R>
LayerPtr<R> make_winograd_conv(const net::Layer& what, LayerPtr<R> direct);

}  // namespace ntkrob::nn
