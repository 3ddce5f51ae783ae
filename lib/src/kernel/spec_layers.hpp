/// Items of the grammar and layers: reading, printing, and the arguments of an item.
#pragma once

#include <string>
#include <vector>

#include "ntkrob/base/spec_text.hpp"
#include "ntkrob/kernel/spec.hpp"

namespace ntkrob::kernel {

/// The arguments of one item by name. throws: ConfigError at the argument, for every member.
class Arguments {
 public:
  /// known: all parameters; the first n_positional may be given without their names, in this order.
  Arguments(const std::string& source, const SpecItem& item, std::vector<std::string> known, std::size_t n_positional);

  /// null where it is not given
  const SpecArgument* find(const std::string& name) const;
  index integer(const std::string& name, index fallback, index low, index high) const;
  /// In [low, high], or 0 where low is 0 exactly.
  double number(const std::string& name, double fallback, double low, double high, bool whole = false) const;
  /// The number of the chosen value.
  std::size_t choice(const std::string& name, std::size_t fallback, const std::vector<std::string>& values) const;

 private:
  const std::string& source_;
  const SpecItem& item_;
  std::vector<std::string> names_;  // of item_.arguments
};

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
