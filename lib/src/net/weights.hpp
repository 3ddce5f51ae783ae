/// What dense and conv say about their weights, in nets and in kernels.
#pragma once

#include "net/reading.hpp"

namespace ntkrob::net {

/// Names after `first`.
std::vector<std::string> weight_parameters(std::vector<std::string> first);
/// w and b. param and in, of kernels, say nothing for a net: its layers know their inputs, and both parameterisations
/// are the same function at the start.
void read_scales(const SpecArguments& arguments, Layer& layer);
/// "w=1.4,b=0.1,width=16": those that are given.
std::string limit_weights(const SpecArguments& arguments, index width);

}  // namespace ntkrob::net
