/// Nets of PyTorch: from the arrays of a state_dict to a stored model.
#pragma once

#include <string>
#include <vector>

#include "ntkrob/base/state_dict.hpp"
#include "ntkrob/base/view.hpp"

namespace ntkrob {

/// What only the user knows about the arrays.
struct TorchImport {
  /// The modules from the first to the last; a prefix that all of them have may be left out. Empty: see import_torch.
  std::vector<std::string> order;
  /// Turns a net of one output z, a sigmoid, into the net of two outputs 0 and z, which decides alike (class 1: z > 0).
  bool two_class = false;

  /// throws: ConfigError for a module that is named twice or not at all
  void validate() const;
};

struct TorchModel {
  StateDict state;                 // as Net::state() gives it
  std::vector<std::string> notes;  // what was recognised or done, one clause each, to be shown to the user
};

/// The model of `spec` with the parameters in `arrays`, which are named <module>.weight [out,in], [out,in,kh,kw] or
/// [out,in,k] (signals) and <module>.bias [out] (a bias that is absent is 0; "/" stands for "." too;
/// num_batches_tracked is a counter and left out). The number of classes is that of the last module's outputs.
///
/// Batch normalisation (running_mean, running_var; a weight or bias that is absent is 1 or 0) and layer, group and
/// instance normalisation (weight and bias per channel) are layers of the spec, which says where they and the ReLUs
/// stand: "conv(8,5)-batchnorm-relu", with batchnorm(eps=1e-3) where eps is not 1e-5. Branches of a sum are in the
/// order of the text: of a residual block first the branch, then its shortcut.
///
/// Order of the modules, matched with the layers of the spec one by one:
///   as options.order says;
///   by number where the names are whole numbers (nn.Sequential), but for a prefix that all have;
///   as `arrays` lists them, unless that order is alphabetical, which tells nothing;
///   then the only order that fits the shapes in which numbers of like names ascend as numbers (fc2 before fc10), names
///   such as "out" come last and "input" first. Where several orders fit nothing is guessed.
///
/// A flattened image is in the order C H W there and H W C here: the dense that reads it, and what stands between them,
/// is reordered.
/// throws: IoError naming the array, the shape that was expected, and the remedy; ConfigError for a wrong spec or
/// order, or where no order of weights gives the same net
TorchModel import_torch(const StateDict& arrays, const std::string& spec, ImageShape input, const TorchImport& options);
/// The same without options and notes.
StateDict import_torch(const StateDict& arrays, const std::string& spec, ImageShape input);

}  // namespace ntkrob
