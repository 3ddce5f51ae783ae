/// A net as it is used after training, for devices and files of others: dropout left out, batch normalisation folded
/// into the layer before it where that is a convolution or dense layer that nobody else reads.
#pragma once

#include <string>
#include <vector>

#include "ntkrob/nn/net.hpp"

namespace ntkrob::exchange {

struct InferenceLayer {
  net::Layer what;             // inputs: numbers among these layers
  Matrix<float> weight, bias;  // as LayerParameters; empty where there are none
  Matrix<float> statistics;    // of a batchnorm that could not be folded
};

/// throws: ConfigError where an image layer stands behind flatten; NonFinite where folding gives no number
std::vector<InferenceLayer> inference_layers(const Net& net);

/// "dense, conv, ...": what devices have (net::coverage()).
std::string device_layers();
/// "cpu, onnx, ...": the targets that have such a layer.
std::string targets_of(net::Kind kind);
/// Why devices have no such layer and what to do, as the end of a message, or nothing.
std::string reason(net::Kind kind);

}  // namespace ntkrob::exchange
