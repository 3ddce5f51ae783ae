/// Nets for other libraries: ONNX (Open Neural Network Exchange, onnx.ai).
#pragma once

#include <string>

#include "ntkrob/nn/net.hpp"

namespace ntkrob {

/// The net as the bytes of an ONNX model, opset 13, float32. Input "image": N x channels x height x width, pixels in
/// [0,1]; output "logits": N x classes; N is free. Weights are in ONNX's order (C H W), also those of a dense layer
/// behind an image. The same net gives the same bytes.   comment: goes into the model's doc_string
std::string onnx_bytes(const Net& net, const std::string& comment);

}  // namespace ntkrob
