#include "ntkrob/nn/import.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "nn/stack.hpp"
#include "nn/torch_layout.hpp"
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

/// What the net needs, module by module, if it has so many outputs.
struct Places {
  std::vector<TorchPlace> places;
  std::vector<std::size_t> layers;  // of the stack, one per place
};
Places places_of(const nn::Stack<float>& stack) {
  Places result;
  for (std::size_t l = 0; l < stack.size(); ++l) {
    const net::Layer& what = stack[l].layer->what;
    if (!what.has_parameters()) continue;
    result.places.push_back({what.statistics, what.weight_shape});
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
             "\" is batch normalisation, for which the spec has no place: write batchnorm where it stands, e.g. "
             "conv(8,5)-batchnorm-relu (eps 1e-5, else batchnorm(eps=1e-3))"));
  }
  NTKROB_CHECK(norms == marked, IoError, "the spec has ", marked, " times batchnorm, the file has ", norms,
               " modules with running_mean: ", nn::names_text(modules));
  const auto scaling = [](const auto& all, const auto& is) { return std::count_if(all.begin(), all.end(), is); };
  const auto scales = scaling(modules, [](const TorchModule& m) { return m.scales(); });
  const auto wanted = scaling(places.places, [](const TorchPlace& p) { return !p.normalises && p.shape.size() == 1; });
  if (scales > wanted) {
    const auto first = std::find_if(modules.begin(), modules.end(), [](const TorchModule& m) { return m.scales(); });
    throw IoError(text("module \"", first->name,
                       "\" is layer, group or instance normalisation, for which the spec has ",
                       wanted == 0 ? "no place" : "too few places",
                       ": write layernorm, groupnorm(groups) or instancenorm where it stands, e.g. "
                       "conv(8,5)-groupnorm(4)-relu"));
  }
  const auto layers = places.places.size() - static_cast<std::size_t>(marked);
  const auto given = modules.size() - static_cast<std::size_t>(norms);
  NTKROB_CHECK(layers == given, IoError, "the spec has ", layers, " layers with weights, the file has ", given, ": ",
               nn::names_text(modules));
}

/// The compiled spec for every number of outputs that a module could give it; the error of the last where none fits.
std::map<index, nn::Stack<float>> candidates(const Modules& modules, const std::string& spec, ImageShape input) {
  std::set<index> outputs;
  for (const TorchModule& module : modules)
    if (!module.normalises()) outputs.insert(module.outputs());
  std::map<index, nn::Stack<float>> stacks;
  std::optional<ConfigError> refusal;
  for (const index classes : outputs) try {
      stacks.emplace(classes, nn::compile<float>(spec, input, classes));
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
bool order_by_shapes(Modules& modules, const std::string& spec, ImageShape input, std::string& note) {
  const auto stacks = candidates(modules, spec, input);
  check_counts(modules, places_of(stacks.begin()->second));
  std::vector<std::vector<std::size_t>> orders;
  for (const auto& [classes, stack] : stacks)
    for (auto& order : nn::orders_that_fit(modules, places_of(stack).places)) orders.push_back(std::move(order));
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
  NTKROB_CHECK(nn::same_shape(p.array.shape, shape), IoError, "array \"", p.key, "\" has shape ",
               shape_text(p.array.shape), ", layer ", layer, " of the spec, a ", type, ", needs ", shape_text(shape));
}

void check_places(const Modules& modules, const Places& places, const nn::Stack<float>& stack,
                  const std::string& order) {
  for (std::size_t k = 0; k < modules.size(); ++k) try {
      const TorchModule& module = modules[k];
      const std::size_t layer = places.layers[k];
      const TorchPlace& place = places.places[k];
      NTKROB_CHECK(module.normalises() == place.normalises, IoError, "module \"", module.name, "\" is ",
                   module.normalises() ? "batch normalisation" : "a layer with weights", ", the spec has ",
                   stack[layer].type(), " at its place, layer ", layer);
      check_shape(place.normalises ? module.mean : module.weight, place.shape, layer, stack[layer].type());
      if (module.bias.given()) check_shape(module.bias, {module.outputs()}, layer, stack[layer].type());
    } catch (const IoError& error) {
      throw IoError(text(error.marked(), " (", order, "; ", field("order"), " names another)"));
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
  const std::string& spec = source;
  TorchModel result;
  TorchModules found = nn::collect_modules(arrays);
  Modules& modules = found.modules;
  std::string order;
  const bool certain = nn::order_modules(found, options.order, order) || order_by_shapes(modules, spec, input, order);
  if (found.counters > 0) result.notes.push_back(text("ignored ", found.counters, " num_batches_tracked, counters"));
  result.notes.push_back(order);

  const index outputs = modules.back().outputs();
  nn::Stack<float> stack = nn::compile<float>(spec, input, outputs);
  const Places places = places_of(stack);
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
    stack = nn::compile<float>(spec, input, classes);
    result.notes.emplace_back("two-class twin of one output z: the outputs are 0 and z, class 1 is z > 0");
  }

  const std::vector<ImageShape> images = nn::flattened_images(net::describe(spec, input, classes));

  StateDict& state = result.state;
  state.set("spec", spec);
  state.set("input_shape", NdArray<std::int64_t>{{3}, {input.height, input.width, input.channels}});
  state.set("classes", static_cast<std::int64_t>(classes));
  auto module = modules.begin();
  for (std::size_t l = 0; l < stack.size(); ++l) {
    const net::Layer& what = stack[l].layer->what;
    const std::string group = text("layers/", l, "/");
    state.set(group + "type", std::string(stack[l].type()));
    if (!what.has_parameters()) continue;
    const TorchModule& own = *module++;
    NdArray<float> weight = own.weight.array, bias = own.bias.array;
    const auto filled = [&](float value) {
      return NdArray<float>{{own.outputs()}, std::vector<float>(static_cast<std::size_t>(own.outputs()), value)};
    };
    if (!own.weight.given()) weight = filled(1);  // a normalisation that learns no scale
    if (!own.bias.given()) bias = filled(0);
    if (module == modules.end() && options.two_class) add_zero_output(weight, bias);
    const auto own_order = [&](NdArray<float> array) {
      nn::reorder(what, images[l], nn::Order::ours, array);
      return array;
    };
    weight = own_order(std::move(weight));
    if (what.weight_shape.size() == 4) weight.shape = what.weight_shape;  // of signals
    state.set(group + "weight", std::move(weight));
    state.set(group + "bias", own_order(std::move(bias)));
    if (!what.statistics) continue;
    state.set(group + "running_mean", own_order(own.mean.array));
    state.set(group + "running_var", own_order(own.variance.array));
  }
  return result;
}

StateDict import_torch(const StateDict& arrays, const std::string& spec, ImageShape input) {
  return import_torch(arrays, spec, input, {}).state;
}

}  // namespace ntkrob
