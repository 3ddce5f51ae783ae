/// KernelSpec: the text form of an infinitely wide network, as a value.
///
///     fc:3                                          3 hidden layers: (dense-relu) x 3, then dense, w = sqrt(2), b =
///     0.1 fc:3(w=1.41421356,b=0)                        the same with other constants
///     dense(w=1.41421356,b=0.1)-relu-dense(w=1.41421356,b=0.1)
///
/// w is the standard deviation of the weights times sqrt(fan-in), b that of the biases (NTK parameterisation; Jacot
/// 2018, Lee 2019). The layer list of a preset is what to_string() prints.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ntkrob/backend/chain.hpp"

namespace ntkrob {

class KernelSpec {
 public:
  /// throws: ConfigError with the position in the text and what was expected there
  static KernelSpec parse(const std::string& text);

  /// The layers, from the input to the output.
  const Chain& layers() const { return layers_; }
  /// The text that was parsed ("fc:3").
  const std::string& source() const { return source_; }
  /// The full layer list in the grammar, every parameter written out; parse(to_string()) == *this.
  std::string to_string() const;
  /// FNV-1a of to_string(): the same on every machine.
  std::uint64_t hash() const;
  bool operator==(const KernelSpec& other) const { return to_string() == other.to_string(); }

 private:
  std::string source_;
  Chain layers_;
};

/// One line per layer and preset for --help: name, parameters with defaults, formula's source.
std::vector<std::string> kernel_spec_help();

}  // namespace ntkrob
