/// Nets for other libraries: ONNX (Open Neural Network Exchange, onnx.ai).
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "ntkrob/nn/net.hpp"

namespace ntkrob {

/// Keys and values, in the order in which they are written.
using OnnxMetadata = std::vector<std::pair<std::string, std::string>>;

/// The net as the bytes of an ONNX model, opset 13, float32. Input "image": N x channels x height x width, pixels in
/// [0,1]; output "logits": N x classes; N is free. Weights are in ONNX's order (C H W), also those of a dense layer
/// behind an image. Padding that average pools count is a Pad node before them, which all runtimes read alike. The same
/// net gives the same bytes.   comment: goes into the model's doc_string   metadata: its metadata_props; bytes in both
/// that are no UTF-8, which readers refuse, and control characters are written as \xNN
///   throws: ConfigError where an image layer stands behind a dense one
std::string onnx_bytes(const Net& net, const std::string& comment, const OnnxMetadata& metadata = {});

}  // namespace ntkrob
