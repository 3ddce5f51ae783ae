/// Where the numbers of a flattened image stand in PyTorch.
///
/// A flatten gives the order C H W there and H W C here. What reads the numbers, or stands between the flatten and a
/// layer that mixes them, has its weights in another order: dense and conv along their inputs, depthwise convolutions
/// and normalisations along their channels.
#pragma once

#include <vector>

#include "ntkrob/base/state_dict.hpp"
#include "ntkrob/net/description.hpp"

namespace ntkrob::exchange {

/// For every layer the image whose numbers it reads as channels (dense: as inputs), {1,1,n} where the order is the
/// same.
///   throws: ConfigError naming the layer where no order of weights gives the same net
std::vector<ImageShape> flattened_images(const net::Description& net);

enum class Order { ours, torch };
/// Brings an array of the layer, its weight in PyTorch's shape or its bias or statistics, into `order` from the other.
///   image: of flattened_images()
void reorder(const net::Layer& layer, ImageShape image, Order order, NdArray<float>& array);

}  // namespace ntkrob::exchange
