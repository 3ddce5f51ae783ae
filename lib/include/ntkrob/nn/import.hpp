/// Nets of PyTorch: from the arrays of a state_dict to a stored model.
#pragma once

#include <string>

#include "ntkrob/base/state_dict.hpp"
#include "ntkrob/base/view.hpp"

namespace ntkrob {

/// The model (as Net::state() gives it) of `spec` with the parameters in `arrays`, which are named <module>.weight
/// [out,in] or [out,in,kh,kw] and <module>.bias [out] (a bias that is absent is 0; "/" stands for "." too). The number
/// of classes is that of the last weight's outputs.
///   Modules are taken in the order of their numbers where all names are whole numbers (nn.Sequential), otherwise in
///   the order of `arrays`; the layers in the order of the spec. The first dense behind an image reads its inputs in
///   the order C H W there and H W C here; it is reordered. throws: IoError naming the array and the shape that was
///   expected; ConfigError for a wrong spec
StateDict import_torch(const StateDict& arrays, const std::string& spec, ImageShape input);

}  // namespace ntkrob
