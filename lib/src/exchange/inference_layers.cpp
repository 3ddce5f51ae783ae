#include "exchange/inference_layers.hpp"

#include <cmath>
#include <utility>

#include "ntkrob/base/error.hpp"

namespace ntkrob::exchange {
namespace {

/// layer and the batch normalisation behind it in one: W' = s W, b' = s (b - m) + beta, s = gamma / sqrt(v + eps).
void fold(const InferenceLayer& norm, InferenceLayer& layer) {
  const double eps = norm.what.constant("eps");
  for (index o = 0; o < layer.weight.rows(); ++o) {
    const double scale =
        static_cast<double>(norm.weight(o, 0)) / std::sqrt(static_cast<double>(norm.statistics(1, o)) + eps);
    for (index k = 0; k < layer.weight.cols(); ++k)
      layer.weight(o, k) = static_cast<float>(scale * static_cast<double>(layer.weight(o, k)));
    const double centred = static_cast<double>(layer.bias(0, o)) - static_cast<double>(norm.statistics(0, o));
    layer.bias(0, o) = static_cast<float>(scale * centred + static_cast<double>(norm.bias(0, o)));
    NTKROB_CHECK(std::isfinite(scale) && std::isfinite(layer.bias(0, o)), NonFinite,
                 "batchnorm, folded into the layer before it, gives ", layer.bias(0, o), " for output ", o);
  }
  layer.what.relu = norm.what.relu;
}

bool takes_norm(const net::Layer& layer) {
  const bool weighted =
      layer.kind == net::Kind::dense || layer.kind == net::Kind::conv || layer.kind == net::Kind::depthwise;
  return weighted && !layer.relu;
}

/// The layers but those of which goes(kept, layer, whether nobody else reads what it reads) is true: their readers read
/// what they read.
template <class Goes>
std::vector<InferenceLayer> without(std::vector<InferenceLayer> layers, const Goes& goes) {
  std::vector<int> readers(layers.size(), 0), number(layers.size(), net::kInput);
  for (const InferenceLayer& layer : layers)
    for (const int in : layer.what.inputs)
      if (in >= 0) ++readers[static_cast<std::size_t>(in)];
  std::vector<InferenceLayer> kept;
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const int before = layers[l].what.inputs[0];
    const bool alone = before >= 0 && readers[static_cast<std::size_t>(before)] == 1;
    for (int& in : layers[l].what.inputs)
      if (in >= 0) in = number[static_cast<std::size_t>(in)];
    number[l] = layers[l].what.inputs[0];
    if (goes(kept, layers[l], alone)) continue;
    number[l] = static_cast<int>(kept.size());
    kept.push_back(std::move(layers[l]));
  }
  return kept;
}

}  // namespace

std::vector<InferenceLayer> inference_layers(const Net& net) {
  const std::vector<net::Layer>& all = net.description().layers;
  std::vector<InferenceLayer> layers;
  for (std::size_t l = 0; l < all.size(); ++l) {
    const int before = all[l].inputs[0];
    const ImageShape seen = before < 0 ? net.input_shape() : all[static_cast<std::size_t>(before)].out;
    NTKROB_CHECK(all[l].in == seen || all[l].kind == net::Kind::dense, ConfigError, "layer ", l, ", ",
                 net::name(all[l].kind),
                 ": only dense layers may stand behind flatten when a net goes to devices or ONNX");
    layers.push_back({all[l], net.layers()[l].weight, net.layers()[l].bias, net.layers()[l].statistics});
  }
  layers = without(std::move(layers), [](std::vector<InferenceLayer>& kept, InferenceLayer& layer, bool alone) {
    if (layer.what.kind != net::Kind::dropout) return false;
    if (!layer.what.relu) return true;
    layer.what.relu = false;
    layer.what.kind = net::Kind::relu;
    const int before = layer.what.inputs[0];
    if (!alone || before < 0) return false;
    kept[static_cast<std::size_t>(before)].what.relu = true;
    return true;
  });
  return without(std::move(layers), [](std::vector<InferenceLayer>& kept, const InferenceLayer& layer, bool alone) {
    if (!layer.what.statistics || !alone || layer.what.inputs[0] < 0) return false;
    InferenceLayer& target = kept[static_cast<std::size_t>(layer.what.inputs[0])];
    if (!takes_norm(target.what)) return false;
    fold(layer, target);
    return true;
  });
}

std::string device_layers() {
  std::string names;
  for (const net::Coverage& row : net::coverage())
    if (std::string(row.micro) == "yes") names += text(names.empty() ? "" : ", ", row.layer);
  return names;
}

std::string targets_of(net::Kind kind) {
  const net::Coverage& row = net::coverage()[static_cast<std::size_t>(kind)];
  std::string names;
  for (const auto& [target, answer] :
       {std::pair("cpu", row.cpu), std::pair("cuda", row.cuda), std::pair("micro", row.micro),
        std::pair("int8", row.int8), std::pair("onnx", row.onnx)})
    if (std::string(answer) == "yes") names += text(names.empty() ? "" : ", ", target);
  return names;
}

std::string reason(net::Kind kind) {
  if (kind == net::Kind::batchnorm)
    return "; it is folded into a convolution or dense layer right before it that nothing else reads, and none is "
           "there: "
           "train a net where one is";
  const std::string answer = net::coverage()[static_cast<std::size_t>(kind)].micro;
  return answer == "yes" || answer == "no such layer" ? std::string() : "; " + answer;
}

}  // namespace ntkrob::exchange
