#include "ntkrob/nn/import.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>

#include "nn/stack.hpp"
#include "nn/torch_modules.hpp"
#include "ntkrob/base/spec_text.hpp"

namespace ntkrob {
namespace {

using nn::shape_text;
using nn::TorchArray;
using nn::TorchModule;
using nn::TorchModules;
using nn::TorchPlace;
using Modules = std::vector<TorchModule>;

constexpr const char* kMarker = "batchnorm";

/// A spec without its batchnorm items, and the eps of those, by the number of the layer with weights before them.
struct ImportSpec {
  std::string text;
  std::map<std::size_t, double> eps;
};

ImportSpec read_spec(const std::string& source) {
  ImportSpec result{source, {}};
  if (source.find(kMarker) == std::string::npos) return result;
  const std::vector<SpecItem> items = parse_spec(source);
  std::size_t weights = 0;
  std::string kept;
  for (std::size_t k = 0; k < items.size(); ++k) {
    const SpecItem& item = items[k];
    if (item.name == "conv" || item.name == "dense") ++weights;
    if (item.name == "mlp" || item.name == "cnn")
      spec_error(source, item.position, text(item.name, " has no batchnorm; write out its layers"));
    if (item.name == kMarker) {
      const bool behind = k > 0 && (items[k - 1].name == "conv" || items[k - 1].name == "dense");
      if (!behind)
        spec_error(source, item.position,
                   text("batchnorm is folded into the layer right before it, which must be a conv or a dense, not ",
                        k == 0 ? "the input; a net that begins with it can begin with normalise(mean=M,std=S)"
                               : items[k - 1].name + "; nets have no batch normalisation of their own"));
      if (!item.suffix.empty()) spec_error(source, item.position, "batchnorm takes no \":\"");
      result.eps[weights - 1] = SpecArguments(source, item, {"eps"}, 0).number("eps", 1e-5, 1e-12, 1);
      continue;
    }
    const std::size_t end = k + 1 < items.size() ? items[k + 1].position : source.size();
    std::string piece = source.substr(item.position, end - item.position);
    while (!piece.empty() &&
           (piece.back() == '-' || piece.back() == ' ' || piece.back() == '\t' || piece.back() == '\n'))
      piece.pop_back();
    kept += (kept.empty() ? "" : "-") + piece;
  }
  result.text = kept;
  return result;
}

/// What the spec needs, module by module, if the net has so many outputs; `types` names the layers in messages.
struct Places {
  std::vector<TorchPlace> places;
  std::vector<std::size_t> layers;  // of the stack, one per place
};
Places places_of(const nn::Stack<float>& stack, const ImportSpec& spec) {
  Places result;
  std::size_t weights = 0;
  for (std::size_t l = 0; l < stack.size(); ++l) {
    const nn::Layer<float>& layer = *stack[l].layer;
    if (!layer.has_parameters()) continue;
    result.places.push_back({false, layer.stored_weight().shape});
    result.layers.push_back(l);
    if (spec.eps.count(weights++) == 0) continue;
    result.places.push_back({true, {layer.outputs}});
    result.layers.push_back(l);
  }
  return result;
}

void check_counts(const Modules& modules, const Places& places) {
  const auto norms = std::count_if(modules.begin(), modules.end(), [](const TorchModule& m) { return m.normalises(); });
  const auto marked = std::count_if(places.places.begin(), places.places.end(),
                                    [](const TorchPlace& place) { return place.normalises; });
  if (norms > 0 && marked == 0) {
    const auto first =
        std::find_if(modules.begin(), modules.end(), [](const TorchModule& m) { return m.normalises(); });
    throw IoError(
        text("module \"", first->name,
             "\" is batch normalisation, for which the spec has no place: write "
             "batchnorm right behind the conv or dense before it, e.g. conv(8,5)-batchnorm-relu, and it is "
             "folded into that layer (eps 1e-5, else batchnorm(eps=1e-3)); behind a relu it cannot be folded"));
  }
  NTKROB_CHECK(norms == marked, IoError, "the spec has ", marked, " times batchnorm, the file has ", norms,
               " modules with running_mean: ", nn::names_text(modules));
  const auto layers = places.places.size() - static_cast<std::size_t>(marked);
  const auto given = modules.size() - static_cast<std::size_t>(norms);
  NTKROB_CHECK(layers == given, IoError, "the spec has ", layers, " layers with weights, the file has ", given, ": ",
               nn::names_text(modules));
}

/// The compiled spec for every number of outputs that a module could give it; the error of the last where none fits.
std::map<index, nn::Stack<float>> candidates(const Modules& modules, const ImportSpec& spec, ImageShape input) {
  std::set<index> outputs;
  for (const TorchModule& module : modules)
    if (!module.normalises()) outputs.insert(module.outputs());
  std::map<index, nn::Stack<float>> stacks;
  std::optional<ConfigError> refusal;
  for (const index classes : outputs) try {
      stacks.emplace(classes, nn::compile<float>(spec.text, input, classes));
    } catch (const ConfigError& error) {
      if (!refusal) refusal = error;
    }
  if (stacks.empty()) throw ConfigError(*refusal);
  return stacks;
}

[[noreturn]] void refuse_order(const Modules& modules, const char* why) {
  throw IoError(text("the arrays are in alphabetical order, which is not that of the layers, and ", why, ": ",
                     nn::names_text(modules), "; name them from first to last with ", field("order"),
                     ", or store them in a file that keeps the order: "
                     "numpy.savez(\"weights.npz\", **{k: v.numpy() for k, v in net.state_dict().items()}), or "
                     "h5py.File(\"weights.h5\", \"w\", track_order=True)"));
}

/// Brings modules whose order is not known into the only one that fits. returns: whether there is one
bool order_by_shapes(Modules& modules, const ImportSpec& spec, ImageShape input, std::string& note) {
  const auto stacks = candidates(modules, spec, input);
  check_counts(modules, places_of(stacks.begin()->second, spec));
  std::vector<std::vector<std::size_t>> orders;
  for (const auto& [classes, stack] : stacks)
    for (auto& order : nn::orders_that_fit(modules, places_of(stack, spec).places)) orders.push_back(std::move(order));
  if (orders.size() > 1) refuse_order(modules, "more than one order of the modules fits the spec");
  note = "the file keeps no order of its arrays; layers in the only order that fits names and shapes: ";
  if (orders.empty()) {
    note = "the file keeps no order of its arrays, and none fits the spec; compared in the order ";
  } else {
    Modules result;
    for (const std::size_t i : orders[0]) result.push_back(std::move(modules[i]));
    modules = std::move(result);
  }
  note += nn::names_text(modules);
  return !orders.empty();
}

void check_shape(const TorchArray& p, const std::vector<index>& shape, std::size_t layer, const char* type) {
  NTKROB_CHECK(p.array.shape == shape, IoError, "array \"", p.key, "\" has shape ", shape_text(p.array.shape),
               ", layer ", layer, " of the spec, a ", type, ", needs ", shape_text(shape));
}

void check_places(const Modules& modules, const Places& places, const nn::Stack<float>& stack,
                  const std::string& order) {
  for (std::size_t k = 0; k < modules.size(); ++k) try {
      const TorchModule& module = modules[k];
      const std::size_t layer = places.layers[k];
      const TorchPlace& place = places.places[k];
      NTKROB_CHECK(module.normalises() == place.normalises, IoError, "module \"", module.name, "\" is ",
                   module.normalises() ? "batch normalisation" : "a layer with weights", ", the spec has ",
                   place.normalises ? "batchnorm behind layer " : "layer ", layer, ", a ", stack[layer].type,
                   ", at its place");
      check_shape(place.normalises ? module.mean : module.weight, place.shape, layer, stack[layer].type);
      if (module.bias.given()) check_shape(module.bias, {module.outputs()}, layer, stack[layer].type);
    } catch (const IoError& error) {
      throw IoError(text(error.marked(), " (", order, "; ", field("order"), " names another)"));
    }
}

/// The layer and the batch normalisation behind it, as it acts after training, in one.
void fold(const TorchModule& norm, double eps, NdArray<float>& weight, NdArray<float>& bias) {
  const std::size_t outputs = bias.values.size(), fan_in = weight.values.size() / outputs;
  for (std::size_t o = 0; o < outputs; ++o) {
    const double gain = norm.weight.given() ? static_cast<double>(norm.weight.array.values[o]) : 1.0;
    const double shift = norm.bias.given() ? static_cast<double>(norm.bias.array.values[o]) : 0.0;
    const double scale = gain / std::sqrt(static_cast<double>(norm.variance.array.values[o]) + eps);
    for (std::size_t k = o * fan_in; k < (o + 1) * fan_in; ++k)
      weight.values[k] = static_cast<float>(scale * static_cast<double>(weight.values[k]));
    const double centred = static_cast<double>(bias.values[o]) - static_cast<double>(norm.mean.array.values[o]);
    bias.values[o] = static_cast<float>(centred * scale + shift);
    NTKROB_CHECK(std::isfinite(bias.values[o]) && std::isfinite(scale), IoError, "module \"", norm.name,
                 "\", folded into the layer before it, gives ", bias.values[o], " for output ", o);
  }
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

/// An output that is always 0 before the one there is.
void add_zero_output(NdArray<float>& weight, NdArray<float>& bias) {
  weight.values.insert(weight.values.begin(), weight.values.size(), 0.0f);
  weight.shape[0] = 2;
  bias = {{2}, {0.0f, bias.values[0]}};
}

}  // namespace

void TorchImport::validate() const {
  std::set<std::string> seen;
  for (const std::string& name : order) {
    NTKROB_CHECK(!name.empty(), ConfigError, field("order"), " holds an empty name; it is a list such as fc1,fc2,out");
    NTKROB_CHECK(seen.insert(name).second, ConfigError, field("order"), " names \"", given(name), "\" twice");
  }
}

TorchModel import_torch(const StateDict& arrays, const std::string& source, ImageShape input,
                        const TorchImport& options) {
  options.validate();
  TorchModel result;
  TorchModules found = nn::collect_modules(arrays);
  Modules& modules = found.modules;
  const ImportSpec spec = read_spec(source);
  std::string order;
  const bool certain = nn::order_modules(found, options.order, order) || order_by_shapes(modules, spec, input, order);
  if (found.counters > 0) result.notes.push_back(text("ignored ", found.counters, " num_batches_tracked, counters"));
  result.notes.push_back(order);

  const index outputs = modules.back().outputs();
  nn::Stack<float> stack = nn::compile<float>(spec.text, input, outputs);
  const Places places = places_of(stack, spec);
  check_counts(modules, places);
  check_places(modules, places, stack, order);
  if (!certain) refuse_order(modules, "an order in which numbers ascend does not fit the spec");
  NTKROB_CHECK(outputs > 1 || options.two_class, ConfigError,
               "the net has one output, as for a sigmoid that tells two classes apart, and a model has one output for "
               "each class; ",
               advice(field("two-class", "true"),
                      " makes the net with the outputs 0 and z, which decides alike: class 1 where z > 0"));
  NTKROB_CHECK(outputs == 1 || !options.two_class, ConfigError, field("two-class", "true"),
               " is for nets of one output, this one has ", given(outputs), ": module \"", modules.back().name, "\"");
  const index classes = std::max<index>(2, outputs);
  if (options.two_class) {
    stack = nn::compile<float>(spec.text, input, classes);
    result.notes.emplace_back("two-class twin of one output z: the outputs are 0 and z, class 1 is z > 0");
  }

  StateDict& state = result.state;
  state.set("spec", spec.text);
  state.set("input_shape", NdArray<std::int64_t>{{3}, {input.height, input.width, input.channels}});
  state.set("classes", static_cast<std::int64_t>(classes));
  ImageShape from = input;  // what flatten and dense see of an image
  auto module = modules.begin();
  std::size_t weights = 0;
  for (std::size_t l = 0; l < stack.size(); ++l) {
    const nn::Layer<float>& layer = *stack[l].layer;
    const std::string group = text("layers/", l, "/");
    state.set(group + "type", std::string(stack[l].type));
    if (layer.has_parameters()) {
      const TorchModule& own = *module++;
      NdArray<float> weight = own.weight.array, bias = own.bias.array;
      if (!own.bias.given())
        bias = {{own.outputs()}, std::vector<float>(static_cast<std::size_t>(own.outputs()), 0.0f)};
      if (const auto eps = spec.eps.find(weights++); eps != spec.eps.end()) {
        fold(*module, eps->second, weight, bias);
        result.notes.push_back(text("folded ", module->name, ", batch normalisation with eps ",
                                    format_number(eps->second), ", into ", own.name));
        ++module;
      }
      if (module == modules.end() && options.two_class) add_zero_output(weight, bias);
      if (layer.stored_weight().shape.size() == 2) reorder(from, weight);
      state.set(group + "weight", std::move(weight));
      state.set(group + "bias", std::move(bias));
    }
    from = layer.out;
  }
  return result;
}

StateDict import_torch(const StateDict& arrays, const std::string& spec, ImageShape input) {
  return import_torch(arrays, spec, input, {}).state;
}

}  // namespace ntkrob
