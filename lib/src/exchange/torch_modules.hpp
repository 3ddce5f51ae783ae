/// The arrays of a PyTorch state_dict as modules, and the order of these: the parts of import_torch.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ntkrob/base/state_dict.hpp"

namespace ntkrob::exchange {

struct TorchArray {
  std::string key;  // empty: absent
  NdArray<float> array;
  bool given() const { return !key.empty(); }
};

/// What one PyTorch module holds: a layer's weight and bias, or those of batch normalisation with its statistics.
struct TorchModule {
  std::string name;
  TorchArray weight, bias, mean, variance;
  /// Batch normalisation: by running statistics.
  bool normalises() const { return mean.given() || variance.given(); }
  /// Layer, group or instance normalisation: a scale for every channel, or for every number.
  bool scales() const {
    return !normalises() && weight.given() && (weight.array.shape.size() == 1 || scales_numbers());
  }
  /// LayerNorm over several axes: as many shifts as scales.
  bool scales_numbers() const {
    return weight.array.shape.size() > 1 && bias.given() && bias.array.shape == weight.array.shape;
  }
  index outputs() const;
};

struct TorchModules {
  std::vector<TorchModule> modules;
  bool alphabetical = false;  // the arrays come in an order that writers make who keep none
  std::size_t counters = 0;   // num_batches_tracked
};

/// throws: IoError naming the array that belongs to no layer, and what to do about it
TorchModules collect_modules(const StateDict& arrays);

/// "[3,2,4,4]"
std::string shape_text(const std::vector<index>& shape);
/// Names with commas between, in the middle left out where they are many.
std::string names_text(const std::vector<TorchModule>& modules);

/// What stands at one place of the spec: the weight of a layer, or batch normalisation behind it.
struct TorchPlace {
  bool normalises = false;
  std::vector<index> shape;  // of the weight, or of the statistics
  std::size_t layer = 0;     // of the spec, and its name
  const char* type = "";
  bool scales = false;    // layer, group or instance normalisation
  ImageShape in = {};     // what it reads
  ImageShape image = {};  // whose numbers it reads where they are flattened
};
/// Whether an array is of the shape that a layer needs; the weight of a convolution over signals [out,in,k] is that of
/// windows [k,1], and scales of a flattened image may be [C,H,W].
bool same_shape(const std::vector<index>& array, const TorchPlace& place);
bool fits(const TorchModule& module, const TorchPlace& place);

/// Modules in the order of options, of their numbers, or of the file; the note says which. False where none is certain.
bool order_modules(TorchModules& found, const std::vector<std::string>& order, std::string& note);

/// The orders in which the modules fit the places, as far as names leave a choice; at most two are looked for.
/// returns: one order for each that was found, as numbers of modules
std::vector<std::vector<std::size_t>> orders_that_fit(const std::vector<TorchModule>& modules,
                                                      const std::vector<TorchPlace>& places);

/// "left over: aux [10,4]; nothing fits layer 3, dense [4,7]": what is not matched when as many modules as can be are
/// given to places that they fit, in their order or, where it is not known, in any. Empty where nothing is left.
std::string unmatched_text(const std::vector<TorchModule>& modules, const std::vector<TorchPlace>& places,
                           bool ordered);

/// Numbers in names ascend as numbers: fc2 before fc10.
bool natural_less(const std::string& a, const std::string& b);

}  // namespace ntkrob::exchange
