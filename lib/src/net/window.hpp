/// Windows of convolutions and pools in the grammar.
#pragma once

#include <string>
#include <vector>

#include "ntkrob/base/spec_arguments.hpp"
#include "ntkrob/net/description.hpp"

namespace ntkrob::net {

/// Parameter names of a window, for SpecArguments.
std::vector<std::string> window_parameters(std::vector<std::string> first);

/// The window of a layer on images of shape `in`. pad: valid (none), same (as many positions as input pixels / stride,
/// rounded up; the smaller half of the padding in front, as in the common frameworks), or a number for every side.
/// Items that end in "1d" have a window along the steps of a signal, T x 1 x C.
///   stride_default: 0 means kh
///   throws: ConfigError with the position, also where no window fits
Window read_window(const SpecArguments& arguments, ImageShape in, index stride_default, const char* pad_default);

/// The same in the grammar of kernels: "3,stride=1,pad=same".   throws: ConfigError where a kernel has none
std::string window_limit(const SpecArguments& arguments, index stride_default, const char* pad_default);

}  // namespace ntkrob::net
