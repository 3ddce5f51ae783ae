#include "ntkrob/exchange/import.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "exchange/torch_layout.hpp"
#include "exchange/torch_modules.hpp"
#include "ntkrob/base/spec_text.hpp"

namespace ntkrob {
namespace {

using exchange::shape_text;
using exchange::TorchArray;
using exchange::TorchModule;
using exchange::TorchModules;
using exchange::TorchPlace;
using Modules = std::vector<TorchModule>;

/// What the net needs, module by module, if it has so many outputs.
using Places = std::vector<TorchPlace>;
Places places_of(const net::Description& description) {
  const std::vector<ImageShape> images = exchange::flattened_images(description);
  Places result;
  for (std::size_t l = 0; l < description.layers.size(); ++l) {
    const net::Layer& what = description.layers[l];
    if (!what.has_parameters()) continue;
    result.push_back({what.statistics, what.weight_shape, l, net::name(what.kind), what.scales() && !what.statistics,
                      what.in, images[l]});
  }
  return result;
}

/// LayerNorm over channels and positions, for which there is no layer.
[[noreturn]] void refuse_scales_of_numbers(const TorchModule& module) {
  const std::vector<index>& shape = module.weight.array.shape;
  throw IoError(text("array \"", module.weight.key, "\" has shape ", shape_text(shape), ": LayerNorm over ",
                     shape_text(shape),
                     " has a scale for every number, the normalisations of a spec have one for every "
                     "channel: train with nn.GroupNorm(1, ",
                     shape[0],
                     "), which is layernorm(axes=all) here, or, where "
                     "only dense layers follow, write flatten-layernorm"));
}

/// ordered: whether the modules are in the order of the layers
void check_counts(const Modules& modules, const Places& places, bool ordered) {
  const auto unmatched = [&] {
    const std::string list = exchange::unmatched_text(modules, places, ordered);
    return list.empty() ? list : "; " + list;
  };
  for (const TorchModule& module : modules)
    if (module.scales_numbers() && std::none_of(places.begin(), places.end(),
                                                [&](const TorchPlace& place) { return exchange::fits(module, place); }))
      refuse_scales_of_numbers(module);
  const auto norms = std::count_if(modules.begin(), modules.end(), [](const TorchModule& m) { return m.normalises(); });
  const auto marked =
      std::count_if(places.begin(), places.end(), [](const TorchPlace& place) { return place.normalises; });
  if (norms > 0 && marked == 0) {
    const auto first =
        std::find_if(modules.begin(), modules.end(), [](const TorchModule& m) { return m.normalises(); });
    throw IoError(
        text("module \"", first->name,
             "\" is batch normalisation, for which the spec has no place: write batchnorm where it stands, e.g. "
             "conv(8,5)-batchnorm-relu (eps 1e-5, else batchnorm(eps=1e-3))"));
  }
  NTKROB_CHECK(norms == marked, IoError, "the spec has ", marked, " times batchnorm, the file has ", norms,
               " modules with running_mean: ", exchange::names_text(modules), unmatched());
  const auto scaling = [](const auto& all, const auto& is) { return std::count_if(all.begin(), all.end(), is); };
  const auto scales = scaling(modules, [](const TorchModule& m) { return m.scales(); });
  const auto wanted = scaling(places, [](const TorchPlace& p) { return p.scales; });
  if (scales > wanted) {
    const auto first = std::find_if(modules.begin(), modules.end(), [](const TorchModule& m) { return m.scales(); });
    throw IoError(text("module \"", first->name,
                       "\" is layer, group or instance normalisation, for which the spec has ",
                       wanted == 0 ? "no place" : "too few places",
                       ": write layernorm, groupnorm(groups) or instancenorm where it stands, e.g. "
                       "conv(8,5)-groupnorm(4)-relu",
                       wanted == 0 ? std::string() : unmatched()));
  }
  const auto layers = places.size() - static_cast<std::size_t>(marked);
  const auto given = modules.size() - static_cast<std::size_t>(norms);
  NTKROB_CHECK(layers == given, IoError, "the spec has ", layers, " layers with weights, the file has ", given, ": ",
               exchange::names_text(modules), unmatched());
}

/// The places of the spec for every number of outputs that a module could give it.
///   refusal: the error of the first that is not possible
std::map<index, Places> candidates(const Modules& modules, const std::string& spec, ImageShape input,
                                   std::optional<ConfigError>& refusal) {
  std::set<index> outputs;
  for (const TorchModule& module : modules)
    if (!module.normalises()) outputs.insert(module.outputs());
  std::map<index, Places> result;
  for (const index classes : outputs) try {
      const net::Description description = net::describe(spec, input, classes);
      result.emplace(classes, places_of(description));
    } catch (const ConfigError& error) {
      if (!refusal) refusal = error;
    }
  return result;
}

/// throws: IoError naming the modules that are left over, where with them the spec has not the outputs of the last one
Places places_for(index outputs, const Modules& modules, const std::string& spec, ImageShape input) {
  try {
    const net::Description description = net::describe(spec, input, outputs);
    return places_of(description);
  } catch (const ConfigError&) {
    std::optional<ConfigError> refusal;
    const std::map<index, Places> others = candidates(modules, spec, input, refusal);
    if (!others.empty()) check_counts(modules, others.begin()->second, true);
    throw;
  }
}

/// What is not in the file and taken for 1 or 0.
void note_absent(const Modules& modules, std::vector<std::string>& notes) {
  Modules biases, scales;
  for (const TorchModule& m : modules) {
    if (!m.bias.given()) biases.push_back({m.name, {}, {}, {}, {}});
    if (!m.weight.given()) scales.push_back({m.name, {}, {}, {}, {}});
  }
  if (!biases.empty()) notes.push_back("no bias, taken for 0: " + exchange::names_text(biases));
  if (!scales.empty()) notes.push_back("no scale, taken for 1: " + exchange::names_text(scales));
}

[[noreturn]] void refuse_order(const Modules& modules, const char* why) {
  throw IoError(text("the arrays are in alphabetical order, which is not that of the layers, and ", why, ": ",
                     exchange::names_text(modules), "; name them from first to last with ", field("order"),
                     ", or store them in a file that keeps the order: "
                     "numpy.savez(\"weights.npz\", **{k: v.numpy() for k, v in net.state_dict().items()}), or "
                     "h5py.File(\"weights.h5\", \"w\", track_order=True)"));
}

/// Brings modules whose order is not known into the only one that fits. returns: whether there is one
bool order_by_shapes(Modules& modules, const std::string& spec, ImageShape input, std::string& note) {
  std::optional<ConfigError> refusal;
  const std::map<index, Places> possible = candidates(modules, spec, input, refusal);
  if (possible.empty()) throw ConfigError(*refusal);
  check_counts(modules, possible.begin()->second, false);
  std::vector<std::vector<std::size_t>> orders;
  for (const auto& [classes, places] : possible)
    for (auto& order : exchange::orders_that_fit(modules, places)) orders.push_back(std::move(order));
  if (orders.size() > 1) refuse_order(modules, "more than one order of the modules fits the spec");
  note = "the file keeps no order of its arrays; layers in the only order that fits names and shapes: ";
  if (orders.empty()) {
    note = "the file keeps no order of its arrays, and none fits the spec; compared in the order ";
  } else {
    Modules result;
    for (const std::size_t i : orders[0]) result.push_back(std::move(modules[i]));
    modules = std::move(result);
  }
  note += exchange::names_text(modules);
  return !orders.empty();
}

/// place: of the array's module   shape: that the array needs
void check_shape(const TorchArray& p, const TorchPlace& place, const std::vector<index>& shape) {
  TorchPlace needed = place;
  needed.shape = shape;
  NTKROB_CHECK(exchange::same_shape(p.array.shape, needed), IoError, "array \"", p.key, "\" has shape ",
               shape_text(p.array.shape), ", layer ", place.layer, " of the spec, a ", place.type, ", needs ",
               shape_text(shape));
}

void check_places(const Modules& modules, const Places& places, const std::string& order) {
  for (std::size_t k = 0; k < modules.size(); ++k) try {
      const TorchModule& module = modules[k];
      const TorchPlace& place = places[k];
      NTKROB_CHECK(module.normalises() == place.normalises, IoError, "module \"", module.name, "\" is ",
                   module.normalises() ? "batch normalisation" : "a layer with weights", ", the spec has ", place.type,
                   " at its place, layer ", place.layer);
      const std::vector<index> numbers{place.in.channels, place.in.height, place.in.width};
      if (place.scales && !exchange::fits(module, place) &&
          (module.scales_numbers() || module.weight.array.shape == numbers))
        refuse_scales_of_numbers(module);
      check_shape(place.normalises ? module.mean : module.weight, place, place.shape);
      if (module.bias.given())
        check_shape(module.bias, place, place.scales ? place.shape : std::vector<index>{module.outputs()});
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
  TorchModules found = exchange::collect_modules(arrays);
  Modules& modules = found.modules;
  std::string order;
  const bool certain =
      exchange::order_modules(found, options.order, order) || order_by_shapes(modules, spec, input, order);
  if (found.counters > 0) result.notes.push_back(text("ignored ", found.counters, " num_batches_tracked, counters"));
  note_absent(modules, result.notes);
  result.notes.push_back(order);

  const index outputs = modules.back().outputs();
  const Places places = places_for(outputs, modules, spec, input);
  check_counts(modules, places, true);
  check_places(modules, places, order);
  if (!certain) refuse_order(modules, "an order in which numbers ascend does not fit the spec");
  NTKROB_CHECK(outputs > 1 || options.two_class, ConfigError,
               "the net has one output, as for a sigmoid that tells two classes apart, and a model has one output for "
               "each class; ",
               advice(field("two-class", "true"),
                      " makes the net with the outputs 0 and z, which decides alike: class 1 where z > 0"));
  NTKROB_CHECK(outputs == 1 || !options.two_class, ConfigError, field("two-class", "true"),
               " is for nets of one output, this one has ", given(outputs), ": module \"", modules.back().name, "\"");
  const index classes = std::max<index>(2, outputs);
  if (options.two_class)
    result.notes.emplace_back("two-class twin of one output z: the outputs are 0 and z, class 1 is z > 0");
  const net::Description description = net::describe(spec, input, classes);
  const std::vector<ImageShape> images = exchange::flattened_images(description);

  StateDict& state = result.state;
  state.set("spec", spec);
  state.set("input_shape", NdArray<std::int64_t>{{3}, {input.height, input.width, input.channels}});
  state.set("classes", static_cast<std::int64_t>(classes));
  auto module = modules.begin();
  for (std::size_t l = 0; l < description.layers.size(); ++l) {
    const net::Layer& what = description.layers[l];
    const std::string group = text("layers/", l, "/");
    state.set(group + "type", std::string(net::name(what.kind)));
    if (!what.has_parameters()) continue;
    const TorchModule& own = *module++;
    NdArray<float> weight = own.weight.array, bias = own.bias.array;
    const auto filled = [&](float value) {
      const index n = what.scales() ? what.outputs : own.outputs();
      return NdArray<float>{{n}, std::vector<float>(static_cast<std::size_t>(n), value)};
    };
    if (!own.weight.given()) weight = filled(1);  // a normalisation that learns no scale
    if (!own.bias.given()) bias = filled(0);
    if (module == modules.end() && options.two_class) add_zero_output(weight, bias);
    const auto add = [&](const char* name, NdArray<float> array, const std::vector<index>& shape) {
      exchange::reorder(what, images[l], exchange::Order::ours, array);
      array.shape = shape;  // windows of signals and scales of flattened images may have had another
      state.set(group + name, std::move(array));
    };
    add("weight", std::move(weight), what.weight_shape);
    add("bias", std::move(bias), {what.outputs});
    if (!what.statistics) continue;
    add("running_mean", own.mean.array, {what.outputs});
    add("running_var", own.variance.array, {what.outputs});
  }
  return result;
}

StateDict import_torch(const StateDict& arrays, const std::string& spec, ImageShape input) {
  return import_torch(arrays, spec, input, {}).state;
}

}  // namespace ntkrob
