// A net as a StateDict, and back: the names of the HDF5 model file.
#include <cmath>

#include "nn/net_spec.hpp"
#include "ntkrob/nn/net.hpp"

namespace ntkrob {
namespace {

constexpr index kSideLimit = index{1} << 24;   // keeps height * width * channels of a damaged file within 64 bits ...
constexpr index kInputLimit = index{1} << 30;  // ... and the first layer within reason

std::string layer_entry(std::size_t l, const char* part) { return text("layers/", l, "/", part); }

std::string shape_text(const std::vector<index>& shape) {
  std::string result = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) result += text(i == 0 ? "" : ",", shape[i]);
  return result + "]";
}

/// The stored array as rows x cols, if it has exactly `shape` and finite values.
Matrix<float> parameters(const StateDict& state, const std::string& name, const std::vector<index>& shape, index rows,
                         index cols) {
  const auto& stored = state.get<NdArray<float>>(name);
  NTKROB_CHECK(stored.shape == shape && static_cast<index>(stored.values.size()) == rows * cols, IoError,
               "model entry \"", name, "\" has shape ", shape_text(stored.shape), ", the spec needs ",
               shape_text(shape));
  Matrix<float> result(rows, cols);
  for (index i = 0; i < rows * cols; ++i) {
    NTKROB_CHECK(std::isfinite(stored.values[i]), IoError, "model entry \"", name, "\" holds ", stored.values[i],
                 " at position ", i, "; the file is damaged or the training had diverged");
    result.data()[i] = stored.values[i];
  }
  return result;
}

ImageShape stored_shape(const StateDict& state) {
  const auto& sides = state.get<NdArray<std::int64_t>>("input_shape");
  NTKROB_CHECK(sides.values.size() == 3, IoError, "model entry \"input_shape\" holds ", sides.values.size(),
               " numbers, expected 3: height, width, channels");
  index size = 1;
  for (const std::int64_t side : sides.values) {
    NTKROB_CHECK(side >= 1 && side <= kSideLimit && size <= kInputLimit / side, IoError,
                 "model entry \"input_shape\" is ", sides.values[0], " x ", sides.values[1], " x ", sides.values[2],
                 "; every side must be at least 1 and the product at most ", kInputLimit);
    size *= side;
  }
  return {sides.values[0], sides.values[1], sides.values[2]};
}

std::vector<index> stored_widths(const std::string& spec, index classes) {
  try {
    return nn::parse_net_spec(spec, classes);
  } catch (const ConfigError& e) {
    throw IoError(text("model entry \"spec\": ", e.what()));
  }
}

}  // namespace

Net::Net(const StateDict& state, Backend& backend) : backend_(&backend) {
  spec_ = state.get<std::string>("spec");
  shape_ = stored_shape(state);
  classes_ = state.get<std::int64_t>("classes");
  NTKROB_CHECK(classes_ >= 1, IoError, "model entry \"classes\" is ", classes_, ", at least 1 is needed");
  const std::vector<index> widths = stored_widths(spec_, classes_);
  index fan_in = shape_.size();
  for (std::size_t l = 0; l < widths.size(); ++l) {
    const auto& type = state.get<std::string>(layer_entry(l, "type"));
    NTKROB_CHECK(type == "dense", IoError, "model entry \"", layer_entry(l, "type"), "\" is \"", type,
                 "\", the spec needs \"dense\"");
    // Files without this entry follow the rule: ReLU after all layers but the last.
    const std::string activation = l + 1 == widths.size() ? "none" : "relu";
    if (state.contains(layer_entry(l, "activation"))) {
      const auto& stored = state.get<std::string>(layer_entry(l, "activation"));
      NTKROB_CHECK(stored == activation, IoError, "model entry \"", layer_entry(l, "activation"), "\" is \"", stored,
                   "\", the spec needs \"", activation, "\"");
    }
    DenseLayer layer;
    layer.weight = parameters(state, layer_entry(l, "weight"), {widths[l], fan_in}, widths[l], fan_in);
    layer.bias = parameters(state, layer_entry(l, "bias"), {widths[l]}, 1, widths[l]);
    layers_.push_back(std::move(layer));
    fan_in = widths[l];
  }
  NTKROB_CHECK(!state.contains(layer_entry(widths.size(), "weight")), IoError, "model entry \"",
               layer_entry(widths.size(), "weight"), "\" exists, but the spec \"", spec_, "\" has only ", widths.size(),
               " dense layers");
}

StateDict Net::state() const {
  StateDict state;
  state.set("spec", spec_);
  state.set("input_shape", NdArray<std::int64_t>{{3}, {shape_.height, shape_.width, shape_.channels}});
  state.set("classes", static_cast<std::int64_t>(classes_));
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const Matrix<float>&w = layers_[l].weight, &b = layers_[l].bias;
    state.set(layer_entry(l, "type"), std::string("dense"));
    state.set(layer_entry(l, "weight"), NdArray<float>{{w.rows(), w.cols()}, {w.data(), w.data() + w.size()}});
    state.set(layer_entry(l, "bias"), NdArray<float>{{b.cols()}, {b.data(), b.data() + b.size()}});
    state.set(layer_entry(l, "activation"), std::string(l + 1 == layers_.size() ? "none" : "relu"));
  }
  return state;
}

}  // namespace ntkrob
