/// Whole networks by name, written in the grammar itself (ntkrob/net/kernel_presets.hpp).
#include "kernel/spec_layers.hpp"
#include "layers/all.hpp"
#include "ntkrob/net/kernel_presets.hpp"

namespace ntkrob::kernel {
namespace {

/// Gives every dense and convolution these parameters, every layer this position.
void finish(Network& network, const ChainLayer& dense, std::size_t position) {
  for (SpecLayer& layer : network) {
    layer.position = position;
    if (is_weighted(layer)) layer.layer = dense;
    for (Network& branch : layer.branches) finish(branch, dense, position);
  }
}

}  // namespace

bool is_preset(const std::string& name) { return net::find_kernel_preset(name) != nullptr; }

std::string preset_forms() {
  std::string out;
  for (const net::KernelPreset& preset : net::kernel_presets) out += text(out.empty() ? "" : ", ", preset.form);
  return out;
}

Network expand_preset(const std::string& source, const SpecItem& item) {
  const net::KernelPreset& preset = *net::find_kernel_preset(item.name);
  net::PresetChoice choice;
  choice.n = net::preset_number(source, item, preset);
  std::vector<std::string> known = parameter_names(layers::k_dense);
  const std::size_t positional = known.size();
  if (preset.pools) known.emplace_back("pool");
  const Arguments arguments(source, item, known, positional);
  if (preset.pools) choice.gap = arguments.choice("pool", 0, {"flatten", "gap"}) == 1;
  ChainLayer dense = read_pointwise(layers::k_dense, arguments);
  if (!preset.biased && arguments.find("b") == nullptr)
    for (std::size_t k = 0; k < positional; ++k)
      if (known[k] == "b") dense.params[k] = 0;
  const std::string layers = preset.layers(choice);
  Network network = read_network(layers, parse_spec(layers));
  finish(network, dense, item.position);
  return network;
}

std::vector<std::string> preset_help() {
  std::vector<std::string> lines;
  for (const net::KernelPreset& preset : net::kernel_presets)
    lines.push_back(text(preset.form, " or ", preset.form, preset.pools ? "(pool=..,w=..,b=..)" : "(w=..,b=..)", "   ",
                         preset.help));
  return lines;
}

}  // namespace ntkrob::kernel
