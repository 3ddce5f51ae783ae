#include "exchange/torch_modules.hpp"

#include <algorithm>
#include <cmath>

namespace ntkrob::exchange {
namespace {

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

bool one_of(const std::string& name, std::initializer_list<const char*> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// An array that is no parameter of a layer: what it is, as far as its name tells.
[[noreturn]] void refuse(const std::string& key, const std::string& part) {
  const std::string array = text("array \"", key, "\" is no parameter of a layer: ");
  if (one_of(part, {"mean", "std", "mu", "sigma"}))
    throw IoError(array +
                  "it looks like the normalisation of the input, which is a layer here; leave it out of the file and "
                  "begin the spec with normalise(mean=M,std=S)");
  if (one_of(part, {"weight_g", "weight_v", "weight_orig", "weight_u", "original0", "original1"}))
    throw IoError(array +
                  "it is part of a weight that PyTorch computes from several arrays; make it one before saving, with "
                  "torch.nn.utils.remove_weight_norm, remove_spectral_norm or parametrize.remove_parametrizations");
  if (key.find_first_of("./") == std::string::npos)
    throw IoError(array +
                  "names are <module>.weight and <module>.bias; store them with numpy.savez(\"weights.npz\", "
                  "**{k: v.numpy() for k, v in net.state_dict().items()})");
  throw IoError(array +
                "names are <module>.weight and <module>.bias; leave out of the file what is no weight of a "
                "convolution or a dense layer");
}

void check_module(const TorchModule& module) {
  if (!module.normalises()) {
    NTKROB_CHECK(module.weight.given(), IoError, "array \"", module.bias.key, "\" has no weight beside it");
    const auto& shape = module.weight.array.shape;
    NTKROB_CHECK(!shape.empty() && shape[0] >= 1, IoError, "array \"", module.weight.key, "\" has shape ",
                 shape_text(shape), ", a weight has its outputs first");
    return;
  }
  NTKROB_CHECK(module.mean.given() && module.variance.given(), IoError, "array \"",
               module.mean.given() ? module.mean.key : module.variance.key, "\" has no running_",
               module.mean.given() ? "var" : "mean", " beside it");
  const std::vector<index>& shape = module.mean.array.shape;
  NTKROB_CHECK(shape.size() == 1 && shape[0] >= 1, IoError, "array \"", module.mean.key, "\" has shape ",
               shape_text(shape), ", the statistics of batch normalisation have one number per channel");
  for (const TorchArray* part : {&module.variance, &module.weight, &module.bias})
    NTKROB_CHECK(!part->given() || part->array.shape == shape, IoError, "array \"", part->key, "\" has shape ",
                 shape_text(part->array.shape), ", \"", module.mean.key, "\" has ", shape_text(shape));
  for (const float v : module.variance.array.values)
    NTKROB_CHECK(v >= 0, IoError, "array \"", module.variance.key, "\" holds ", v, ", a variance is not negative");
}

}  // namespace

bool same_shape(const std::vector<index>& array, const TorchPlace& place) {
  if (array == place.shape) return true;
  const ImageShape& i = place.image;
  if (place.scales && i.height * i.width > 1 && array == std::vector<index>{i.channels, i.height, i.width}) return true;
  std::vector<index> longer = array;
  longer.push_back(1);
  return array.size() == 3 && longer == place.shape;
}

namespace {

/// The same order with "/" as the separator of groups, each of which lists its members by name.
std::string by_group(std::string key) {
  std::replace(key.begin(), key.end(), '/', '\1');
  return key;
}

}  // namespace

index TorchModule::outputs() const { return normalises() ? mean.array.shape[0] : weight.array.shape[0]; }

std::string shape_text(const std::vector<index>& shape) {
  std::string result = "[";
  for (const index extent : shape) result += (result.size() > 1 ? "," : "") + std::to_string(extent);
  return result + "]";
}

std::string names_text(const std::vector<TorchModule>& modules) {
  constexpr std::size_t kShown = 24, kEnd = 4;
  std::string names;
  for (std::size_t k = 0; k < modules.size(); ++k) {
    if (modules.size() > kShown && k >= kShown - kEnd && k + kEnd < modules.size()) {
      names += ", ...";
      k = modules.size() - kEnd;
    }
    names += (k == 0 ? "" : ", ") + modules[k].name;
  }
  return names;
}

TorchModules collect_modules(const StateDict& arrays) {
  TorchModules found;
  std::vector<std::string> keys, grouped, names;
  for (const auto& [key, value] : arrays.entries()) {
    const std::size_t dot = key.find_last_of("./");
    const std::string part = dot == std::string::npos ? key : key.substr(dot + 1);
    if (dot != std::string::npos && part == "num_batches_tracked") {
      ++found.counters;
      continue;
    }
    const bool named = dot != std::string::npos && one_of(part, {"weight", "bias", "running_mean", "running_var"});
    // Texts and single numbers are attributes of the file.
    if (std::holds_alternative<std::string>(value) || std::holds_alternative<std::int64_t>(value) ||
        std::holds_alternative<double>(value)) {
      NTKROB_CHECK(!named, IoError, "\"", key, "\" is a text or a single number, expected an array");
      continue;
    }
    if (!named) refuse(key, part);
    const std::string name = key.substr(0, dot);
    auto& modules = found.modules;
    auto module = std::find_if(modules.begin(), modules.end(), [&](const TorchModule& m) { return m.name == name; });
    if (module == modules.end()) {
      module = modules.insert(modules.end(), TorchModule{name, {}, {}, {}, {}});
      names.push_back(name);
    }
    TorchArray& array = part == "weight"         ? module->weight
                        : part == "bias"         ? module->bias
                        : part == "running_mean" ? module->mean
                                                 : module->variance;
    array = TorchArray{key, to_float(key, value)};
    keys.push_back(key);
    grouped.push_back(by_group(key));
  }
  NTKROB_CHECK(!found.modules.empty(), IoError, "the file has no array named <module>.weight");
  for (const TorchModule& module : found.modules) check_module(module);
  // PyTorch lists a weight before its bias: sorted keys were sorted by somebody else. Numbers out of their order show
  // the same where there are no biases, or where only the modules were sorted.
  const auto sorted = [](const std::vector<std::string>& v) { return std::is_sorted(v.begin(), v.end()); };
  found.alphabetical =
      sorted(keys) || sorted(grouped) || (sorted(names) && !std::is_sorted(names.begin(), names.end(), natural_less));
  return found;
}

}  // namespace ntkrob::exchange
