// ONNX: field numbers are those of onnx.proto3.
#include "ntkrob/exchange/onnx.hpp"

#include <algorithm>

#include "exchange/inference_layers.hpp"
#include "exchange/protobuf.hpp"
#include "ntkrob/version.hpp"

namespace ntkrob {
namespace {

using exchange::InferenceLayer;
using exchange::Message;
using Integers = std::vector<std::int64_t>;

constexpr std::int64_t kIrVersion = 7, kOpset = 13, kFloat = 1, kInt64 = 7;  // the last two: TensorProto
constexpr std::int64_t kAttributeFloat = 1, kAttributeInt = 2, kAttributeInts = 7;

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

/// A GraphProto that grows node by node.
class Graph {
 public:
  /// inputs: names of values and initializers   output: name of the result, or empty for one of our own
  /// returns: the name of the result
  std::string node(const std::string& type, const std::vector<std::string>& inputs,
                   const std::vector<Message>& attributes = {}, const std::string& output = {}) {
    const std::string name = text(type, "_", count_++), result = output.empty() ? name : output;
    Message node;
    for (const std::string& input : inputs) node.bytes(1, input);
    node.bytes(2, result).bytes(3, name).bytes(4, type);
    for (const Message& attribute : attributes) node.message(5, attribute);
    nodes_.push_back(std::move(node));
    return result;
  }
  /// returns: its name
  std::string tensor(const std::string& name, const Integers& shape, const std::vector<float>& values) {
    tensors_.push_back(
        Message().integers(1, shape).integer(2, kFloat).bytes(8, name).bytes(9, exchange::raw_floats(values)));
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
  int count_ = 0;
  std::vector<Message> nodes_, tensors_;
};

std::vector<Message> window(const net::Layer& layer, bool padded = true) {
  const net::Window& w = layer.window;
  const Integers pads{w.top, w.left, w.bottom(layer.in), w.right(layer.in)};
  return {attribute("kernel_shape", Integers{w.kh, w.kw}), attribute("pads", padded ? pads : Integers(4, 0)),
          attribute("strides", Integers{w.stride, w.stride})};
}

std::vector<float> floats(const float* values, index n) { return {values, values + n}; }
std::vector<float> floats(const Matrix<float>& m) { return floats(m.data(), m.size()); }

/// A value between layers: its name, and whether it is N x D, not N x C x H x W.
struct Value {
  std::string name;
  bool flat = false;
  ImageShape shape = {};
};

/// The value as N x D in the order H W C.
std::string flattened(Graph& graph, const Value& value, const std::string& output = {}) {
  const ImageShape s = value.shape;
  const bool moved = s.height * s.width > 1 && s.channels > 1;
  const std::string last =
      moved ? graph.node("Transpose", {value.name}, {attribute("perm", Integers{0, 2, 3, 1})}) : value.name;
  return graph.node("Flatten", {last}, {attribute("axis", 1)}, output);
}

/// Writes one layer without its ReLU.
class Writer {
 public:
  Writer(Graph& graph, const InferenceLayer& layer, std::string name, std::vector<Value> inputs, std::string output)
      : graph_(graph),
        layer_(layer),
        what_(layer.what),
        name_(std::move(name)),
        inputs_(std::move(inputs)),
        output_(std::move(output)) {}

  Value write() {
    const std::string& x = inputs_[0].name;
    const bool flat = inputs_[0].flat;
    switch (what_.kind) {
      case net::Kind::dense:
        return {dense(flat ? x : graph_.node("Flatten", {x}, {attribute("axis", 1)})), true};
      case net::Kind::conv:
      case net::Kind::depthwise:
        return {convolution(x)};
      case net::Kind::maxpool:
        return {graph_.node("MaxPool", {x}, window(what_))};
      case net::Kind::avgpool:
        return {averages(x)};
      case net::Kind::gap:
        return {graph_.node("GlobalAveragePool", {x})};
      case net::Kind::normalise: {
        const Integers shape = channel_shape(flat);
        const std::string centred = graph_.node("Sub", {x, parameter("mean", shape, to_float(what_.mean))});
        return {graph_.node("Div", {centred, parameter("std", shape, to_float(what_.deviation))}), flat};
      }
      case net::Kind::relu:
        return {graph_.node("Relu", {x}), flat};
      case net::Kind::tanh:
        return {graph_.node("Tanh", {x}), flat};
      case net::Kind::leaky:
        return {graph_.node("LeakyRelu", {x}, {number("alpha", what_.constant("alpha"))}), flat};
      case net::Kind::gelu:
        return {gelu(x), flat};
      case net::Kind::sum: {
        std::vector<std::string> names;
        const bool any =
            std::any_of(inputs_.begin(), inputs_.end(), [&](const Value& v) { return v.flat || v.shape != what_.in; });
        for (const Value& v : inputs_) names.push_back(any && !v.flat ? flattened(graph_, v) : v.name);
        return {graph_.node("Sum", names), any};
      }
      case net::Kind::batchnorm:
        return {batchnorm(x), flat};
      case net::Kind::groupnorm:
        return {by_groups(x, static_cast<std::int64_t>(what_.constant("groups")), flat), flat};
      case net::Kind::layernorm:
        return {what_.all_positions || flat ? by_groups(x, 1, flat) : by_channels(x), flat};
      case net::Kind::dropout:
        break;  // inference_layers() has none
    }
    throw ConfigError(text("onnx: no way is known to write the layer ", net::name(what_.kind)));
  }

 private:
  static std::vector<float> to_float(const std::vector<double>& values) { return {values.begin(), values.end()}; }
  static Message number(const std::string& name, double value) {
    return Message().bytes(1, name).float32(2, static_cast<float>(value)).integer(20, kAttributeFloat);
  }
  std::string parameter(const char* part, const Integers& shape, const std::vector<float>& values) {
    return graph_.tensor(name_ + "." + part, shape, values);
  }
  std::string scalar(const char* part, double value) { return parameter(part, {1}, {static_cast<float>(value)}); }
  /// Of a number for each channel, beside values of either form.
  Integers channel_shape(bool flat) const {
    return flat ? Integers{what_.in.channels} : Integers{what_.in.channels, 1, 1};
  }

  /// The weight, out x (H W C), with its inputs in the order C H W of what is flattened.
  std::string dense(const std::string& x) {
    const ImageShape in = flattened_from_;
    const index pixels = in.height * in.width, outputs = what_.outputs;
    std::vector<float> weight(static_cast<std::size_t>(layer_.weight.size()));
    for (index o = 0; o < outputs; ++o)
      for (index p = 0; p < pixels; ++p)
        for (index c = 0; c < in.channels; ++c)
          weight[static_cast<std::size_t>((o * in.channels + c) * pixels + p)] = layer_.weight(o, p * in.channels + c);
    return graph_.node(
        "Gemm",
        {x, parameter("weight", {outputs, what_.fan_in}, weight), parameter("bias", {outputs}, floats(layer_.bias))},
        {attribute("transB", 1)}, output_);
  }

  std::string convolution(const std::string& x) {
    std::vector<float> weight = floats(layer_.weight);
    const std::vector<index> order = net::stored_order(what_);
    for (std::size_t k = 0; k < order.size(); ++k) weight[static_cast<std::size_t>(order[k])] = layer_.weight.data()[k];
    std::vector<Message> attributes = window(what_);
    if (what_.kind == net::Kind::depthwise) attributes.push_back(attribute("group", what_.outputs));
    const Integers shape(what_.weight_shape.begin(), what_.weight_shape.end());
    return graph_.node("Conv",
                       {x, parameter("weight", shape, weight), parameter("bias", {what_.outputs}, floats(layer_.bias))},
                       attributes);
  }

  /// Means over windows. Padding that counts is a Pad of its own, because runtimes disagree about the attribute that
  /// says so: OpenCV (4.6, 4.10) does not read count_include_pad and counts padding where the producer is called
  /// pytorch only. The value of Pad is 0 by default, and left out.
  std::string averages(const std::string& x) {
    const net::Window& w = what_.window;
    const index pad[] = {w.top, w.left, w.bottom(what_.in), w.right(what_.in)};
    const bool padded = std::any_of(pad, pad + 4, [](index n) { return n != 0; });
    std::string from = x;
    if (padded && !what_.inside)
      from = graph_.node("Pad", {x, graph_.tensor(name_ + ".pads", {0, 0, pad[0], pad[1], 0, 0, pad[2], pad[3]})});
    std::vector<Message> attributes = window(what_, what_.inside);
    attributes.push_back(attribute("count_include_pad", 0));
    return graph_.node("AveragePool", {from}, attributes);
  }

  /// 0.5 x (1 + erf(x / sqrt(2))); the operator Gelu is younger than the operators used here.
  std::string gelu(const std::string& x) {
    const std::string scaled = graph_.node("Mul", {x, scalar("root_half", 0.70710678118654752440)});
    const std::string twice = graph_.node("Add", {graph_.node("Erf", {scaled}), scalar("one", 1)});
    return graph_.node("Mul", {graph_.node("Mul", {x, twice}), scalar("half", 0.5)});
  }

  std::string batchnorm(const std::string& x) {
    const Integers shape{what_.outputs};
    return graph_.node(
        "BatchNormalization",
        {x, parameter("weight", shape, floats(layer_.weight)), parameter("bias", shape, floats(layer_.bias)),
         parameter("running_mean", shape, floats(layer_.statistics.row(0), what_.outputs)),
         parameter("running_var", shape, floats(layer_.statistics.row(1), what_.outputs))},
        {number("epsilon", what_.constant("eps"))});
  }

  std::string scale_and_shift(const std::string& x, bool flat) {
    const std::string scaled = graph_.node("Mul", {x, parameter("weight", channel_shape(flat), floats(layer_.weight))});
    return graph_.node("Add", {scaled, parameter("bias", channel_shape(flat), floats(layer_.bias))});
  }

  /// Groups of channels, over all positions: InstanceNormalization of N x groups x the rest.
  std::string by_groups(const std::string& x, std::int64_t groups, bool flat) {
    const auto n = static_cast<std::size_t>(groups);
    const std::string apart = graph_.node("Reshape", {x, graph_.tensor(name_ + ".groups", {0, groups, -1})});
    const std::string normal = graph_.node("InstanceNormalization",
                                           {apart, parameter("ones", {groups}, std::vector<float>(n, 1)),
                                            parameter("zeros", {groups}, std::vector<float>(n, 0))},
                                           {number("epsilon", what_.constant("eps"))});
    const Integers back =
        flat ? Integers{0, what_.in.channels} : Integers{0, what_.in.channels, what_.in.height, what_.in.width};
    return scale_and_shift(graph_.node("Reshape", {normal, graph_.tensor(name_ + ".shape", back)}), flat);
  }

  /// The channels of every position.
  std::string by_channels(const std::string& x) {
    const std::vector<Message> axis{attribute("axes", Integers{1}), attribute("keepdims", 1)};
    const std::string centred = graph_.node("Sub", {x, graph_.node("ReduceMean", {x}, axis)});
    const std::string variance = graph_.node("ReduceMean", {graph_.node("Mul", {centred, centred})}, axis);
    const std::string root =
        graph_.node("Sqrt", {graph_.node("Add", {variance, scalar("eps", what_.constant("eps"))})});
    return scale_and_shift(graph_.node("Div", {centred, root}), false);
  }

 public:
  ImageShape flattened_from_;  // dense: the shape of what it reads

 private:
  Graph& graph_;
  const InferenceLayer& layer_;
  const net::Layer& what_;
  const std::string name_;
  const std::vector<Value> inputs_;
  const std::string output_;
};

}  // namespace

std::string onnx_bytes(const Net& net, const std::string& comment, const OnnxMetadata& metadata) {
  const ImageShape in = net.input_shape();
  const std::vector<InferenceLayer> layers = exchange::inference_layers(net);
  Graph graph;
  std::vector<Value> values;
  const auto value = [&](int layer) {
    return layer < 0 ? Value{"image", false, in} : values[static_cast<std::size_t>(layer)];
  };
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const net::Layer& what = layers[l].what;
    // A dense layer at the end names its output; an image of one position is flattened. No ReLU is last.
    const bool last = l + 1 == layers.size(), ends = last && what.kind == net::Kind::dense;
    std::vector<Value> inputs;
    for (const int reads : what.inputs) {
      inputs.push_back(value(reads));
      NTKROB_CHECK(!inputs.back().flat || !(what.has_window() || what.kind == net::Kind::gap), ConfigError,
                   "onnx: layer ", l, ", ", net::name(what.kind),
                   ", stands behind a dense layer, where ONNX has no image");
    }
    const int before = what.inputs[0];
    Writer writer(graph, layers[l], text("layers.", l), inputs, ends ? "logits" : "");
    writer.flattened_from_ = before < 0 ? in : layers[static_cast<std::size_t>(before)].what.out;
    values.push_back(writer.write());
    values.back().shape = what.out;
    if (what.relu) values.back().name = graph.node("Relu", {values.back().name});
    if (last && !ends) flattened(graph, values.back(), "logits");
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
