/// From the text of a net to the widths of its dense layers.
#pragma once

#include <string>
#include <vector>

#include "ntkrob/base/view.hpp"

namespace ntkrob::nn {

/// Outputs of every dense layer; the last is `classes`.
/// throws: ConfigError with the position of what is wrong
std::vector<index> parse_net_spec(const std::string& spec, index classes);

}  // namespace ntkrob::nn
