/// Items of the grammar and layers: reading, printing, and the arguments of an item.
#pragma once

#include <string>
#include <vector>

#include "ntkrob/base/spec_arguments.hpp"
#include "ntkrob/kernel/spec.hpp"

namespace ntkrob::kernel {

using Arguments = SpecArguments;

/// A dense, or the dense of a conv: with weights of its own.
bool is_weighted(const SpecLayer& layer);
/// Names of the parameters of layers with weights, after `first`; and these parameters: kind, params and width.
std::vector<std::string> weight_names(std::vector<std::string> first = {});
void read_weights(const std::string& source, const Arguments& arguments, SpecLayer& layer);
/// Fan-ins of the standard parameterisation and shares of concatenations, from widths.   throws: ConfigError
void resolve_widths(const std::string& source, Network& network);

/// The pointwise layer of this kind with the parameters in `arguments`.
ChainLayer read_pointwise(int kind, const Arguments& arguments);
/// Names of the parameters of a kind of layers.def, after `first`.
std::vector<std::string> parameter_names(int kind, std::vector<std::string> first = {});

/// Layers of these items, as written: no rule about their order is checked.
Network read_network(const std::string& source, const std::vector<SpecItem>& items);

/// Name of the layer in the grammar.
std::string layer_name(const SpecLayer& layer);
/// The layers in the grammar, every parameter written out.
std::string print_network(const Network& network);

/// Whether the item names a preset (fc, cnn, ...).
bool is_preset(const std::string& name);
/// "fc:L, cnn:L, ..."
std::string preset_forms();
/// The layers of a preset; their positions are that of the item.
Network expand_preset(const std::string& source, const SpecItem& item);
/// One line of help per preset.
std::vector<std::string> preset_help();

}  // namespace ntkrob::kernel
