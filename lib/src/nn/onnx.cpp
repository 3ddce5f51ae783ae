// ONNX: field numbers are those of onnx.proto3.
#include "ntkrob/nn/onnx.hpp"

#include <algorithm>

#include "nn/layer_list.hpp"
#include "nn/protobuf.hpp"
#include "ntkrob/version.hpp"

namespace ntkrob {
namespace {

using nn::ListedLayer;
using nn::Message;
using Integers = std::vector<std::int64_t>;

constexpr std::int64_t kIrVersion = 7, kOpset = 13, kFloat = 1, kInt64 = 7;  // the last two: TensorProto
constexpr std::int64_t kAttributeInt = 2, kAttributeInts = 7;

Message attribute(const std::string& name, std::int64_t value) {
  return Message().bytes(1, name).integer(3, value).integer(20, kAttributeInt);
}
Message attribute(const std::string& name, const Integers& values) {
  Message result;
  result.bytes(1, name);
  for (const std::int64_t value : values) result.integer(8, value);
  return result.integer(20, kAttributeInts);
}

/// ValueInfoProto of a float tensor; the first dimension is "N".
Message value_info(const std::string& name, const Integers& extents) {
  Message shape;
  shape.message(1, Message().bytes(2, "N"));
  for (const std::int64_t extent : extents) shape.message(1, Message().integer(1, extent));
  const Message tensor = Message().integer(1, kFloat).message(2, shape);
  return Message().bytes(1, name).message(2, Message().message(1, tensor));
}

/// A GraphProto that grows node by node; every node reads what the one before has written.
class Graph {
 public:
  explicit Graph(std::string input) : last_(std::move(input)) {}

  /// initializers: names of further inputs   output: name of the result, or empty for one of our own
  void node(const std::string& type, const std::vector<std::string>& initializers,
            const std::vector<Message>& attributes, const std::string& output = {}) {
    const std::string name = text(type, "_", count_++);
    Message node;
    node.bytes(1, last_);
    for (const std::string& initializer : initializers) node.bytes(1, initializer);
    last_ = output.empty() ? name : output;
    node.bytes(2, last_).bytes(3, name).bytes(4, type);
    for (const Message& attribute : attributes) node.message(5, attribute);
    nodes_.push_back(std::move(node));
  }
  /// returns: its name
  std::string tensor(const std::string& name, const Integers& shape, const std::vector<float>& values) {
    tensors_.push_back(Message().integers(1, shape).integer(2, kFloat).bytes(8, name).bytes(9, nn::raw_floats(values)));
    return name;
  }
  std::string tensor(const std::string& name, const Integers& values) {
    const Integers shape{static_cast<std::int64_t>(values.size())};
    tensors_.push_back(Message().integers(1, shape).integer(2, kInt64).integers(7, values).bytes(8, name));
    return name;
  }
  Message finish(const std::string& name, const Message& input, const Message& output) const {
    Message graph;
    for (const Message& node : nodes_) graph.message(1, node);
    graph.bytes(2, name);
    for (const Message& tensor : tensors_) graph.message(5, tensor);
    return graph.message(11, input).message(12, output);
  }

 private:
  std::string last_;
  int count_ = 0;
  std::vector<Message> nodes_, tensors_;
};

std::vector<Message> window(const ListedLayer& layer, bool padded = true) {
  // Both have the order top, left, bottom, right.
  return {attribute("kernel_shape", Integers{layer.kernel[0], layer.kernel[1]}),
          attribute("pads", padded ? Integers(layer.padding, layer.padding + 4) : Integers(4, 0)),
          attribute("strides", Integers{layer.stride, layer.stride})};
}

/// Means over windows. Padding that counts is a Pad of its own, because runtimes disagree about the attribute that says
/// so: OpenCV (4.6, 4.10) does not read count_include_pad and counts padding where the producer is called pytorch only.
/// The value of Pad is 0 by default, and left out.
void write_averages(Graph& graph, const ListedLayer& layer, const std::string& name) {
  const index* pad = layer.padding;
  const bool padded = std::any_of(pad, pad + 4, [](index n) { return n != 0; });
  if (padded && !layer.inside)
    graph.node("Pad", {graph.tensor(name + ".pads", {0, 0, pad[0], pad[1], 0, 0, pad[2], pad[3]})}, {});
  std::vector<Message> attributes = window(layer, layer.inside);
  attributes.push_back(attribute("count_include_pad", 0));
  graph.node("AveragePool", {}, attributes);
}

/// The weight of a dense layer, out x (H W C), with its inputs in the order C H W.
std::vector<float> channels_first(const ListedLayer& layer) {
  const ImageShape in = layer.in;
  const index pixels = in.height * in.width, outputs = layer.weight.shape[0];
  std::vector<float> result(layer.weight.values.size());
  for (index o = 0; o < outputs; ++o)
    for (index p = 0; p < pixels; ++p)
      for (index c = 0; c < in.channels; ++c)
        result[static_cast<std::size_t>((o * in.channels + c) * pixels + p)] =
            layer.weight.values[static_cast<std::size_t>((o * pixels + p) * in.channels + c)];
  return result;
}

std::vector<float> to_float(const std::vector<double>& values) { return {values.begin(), values.end()}; }

/// Writes one layer without its ReLU. flat: whether the values are N x D already   output: as Graph::node
void write_layer(Graph& graph, const ListedLayer& layer, const std::string& name, bool& flat,
                 const std::string& output) {
  const auto parameter = [&](const char* part, const Integers& shape, const std::vector<float>& values) {
    return graph.tensor(name + "." + part, shape, values);
  };
  if (layer.type == "dense") {
    if (!flat) graph.node("Flatten", {}, {attribute("axis", 1)});
    flat = true;
    const std::string weight =
        parameter("weight", {layer.weight.shape[0], layer.weight.shape[1]}, channels_first(layer));
    graph.node("Gemm", {weight, parameter("bias", {layer.bias.shape[0]}, layer.bias.values)}, {attribute("transB", 1)},
               output);
    return;
  }
  if (layer.type == "conv") {
    const Integers shape(layer.weight.shape.begin(), layer.weight.shape.end());
    const std::string weight = parameter("weight", shape, layer.weight.values);
    graph.node("Conv", {weight, parameter("bias", {layer.bias.shape[0]}, layer.bias.values)}, window(layer));
  } else if (layer.type == "maxpool") {
    graph.node("MaxPool", {}, window(layer));
  } else if (layer.type == "avgpool") {
    write_averages(graph, layer, name);
  } else if (layer.type == "gap") {
    graph.node("GlobalAveragePool", {}, {});
  } else if (layer.type == "normalise") {
    const auto channels = static_cast<std::int64_t>(layer.mean.size());
    graph.node("Sub", {parameter("mean", {channels, 1, 1}, to_float(layer.mean))}, {});
    graph.node("Div", {parameter("std", {channels, 1, 1}, to_float(layer.deviation))}, {});
  } else {
    throw ConfigError(text("onnx: no way is known to write the layer ", layer.type));
  }
}

}  // namespace

std::string onnx_bytes(const Net& net, const std::string& comment, const OnnxMetadata& metadata) {
  const ImageShape in = net.input_shape();
  const std::vector<ListedLayer> layers = nn::list_layers(net);
  Graph graph("image");
  bool flat = false;
  for (std::size_t l = 0; l < layers.size(); ++l) {
    // A dense layer at the end names its output; an image of one position is flattened. No ReLU is last.
    const bool last = l + 1 == layers.size(), ends = last && layers[l].type == "dense";
    NTKROB_CHECK(!flat || layers[l].type == "dense", ConfigError, "onnx: layer ", l, ", ", layers[l].type,
                 ", stands behind a dense layer, where ONNX has no image");
    write_layer(graph, layers[l], text("layers.", l), flat, ends ? "logits" : "");
    if (layers[l].relu) graph.node("Relu", {}, {});
    if (last && !ends) graph.node("Flatten", {}, {attribute("axis", 1)}, "logits");
  }
  const Message body = graph.finish(net.spec(), value_info("image", {in.channels, in.height, in.width}),
                                    value_info("logits", {net.classes()}));
  Message model;
  model.integer(1, kIrVersion)
      .bytes(2, "ntkrob")
      .bytes(3, std::string(kVersion))
      .bytes(6, printable_line(comment))
      .message(7, body)
      .message(8, Message().bytes(1, "").integer(2, kOpset));
  for (const auto& [key, value] : metadata)
    model.message(14, Message().bytes(1, printable_line(key)).bytes(2, printable_line(value)));
  return model.text();
}

}  // namespace ntkrob
