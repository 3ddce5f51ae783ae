#include "exchange/torch_layout.hpp"

#include <algorithm>

#include "ntkrob/base/error.hpp"

namespace ntkrob::exchange {
namespace {

index positions(ImageShape s) { return s.height * s.width; }
bool differs(ImageShape image) { return positions(image) > 1 && image.channels > 1; }
ImageShape plain(index n) { return {1, 1, n}; }
/// Layers whose outputs are new numbers, in the order of their weights.
bool mixes(const net::Layer& layer) { return layer.kind == net::Kind::dense || layer.kind == net::Kind::conv; }

[[noreturn]] void refuse(std::size_t l, const net::Layer& layer, ImageShape image, const char* why) {
  throw ConfigError(text("layer ", l, ", ", net::name(layer.kind), ", reads a flattened image of ", image.height, " x ",
                         image.width, " x ", image.channels,
                         ", whose numbers PyTorch has in the order C H W and a spec "
                         "in the order H W C, and ",
                         why));
}

/// Blocks of `block` numbers along an axis: ours [p,c], theirs [c,p].
void transpose(ImageShape image, index block, Order order, std::vector<float>::iterator first) {
  const index n = image.size();
  std::vector<float> moved(static_cast<std::size_t>(n * block));
  for (index p = 0; p < positions(image); ++p)
    for (index c = 0; c < image.channels; ++c) {
      const index own = (p * image.channels + c) * block, theirs = (c * positions(image) + p) * block;
      const bool to_ours = order == Order::ours;
      std::copy_n(first + (to_ours ? theirs : own), block, moved.begin() + (to_ours ? own : theirs));
    }
  std::copy(moved.begin(), moved.end(), first);
}

}  // namespace

std::vector<ImageShape> flattened_images(const net::Description& net) {
  std::vector<ImageShape> read, carried;  // carried: of a layer's output
  for (std::size_t l = 0; l < net.layers.size(); ++l) {
    const net::Layer& layer = net.layers[l];
    const auto arriving = [&](int from) {
      const ImageShape shape = from < 0 ? net.input : net.layers[static_cast<std::size_t>(from)].out;
      const bool flattens = positions(layer.in) == 1 || layer.kind == net::Kind::dense;
      if (flattens && positions(shape) > 1) return differs(shape) ? shape : plain(shape.size());
      return from < 0 || positions(shape) > 1 ? plain(shape.channels) : carried[static_cast<std::size_t>(from)];
    };
    const ImageShape image = arriving(layer.inputs[0]);
    for (const int other : layer.inputs)
      if (const ImageShape found = arriving(other); found != image)
        refuse(l, layer, differs(image) ? image : found, "its other branches have an order of their own");
    if (layer.kind == net::Kind::groupnorm && differs(image)) {
      const auto groups = static_cast<index>(layer.constant("groups"));
      if (groups != 1 && groups != layer.in.channels) refuse(l, layer, image, "its groups are of other numbers there");
    }
    read.push_back(image);
    carried.push_back(mixes(layer) ? plain(layer.out.channels) : image);
  }
  const ImageShape last = net.layers.back().out;
  const ImageShape logits = positions(last) > 1 ? last : carried.back();
  NTKROB_CHECK(!differs(logits), ConfigError, "the logits are a flattened image of ", logits.height, " x ",
               logits.width, " x ", logits.channels,
               ", which is the order C H W in PyTorch and H W C here; end the net "
               "with dense or gap");
  return read;
}

void reorder(const net::Layer& layer, ImageShape image, Order order, NdArray<float>& array) {
  if (!differs(image)) return;
  const bool inputs = mixes(layer) && array.shape.size() > 1;
  if (mixes(layer) && !inputs) return;  // a bias
  const index n = image.size(), outer = inputs ? array.shape[0] : 1;
  const auto size = static_cast<index>(array.values.size());
  NTKROB_ASSERT(size % (outer * n) == 0);
  const index block = size / (outer * n);
  for (index o = 0; o < outer; ++o) transpose(image, block, order, array.values.begin() + o * n * block);
}

}  // namespace ntkrob::exchange
