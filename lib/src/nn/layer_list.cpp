#include "nn/layer_list.hpp"

namespace ntkrob::nn {
namespace {

index positions(index extent, index front, index back, index kernel, index stride) {
  return (extent + front + back - kernel) / stride + 1;
}

}  // namespace

std::vector<ListedLayer> list_layers(const Net& net) {
  const StateDict state = net.state();
  std::vector<ListedLayer> layers;
  ImageShape shape = net.input_shape();
  for (std::size_t l = 0; l < net.layers().size(); ++l) {
    const std::string group = text("layers/", l, "/");
    ListedLayer layer;
    layer.type = state.get<std::string>(group + "type");
    layer.relu = state.get<std::string>(group + "activation") == "relu";
    layer.in = layer.out = shape;
    if (state.contains(group + "weight")) {
      layer.weight = state.get<NdArray<float>>(group + "weight");
      layer.bias = state.get<NdArray<float>>(group + "bias");
    }
    if (state.contains(group + "kernel")) {
      const auto& kernel = state.get<NdArray<std::int64_t>>(group + "kernel").values;
      const auto& padding = state.get<NdArray<std::int64_t>>(group + "padding").values;
      std::copy_n(kernel.begin(), 2, layer.kernel);
      std::copy_n(padding.begin(), 4, layer.padding);
      layer.stride = state.get<std::int64_t>(group + "stride");
      layer.out.height = positions(shape.height, padding[0], padding[2], kernel[0], layer.stride);
      layer.out.width = positions(shape.width, padding[1], padding[3], kernel[1], layer.stride);
      if (layer.type == "conv") layer.out.channels = layer.weight.shape[0];
    }
    if (layer.type == "dense") layer.out = {1, 1, layer.weight.shape[0]};
    if (layer.type == "gap") layer.out = {1, 1, shape.channels};
    if (layer.type == "avgpool") layer.inside = state.get<std::string>(group + "edges") == "inside";
    if (layer.type == "normalise") {
      layer.mean = state.get<NdArray<double>>(group + "mean").values;
      layer.deviation = state.get<NdArray<double>>(group + "std").values;
    }
    // What a layer behind a "flatten" takes for channels shows in its parameters.
    const index expected = layer.type == "dense"       ? layer.in.size()
                           : layer.type == "conv"      ? layer.in.channels
                           : layer.type == "normalise" ? layer.in.channels
                                                       : 0;
    const index found = layer.type == "normalise" ? static_cast<index>(layer.mean.size())
                        : expected == 0           ? 0
                                                  : layer.weight.shape[1];
    NTKROB_CHECK(found == expected, ConfigError, "layer ", l, ", ", layer.type,
                 ": only dense layers may stand behind flatten when a net goes to devices or ONNX");
    shape = layer.out;
    layers.push_back(std::move(layer));
  }
  return layers;
}

}  // namespace ntkrob::nn
