/// The presets of kernels, written in the grammar: kernels and nets expand the same ones.
#pragma once

#include <string>

#include "ntkrob/base/spec_text.hpp"
#include "ntkrob/base/view.hpp"

namespace ntkrob::net {

/// What a preset is made from: the number behind ":", and pool=gap.
struct PresetChoice {
  index n = 0;
  bool gap = false;
};

struct KernelPreset {
  const char* name;
  const char* form;
  const char* number;  // what n is; null: no number
  const char* example;
  index low, high;
  bool (*allowed)(index n);
  bool pools;   // takes pool=flatten|gap
  bool biased;  // b defaults to dense's default, else to 0
  std::string (*layers)(const PresetChoice& c);
  const char* help;
};

/// The layers n times, which end in "-".
std::string repeat(const std::string& layers, index n);
/// null where there is none
const KernelPreset* find_kernel_preset(const std::string& name);
/// The number behind ":".   throws: ConfigError with the position
index preset_number(const std::string& source, const SpecItem& item, const KernelPreset& preset);

constexpr int kKernelPresets = 5;
extern const KernelPreset kernel_presets[kKernelPresets];

}  // namespace ntkrob::net
