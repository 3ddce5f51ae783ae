#include "ntkrob/nn/import.hpp"

#include <algorithm>
#include <cmath>

#include "nn/stack.hpp"

namespace ntkrob {
namespace {

struct Parameter {
  std::string key;
  NdArray<float> array;
};

/// The weight and the bias of one PyTorch module.
struct Module {
  std::string name;
  Parameter weight, bias;
};

std::string shape_text(const std::vector<index>& shape) {
  std::string result = "[";
  for (const index extent : shape) result += (result.size() > 1 ? "," : "") + std::to_string(extent);
  return result + "]";
}

NdArray<float> to_float(const std::string& key, const StateDict::Value& value) {
  NdArray<float> result;
  if (const auto* f32 = std::get_if<NdArray<float>>(&value)) {
    result = *f32;
  } else {
    const auto* f64 = std::get_if<NdArray<double>>(&value);
    NTKROB_CHECK(f64 != nullptr, IoError, "array \"", key, "\" does not hold floating-point numbers");
    result.shape = f64->shape;
    for (const double v : f64->values) result.values.push_back(static_cast<float>(v));
  }
  for (std::size_t i = 0; i < result.values.size(); ++i)
    NTKROB_CHECK(std::isfinite(result.values[i]), IoError, "array \"", key, "\" holds ", result.values[i],
                 " at position ", i, "; every parameter must be finite");
  return result;
}

bool is_number(const std::string& name) {
  return !name.empty() && name.size() < 10 && name.find_first_not_of("0123456789") == std::string::npos;
}

std::vector<Module> collect(const StateDict& arrays) {
  std::vector<Module> modules;
  for (const auto& [key, value] : arrays.entries()) {
    // Texts and single numbers are attributes of the file.
    if (std::holds_alternative<std::string>(value) || std::holds_alternative<std::int64_t>(value) ||
        std::holds_alternative<double>(value))
      continue;
    const std::size_t dot = key.find_last_of("./");
    const std::string part = dot == std::string::npos ? key : key.substr(dot + 1);
    NTKROB_CHECK(dot != std::string::npos && (part == "weight" || part == "bias"), IoError, "array \"", key,
                 "\" is no parameter of a layer: names are <module>.weight and <module>.bias; fold batch "
                 "normalisation into the convolution before it");
    const std::string name = key.substr(0, dot);
    auto module = std::find_if(modules.begin(), modules.end(), [&](const Module& m) { return m.name == name; });
    if (module == modules.end()) module = modules.insert(modules.end(), Module{name, {}, {}});
    Parameter& parameter = part == "weight" ? module->weight : module->bias;
    parameter = Parameter{key, to_float(key, value)};
  }
  NTKROB_CHECK(!modules.empty(), IoError, "the file has no array named <module>.weight");
  for (const Module& module : modules)
    NTKROB_CHECK(!module.weight.key.empty(), IoError, "array \"", module.bias.key, "\" has no weight beside it");
  if (std::all_of(modules.begin(), modules.end(), [](const Module& m) { return is_number(m.name); }))
    std::stable_sort(modules.begin(), modules.end(),
                     [](const Module& a, const Module& b) { return std::stol(a.name) < std::stol(b.name); });
  return modules;
}

void check_shape(const Parameter& p, const std::vector<index>& shape, std::size_t layer, const char* type) {
  NTKROB_CHECK(p.array.shape == shape, IoError, "array \"", p.key, "\" has shape ", shape_text(p.array.shape),
               ", layer ", layer, " of the spec, a ", type, ", needs ", shape_text(shape),
               "; the arrays are taken in the order of their numbers, or of the file");
}

/// Columns of a weight from the order C H W to H W C.
void reorder(ImageShape in, NdArray<float>& weight) {
  const index positions = in.height * in.width, d = in.size();
  if (positions == 1 || in.channels == 1) return;
  std::vector<float> row(static_cast<std::size_t>(d));
  for (auto first = weight.values.begin(); first != weight.values.end(); first += d) {
    for (index p = 0; p < positions; ++p)
      for (index c = 0; c < in.channels; ++c)
        row[static_cast<std::size_t>(p * in.channels + c)] = first[c * positions + p];
    std::copy(row.begin(), row.end(), first);
  }
}

}  // namespace

StateDict import_torch(const StateDict& arrays, const std::string& spec, ImageShape input) {
  const std::vector<Module> modules = collect(arrays);
  const NdArray<float>& last = modules.back().weight.array;
  NTKROB_CHECK(!last.shape.empty() && last.shape[0] >= 1, IoError, "array \"", modules.back().weight.key,
               "\" has shape ", shape_text(last.shape), ", a weight has its outputs first");
  const index classes = last.shape[0];
  const nn::Stack<float> stack = nn::compile<float>(spec, input, classes);
  const auto layers = static_cast<std::size_t>(std::count_if(
      stack.begin(), stack.end(), [](const nn::Stage<float>& stage) { return stage.layer->has_parameters(); }));
  std::string names;
  for (const Module& module : modules) names += (names.empty() ? "" : ", ") + module.name;
  NTKROB_CHECK(layers == modules.size(), IoError, "the spec has ", layers, " layers with weights, the file has ",
               modules.size(), ": ", names);

  StateDict state;
  state.set("spec", spec);
  state.set("input_shape", NdArray<std::int64_t>{{3}, {input.height, input.width, input.channels}});
  state.set("classes", static_cast<std::int64_t>(classes));
  ImageShape from = input;  // what flatten and dense see of an image
  auto module = modules.begin();
  for (std::size_t l = 0; l < stack.size(); ++l) {
    const nn::Layer<float>& layer = *stack[l].layer;
    const std::string group = text("layers/", l, "/");
    state.set(group + "type", std::string(stack[l].type));
    if (layer.has_parameters()) {
      NdArray<float> weight = module->weight.array, bias = module->bias.array;
      check_shape(module->weight, layer.stored_weight().shape, l, stack[l].type);
      if (module->bias.key.empty())
        bias = {{layer.outputs}, std::vector<float>(static_cast<std::size_t>(layer.outputs), 0.0f)};
      else
        check_shape(module->bias, {layer.outputs}, l, stack[l].type);
      if (layer.stored_weight().shape.size() == 2) reorder(from, weight);
      state.set(group + "weight", std::move(weight));
      state.set(group + "bias", std::move(bias));
      ++module;
    }
    from = layer.out;
  }
  return state;
}

}  // namespace ntkrob
