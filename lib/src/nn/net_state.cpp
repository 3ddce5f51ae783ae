// A net as a StateDict, and back: the names of the HDF5 model file.
#include <cmath>

#include "nn/on_device.hpp"
#include "nn/stack.hpp"
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

/// The stored array as rows x cols, if it has exactly `shape` and finite values.   order: as StoredWeight::order
Matrix<float> parameters(const StateDict& state, const std::string& name, const std::vector<index>& shape, index rows,
                         index cols, const std::vector<index>& order = {}) {
  const auto& stored = state.get<NdArray<float>>(name);
  NTKROB_CHECK(stored.shape == shape && static_cast<index>(stored.values.size()) == rows * cols, IoError,
               "model entry \"", name, "\" has shape ", shape_text(stored.shape), ", the spec needs ",
               shape_text(shape));
  Matrix<float> result(rows, cols);
  for (index i = 0; i < rows * cols; ++i) {
    const index at = order.empty() ? i : order[static_cast<std::size_t>(i)];
    const float value = stored.values[static_cast<std::size_t>(at)];
    NTKROB_CHECK(std::isfinite(value), IoError, "model entry \"", name, "\" holds ", value, " at position ", at,
                 "; the file is damaged or the training had diverged");
    result.data()[i] = value;
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
  return {static_cast<index>(sides.values[0]), static_cast<index>(sides.values[1]),
          static_cast<index>(sides.values[2])};
}

/// The beginning of a text of a file, for a line of text.
std::string shown(const std::string& stored) {
  constexpr std::size_t kShown = 80;
  return stored.size() <= kShown ? stored : text(stored.substr(0, kShown), "... (", stored.size(), " bytes)");
}

net::Description stored_description(const std::string& spec, ImageShape input, index classes) {
  try {
    return net::describe(spec, input, classes);
  } catch (const ConfigError& e) {
    constexpr std::size_t kLongest = 400;
    const std::string why = e.what();
    throw IoError(text("model entry \"spec\": ", why.size() <= kLongest ? why : why.substr(0, kLongest) + "..."));
  }
}

/// What a stored file says about a layer beside its parameters. The spec decides; this is for other readers.
std::vector<std::pair<std::string, StateDict::Value>> attributes(const net::Layer& what) {
  std::vector<std::pair<std::string, StateDict::Value>> result;
  if (what.has_window()) {
    const net::Window& w = what.window;
    result = {{"kernel", NdArray<std::int64_t>{{2}, {w.kh, w.kw}}},
              {"stride", static_cast<std::int64_t>(w.stride)},
              {"padding", NdArray<std::int64_t>{{4}, {w.top, w.left, w.bottom(what.in), w.right(what.in)}}}};
  }
  if (what.kind == net::Kind::avgpool) result.emplace_back("edges", std::string(what.inside ? "inside" : "window"));
  if (what.kind == net::Kind::layernorm)
    result.emplace_back("axes", std::string(what.all_positions ? "all" : "channel"));
  if (what.kind == net::Kind::normalise) {
    const index c = what.in.channels;
    result.emplace_back("mean", NdArray<double>{{c}, what.mean});
    result.emplace_back("std", NdArray<double>{{c}, what.deviation});
  }
  for (const auto& [name, value] : what.constants) result.emplace_back(name, value);
  return result;
}

}  // namespace

Net::Net(const StateDict& state, Backend& backend) : backend_(&backend) {
  const std::string& spec = state.get<std::string>("spec");
  shape_ = stored_shape(state);
  classes_ = state.get<std::int64_t>("classes");
  NTKROB_CHECK(classes_ >= 1, IoError, "model entry \"classes\" is ", classes_, ", at least 1 is needed");
  set_description(stored_description(spec, shape_, classes_));
  for (std::size_t l = 0; l < stack_->size(); ++l) {
    const nn::Stage<float>& stage = (*stack_)[l];
    const auto& type = state.get<std::string>(layer_entry(l, "type"));
    NTKROB_CHECK(type == stage.type(), IoError, "model entry \"", layer_entry(l, "type"), "\" is \"", shown(type),
                 "\", the spec needs \"", stage.type(), "\"");
    if (state.contains(layer_entry(l, "activation"))) {
      const std::string activation = stage.relu ? "relu" : "none";
      const auto& stored = state.get<std::string>(layer_entry(l, "activation"));
      NTKROB_CHECK(stored == activation, IoError, "model entry \"", layer_entry(l, "activation"), "\" is \"",
                   shown(stored), "\", the spec needs \"", activation, "\"");
    }
    LayerParameters layer;
    if (const index width = stage.layer->outputs; width > 0) {
      const net::Layer& what = stage.layer->what;
      layer.weight =
          parameters(state, layer_entry(l, "weight"), what.weight_shape, width, what.fan_in, net::stored_order(what));
      layer.bias = parameters(state, layer_entry(l, "bias"), {width}, 1, width);
      if (what.statistics) {
        layer.statistics = Matrix<float>(2, width);
        for (const index row : {0, 1}) {
          const std::string name = layer_entry(l, row == 0 ? "running_mean" : "running_var");
          const Matrix<float> values = parameters(state, name, {width}, 1, width);
          convert(values.view(), layer.statistics.view().middle_rows(row, 1));
          for (index k = 0; k < width && row == 1; ++k)
            NTKROB_CHECK(values(0, k) >= 0, IoError, "model entry \"", name, "\" holds ", values(0, k), " at position ",
                         k, "; a variance is not negative");
        }
      }
    }
    layers_.push_back(std::move(layer));
  }
  NTKROB_CHECK(!state.contains(layer_entry(stack_->size(), "type")), IoError, "model entry \"",
               layer_entry(stack_->size(), "type"), "\" exists, but the spec \"", shown(spec), "\" has only ",
               stack_->size(), " layers");
}

StateDict Net::state() const {
  const std::vector<LayerParameters>& layers = this->layers();
  StateDict state;
  state.set("spec", spec());
  state.set("input_shape", NdArray<std::int64_t>{{3}, {shape_.height, shape_.width, shape_.channels}});
  state.set("classes", static_cast<std::int64_t>(classes_));
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const nn::Stage<float>& stage = (*stack_)[l];
    const Matrix<float>&w = layers[l].weight, &b = layers[l].bias;
    state.set(layer_entry(l, "type"), std::string(stage.type()));
    if (stage.inputs() != std::vector<int>{static_cast<int>(l) - 1})  // not the layer before; -1: the image
      state.set(layer_entry(l, "inputs"), NdArray<std::int64_t>{{static_cast<index>(stage.inputs().size())},
                                                                {stage.inputs().begin(), stage.inputs().end()}});
    for (const auto& [name, value] : attributes(stage.layer->what)) state.set(layer_entry(l, name.c_str()), value);
    if (stage.layer->has_parameters()) {
      NdArray<float> stored{stage.layer->what.weight_shape, {w.data(), w.data() + w.size()}};
      const std::vector<index> order = net::stored_order(stage.layer->what);
      for (std::size_t k = 0; k < order.size(); ++k) stored.values[static_cast<std::size_t>(order[k])] = w.data()[k];
      state.set(layer_entry(l, "weight"), std::move(stored));
      state.set(layer_entry(l, "bias"), NdArray<float>{{b.cols()}, {b.data(), b.data() + b.size()}});
      if (const Matrix<float>& s = layers[l].statistics; !s.empty()) {
        state.set(layer_entry(l, "running_mean"), NdArray<float>{{s.cols()}, {s.row(0), s.row(0) + s.cols()}});
        state.set(layer_entry(l, "running_var"), NdArray<float>{{s.cols()}, {s.row(1), s.row(1) + s.cols()}});
      }
    }
    state.set(layer_entry(l, "activation"), std::string(stage.relu ? "relu" : "none"));
  }
  return state;
}

std::vector<std::string> stored_class_names(const StateDict& model) {
  const auto entry = [](std::int64_t k) { return text("class_names/", k); };
  std::vector<std::string> names;
  if (!model.contains(entry(0))) return names;
  const auto classes = model.get<std::int64_t>("classes");
  for (std::int64_t k = 0; k < classes; ++k) {
    NTKROB_CHECK(model.contains(entry(k)), IoError, "model entry \"", entry(k), "\" is missing, the model has ",
                 classes, " classes");
    names.push_back(model.get<std::string>(entry(k)));
  }
  NTKROB_CHECK(!model.contains(entry(classes)), IoError, "model entry \"", entry(classes), "\" exists, the model has ",
               classes, " classes");
  return names;
}

void store_class_names(StateDict& model, const std::vector<std::string>& names) {
  const auto classes = static_cast<std::size_t>(model.get<std::int64_t>("classes"));
  NTKROB_CHECK(names.empty() || names.size() == classes, ConfigError, "there are ", names.size(),
               " names of classes, the model has ", classes, " classes; give one for each");
  for (std::size_t k = 0; k < names.size(); ++k) model.set(text("class_names/", k), names[k]);
}

}  // namespace ntkrob
