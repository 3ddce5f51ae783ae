/// From the text of a net to its layers in the grammar.
#pragma once

#include <optional>
#include <string>

#include "net/reading.hpp"

namespace ntkrob::net {

/// A text with its presets expanded.
struct Expansion {
  std::string layers;  // in the grammar; positions of messages are offsets in it
  Tongue tongue = Tongue::net;
  std::optional<double> w, b;  // for all layers, of a kernel's preset
  std::string kernel;          // the same as a kernel, where the text was one: a preset, or behind "kernel:"
};
/// throws: ConfigError with the position
Expansion expand(const std::string& text);

}  // namespace ntkrob::net
