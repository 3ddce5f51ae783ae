#include "ntkrob/kernel/spec.hpp"

#include <cmath>

#include "layers/all.hpp"
#include "ntkrob/base/spec_text.hpp"

namespace ntkrob {
namespace {

int find_kind(const std::string& name) {
  for (int kind = 0; kind < layers::kKinds; ++kind)
    if (name == layers::info(kind).name) return kind;
  return -1;
}

std::string layer_names() {
  std::string names;
  for (int kind = 0; kind < layers::kKinds; ++kind) names += text(kind == 0 ? "" : ", ", layers::info(kind).name);
  return names;
}

/// Parameters of one item, by key or position, defaults for the rest.
void read_parameters(const std::string& source, const SpecItem& item, const layers::Info& info, double* params) {
  for (int k = 0; k < info.n_parameters; ++k) params[k] = info.parameters[k].fallback;
  int position = 0;
  for (const SpecArgument& argument : item.arguments) {
    int k = position;
    if (!argument.key.empty()) {
      for (k = 0; k < info.n_parameters && argument.key != info.parameters[k].name;) ++k;
    } else {
      ++position;
    }
    if (k >= info.n_parameters) {
      std::string known;
      for (int i = 0; i < info.n_parameters; ++i) known += text(i == 0 ? "" : ", ", info.parameters[i].name);
      spec_error(source, argument.position,
                 text(item.name, " has no parameter \"", argument.key.empty() ? argument.value : argument.key,
                      "\"; it has ", known.empty() ? "none" : known));
    }
    const LayerParameter& p = info.parameters[k];
    double value = 0;
    try {
      value = parse_number(argument.value, text(item.name, " ", p.name));
    } catch (const ConfigError& error) {
      spec_error(source, argument.position, error.what());
    }
    if (!(value >= p.low && value <= p.high) && !(value == 0 && p.low == 0))
      spec_error(source, argument.position,
                 text(item.name, " ", p.name, " is ", value, ", must be in [", p.low, ", ", p.high, "]"));
    if (p.whole && value != std::floor(value))
      spec_error(source, argument.position, text(item.name, " ", p.name, " is ", value, ", must be a whole number"));
    params[k] = value;
  }
}

ChainLayer read_layer(const std::string& source, const SpecItem& item) {
  ChainLayer layer;
  layer.kind = find_kind(item.name);
  if (layer.kind < 0)
    spec_error(source, item.position,
               text("unknown layer \"", item.name, "\"; known: ", layer_names(), ", and the preset fc:L"));
  if (!item.suffix.empty()) spec_error(source, item.position, text(item.name, " takes no \":", item.suffix, "\""));
  read_parameters(source, item, layers::info(layer.kind), layer.params.data());
  return layer;
}

/// fc:L = (dense-relu) x L, then dense.
Chain fully_connected(const std::string& source, const SpecItem& item) {
  index depth = 0;
  try {
    depth = parse_integer(item.suffix, "fc: number of hidden layers", 0, 200);
  } catch (const ConfigError& error) {
    spec_error(source, item.position, text(error.what(), "; write fc:3 for three hidden layers"));
  }
  SpecItem dense = item;
  dense.name = layers::info(layers::k_dense).name;
  dense.suffix.clear();
  const ChainLayer layer = read_layer(source, dense);
  Chain chain;
  for (index l = 0; l < depth; ++l) {
    chain.push_back(layer);
    chain.push_back({layers::k_relu, {}});
  }
  chain.push_back(layer);
  return chain;
}

}  // namespace

KernelSpec KernelSpec::parse(const std::string& source) {
  KernelSpec spec;
  spec.source_ = source;
  const std::vector<SpecItem> items = parse_spec(source);
  bool gaussian = false;
  for (const SpecItem& item : items) {
    if (item.name == "fc") {
      if (items.size() != 1)
        spec_error(source, item.position, "fc:L is a whole network, it cannot be joined with layers");
      spec.layers_ = fully_connected(source, item);
      return spec;
    }
    const ChainLayer layer = read_layer(source, item);
    const Law law = layers::info(layer.kind).law;
    if (law == Law::needs_gaussian && !gaussian)
      spec_error(source, item.position, text(item.name, " must follow a dense layer"));
    gaussian = law == Law::makes_gaussian || (law == Law::keeps && gaussian);
    spec.layers_.push_back(layer);
  }
  if (spec.layers_.back().kind != layers::k_dense)
    spec_error(source, items.back().position,
               text(items.back().name, " cannot be the last layer: a readout dense must follow"));
  return spec;
}

std::string KernelSpec::to_string() const {
  std::string out;
  for (const ChainLayer& layer : layers_) {
    const layers::Info& info = layers::info(layer.kind);
    if (!out.empty()) out += "-";
    out += info.name;
    for (int k = 0; k < info.n_parameters; ++k)
      out += text(k == 0 ? "(" : ",", info.parameters[k].name, "=",
                  format_number(layer.params[static_cast<std::size_t>(k)]));
    if (info.n_parameters > 0) out += ")";
  }
  return out;
}

std::uint64_t KernelSpec::hash() const {
  std::uint64_t h = 14695981039346656037ull;
  for (const char c : to_string()) h = (h ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  return h;
}

std::vector<std::string> kernel_spec_help() {
  std::vector<std::string> lines;
  lines.push_back("fc:L or fc:L(w=..,b=..)   L hidden layers: (dense-relu) x L, then dense");
  for (int kind = 0; kind < layers::kKinds; ++kind) {
    const layers::Info& info = layers::info(kind);
    std::string line = info.name;
    for (int k = 0; k < info.n_parameters; ++k)
      line += text(k == 0 ? "(" : ",", info.parameters[k].name, "=", format_number(info.parameters[k].fallback));
    if (info.n_parameters > 0) line += ")";
    lines.push_back(text(line, "   ", info.description));
  }
  return lines;
}

}  // namespace ntkrob
