/// Masking checks as entries of a StateDict, beside those of an evaluation, so that interrupted ones can go on.
#pragma once

#include "ntkrob/attack/masking.hpp"
#include "ntkrob/base/state_dict.hpp"

namespace ntkrob {

/// Adds what MaskingOptions::checkpoint is called with, under "masking/".
void save_masking(const MaskingOptions& options, const MaskingProgress& so_far, StateDict& state);
bool has_masking(const StateDict& state);
/// For MaskingOptions::resume.
///   throws: ConfigError where the state was made with other options, naming the option and both values; IoError where
///   an entry is missing or has a wrong size
MaskingProgress restore_masking(const StateDict& state, const MaskingOptions& options);

}  // namespace ntkrob
