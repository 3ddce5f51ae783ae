#include "kernel/spec_layers.hpp"

#include <algorithm>

#include "layers/all.hpp"

namespace ntkrob::kernel {
namespace {

constexpr index kMaxWindow = 4096;
const std::vector<std::string> kPaddings{"same", "valid", "circular"}, kEdges{"window", "inside"},
    kAxes{"channel", "all"}, kParameterisations{"ntk", "standard"};
constexpr index kMaxWidth = 1000000000;

int find_kind(const std::string& name) {
  for (int kind = 0; kind < layers::kKinds; ++kind)
    if (name == layers::info(kind).name && kind != layers::k_standard) return kind;
  return -1;
}

/// Window and strides of a convolution or pool.
Window read_window(const std::string& source, const SpecItem& item, const Arguments& arguments, bool pool) {
  Window window;
  if (arguments.find("kh") == nullptr)
    spec_error(source, item.position, text(item.name, " needs its window: ", item.name, pool ? "(2)" : "(3)"));
  window.kh = arguments.integer("kh", 1, 1, kMaxWindow);
  window.kw = arguments.integer("kw", window.kh, 1, kMaxWindow);
  window.sh = window.sw = arguments.integer("stride", 1, 1, kMaxWindow);
  const bool one = arguments.find("stride") != nullptr;
  for (const char* name : {"sh", "sw"})
    if (one && arguments.find(name) != nullptr)
      spec_error(source, arguments.find(name)->position, text(item.name, " has both stride and ", name));
  if (!one) {
    window.sh = arguments.integer("sh", pool ? window.kh : 1, 1, kMaxWindow);
    window.sw = arguments.integer("sw", pool ? window.kw : 1, 1, kMaxWindow);
  }
  window.padding = static_cast<Padding>(
      arguments.choice("pad", static_cast<std::size_t>(pool ? Padding::valid : Padding::same), kPaddings));
  return window;
}

SpecLayer read_conv(const std::string& source, const SpecItem& item) {
  const Arguments arguments(source, item, weight_names({"kh", "kw", "stride", "sh", "sw", "pad", "dilation"}), 2);
  SpecLayer layer;
  layer.type = Operation::shift;
  layer.window = read_window(source, item, arguments, false);
  layer.window.dilation = arguments.integer("dilation", 1, 1, kMaxWindow);
  read_weights(source, arguments, layer);
  return layer;
}

SpecLayer read_dense(const std::string& source, const SpecItem& item) {
  const Arguments arguments(source, item, weight_names(), 2);
  SpecLayer layer;
  read_weights(source, arguments, layer);
  return layer;
}

SpecLayer read_pool(const std::string& source, const SpecItem& item, bool average) {
  std::vector<std::string> known{"kh", "kw", "stride", "sh", "sw", "pad"};
  if (average) known.push_back("edges");
  const Arguments arguments(source, item, std::move(known), 2);
  SpecLayer layer;
  layer.type = Operation::pool;
  layer.window = read_window(source, item, arguments, true);
  layer.divisor = Divisor::none;
  if (average) layer.divisor = arguments.choice("edges", 0, kEdges) == 0 ? Divisor::window : Divisor::inside;
  return layer;
}

SpecLayer read_layernorm(const std::string& source, const SpecItem& item) {
  std::vector<std::string> known = parameter_names(layers::k_layernorm);
  const std::size_t positional = known.size();
  known.emplace_back("axes");
  const Arguments arguments(source, item, std::move(known), positional);
  SpecLayer layer;
  layer.type = Operation::normalise;
  layer.all_positions = arguments.choice("axes", 0, kAxes) == 1;
  layer.eps = read_pointwise(layers::k_layernorm, arguments).params[0];
  return layer;
}

SpecLayer read_branches(const std::string& source, const SpecItem& item) {
  const bool residual = item.name == "residual";
  const std::string form =
      residual ? "residual takes one branch: residual(relu-conv(3))"
               : text(item.name, " takes two branches or more: ", item.name, "(relu-conv(3) | conv(1))");
  if (item.arguments.size() != 1 || !item.arguments[0].key.empty()) spec_error(source, item.position, form);
  SpecLayer layer;
  layer.type = item.name == "product" ? Operation::product : Operation::sum;
  for (const std::vector<SpecItem>& branch : parse_branches(source, item.arguments[0]))
    layer.branches.push_back(read_network(source, branch));
  if (residual != (layer.branches.size() == 1)) spec_error(source, item.position, form);
  if (residual) layer.branches.emplace_back();
  if (item.name == "concat") layer.shares.assign(layer.branches.size(), 0.0);
  // These operations have no order, the printed form has one.
  std::stable_partition(layer.branches.begin(), layer.branches.end(), [](const Network& b) { return !b.empty(); });
  return layer;
}

SpecLayer read_simple(const std::string& source, const SpecItem& item, Operation type) {
  Arguments(source, item, {}, 0);
  SpecLayer layer;
  layer.type = type;
  return layer;
}

/// A layer that is not in layers.def, or has more parameters than there.
struct Structural {
  const char* name;
  SpecLayer (*read)(const std::string& source, const SpecItem& item);
};

const Structural kStructural[] = {
    {"avgpool", [](const std::string& source, const SpecItem& item) { return read_pool(source, item, true); }},
    {"concat", read_branches},
    {"conv", read_conv},
    {"dense", read_dense},
    {"flatten",
     [](const std::string& source, const SpecItem& item) { return read_simple(source, item, Operation::flatten); }},
    {"gap", [](const std::string& source, const SpecItem& item) { return read_simple(source, item, Operation::mean); }},
    {"layernorm", read_layernorm},
    {"product", read_branches},
    {"residual", read_branches},
    {"sum", read_branches},
    {"sumpool", [](const std::string& source, const SpecItem& item) { return read_pool(source, item, false); }},
};

std::string layer_names() {
  std::string names;
  for (const std::string& name : kernel_layers()) names += text(names.empty() ? "" : ", ", name);
  return names;
}

SpecLayer read_layer(const std::string& source, const SpecItem& item) {
  if (is_preset(item.name))
    spec_error(source, item.position, text(item.name, " is a whole network, it cannot be joined with layers"));
  const auto structural = std::find_if(std::begin(kStructural), std::end(kStructural),
                                       [&](const Structural& row) { return item.name == row.name; });
  const int kind = find_kind(item.name);
  if (structural == std::end(kStructural) && kind < 0)
    spec_error(source, item.position,
               text("unknown layer \"", item.name, "\"; known: ", layer_names(), ", and the presets ", preset_forms()));
  if (!item.suffix.empty()) spec_error(source, item.position, text(item.name, " takes no \":", item.suffix, "\""));
  SpecLayer layer;
  if (structural != std::end(kStructural)) {
    layer = structural->read(source, item);
  } else {
    const std::vector<std::string> names = parameter_names(kind);
    layer.layer = read_pointwise(kind, Arguments(source, item, names, names.size()));
  }
  layer.position = item.position;
  return layer;
}

/// "w=1,b=0.1"
std::string print_parameters(const SpecLayer& layer) {
  const layers::Info& info = layers::info(layer.layer.kind);
  std::string out;
  for (int k = 0; k < info.n_parameters; ++k)
    out += text(k == 0 ? "" : ",", info.parameters[k].name, "=",
                format_number(layer.layer.params[static_cast<std::size_t>(k)]));
  if (layer.layer.kind == layers::k_standard) out += ",param=standard";
  if (layer.width > 0) out += text(",width=", layer.width);
  return out;
}

/// "3,stride=1,pad=same"
std::string print_window(const Window& w) {
  return text(w.kh, w.kw == w.kh ? "" : text(",", w.kw),
              w.sh == w.sw ? text(",stride=", w.sh) : text(",sh=", w.sh, ",sw=", w.sw),
              ",pad=", kPaddings[static_cast<std::size_t>(w.padding)]);
}

std::string print_layer(const SpecLayer& layer) {
  std::string arguments;
  switch (layer.type) {
    case Operation::pointwise:
      arguments = print_parameters(layer);
      break;
    case Operation::shift:
      arguments = text(print_window(layer.window), ",dilation=", layer.window.dilation, ",", print_parameters(layer));
      break;
    case Operation::pool:
      arguments = print_window(layer.window);
      if (layer.divisor != Divisor::none) arguments += ",edges=" + kEdges[layer.divisor == Divisor::window ? 0 : 1];
      break;
    case Operation::normalise:
      arguments = text("eps=", format_number(layer.eps), ",axes=", kAxes[layer.all_positions ? 1 : 0]);
      break;
    case Operation::sum:
    case Operation::product:
      arguments = print_network(layer.branches[0]);
      if (layer_name(layer) == "residual") break;
      for (std::size_t b = 1; b < layer.branches.size(); ++b) arguments += " | " + print_network(layer.branches[b]);
      break;
    case Operation::mean:
    case Operation::flatten:
      break;
  }
  return layer_name(layer) + (arguments.empty() ? "" : "(" + arguments + ")");
}

}  // namespace

std::vector<std::string> parameter_names(int kind, std::vector<std::string> first) {
  const layers::Info& info = layers::info(kind);
  for (int k = 0; k < info.n_parameters; ++k) first.emplace_back(info.parameters[k].name);
  return first;
}

ChainLayer read_pointwise(int kind, const Arguments& arguments) {
  const layers::Info& info = layers::info(kind);
  ChainLayer layer;
  layer.kind = kind;
  for (int k = 0; k < info.n_parameters; ++k) {
    const LayerParameter& p = info.parameters[k];
    layer.params[static_cast<std::size_t>(k)] = arguments.number(p.name, p.fallback, p.low, p.high, p.whole);
  }
  return layer;
}

bool is_weighted(const SpecLayer& layer) {
  if (layer.type != Operation::pointwise && layer.type != Operation::shift) return false;
  return layers::info(layer.layer.kind).law == Law::makes_gaussian;
}

std::vector<std::string> weight_names(std::vector<std::string> first) {
  first = parameter_names(layers::k_dense, std::move(first));
  for (const char* name : {"param", "width", "in"}) first.emplace_back(name);
  return first;
}

void read_weights(const std::string& source, const Arguments& arguments, SpecLayer& layer) {
  layer.layer = read_pointwise(layers::k_dense, arguments);
  layer.width = arguments.integer("width", 0, 1, kMaxWidth);
  const SpecArgument* in = arguments.find("in");
  if (arguments.choice("param", 0, kParameterisations) == 1) {
    layer.layer.kind = layers::k_standard;
    layer.layer.params[2] = static_cast<double>(arguments.integer("in", 0, 1, kMaxWidth));
  } else if (in != nullptr) {
    spec_error(source, in->position, "in=N belongs to param=standard");
  }
}

Network read_network(const std::string& source, const std::vector<SpecItem>& items) {
  Network network;
  for (const SpecItem& item : items) network.push_back(read_layer(source, item));
  return network;
}

std::string layer_name(const SpecLayer& layer) {
  switch (layer.type) {
    case Operation::pointwise:
      return layers::info(is_weighted(layer) ? layers::k_dense : layer.layer.kind).name;
    case Operation::shift:
      return "conv";
    case Operation::pool:
      return layer.divisor == Divisor::none ? "sumpool" : "avgpool";
    case Operation::mean:
      return "gap";
    case Operation::flatten:
      return "flatten";
    case Operation::normalise:
      return "layernorm";
    case Operation::product:
      return "product";
    case Operation::sum:
      if (!layer.shares.empty()) return "concat";
      return layer.branches.size() == 2 && layer.branches[1].empty() ? "residual" : "sum";
  }
  return "";
}

std::string print_network(const Network& network) {
  std::string out;
  for (const SpecLayer& layer : network) out += (out.empty() ? "" : "-") + print_layer(layer);
  return out;
}

}  // namespace ntkrob::kernel

std::vector<std::string> ntkrob::kernel_layers() {
  std::vector<std::string> names;
  for (int kind = 0; kind < layers::kKinds; ++kind)
    if (kind != layers::k_standard) names.emplace_back(layers::info(kind).name);
  for (const auto& structural : kernel::kStructural)
    if (kernel::find_kind(structural.name) < 0) names.emplace_back(structural.name);
  std::sort(names.begin(), names.end());
  return names;
}
