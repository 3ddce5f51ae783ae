/// An evaluation as a StateDict, so that an interrupted one can go on: after kill -9 at the last part of a
/// sequence, batch or masking check that was saved.
#pragma once

#include "ntkrob/attack/evaluate.hpp"
#include "ntkrob/base/state_dict.hpp"

namespace ntkrob {

/// What EvaluateOptions::checkpoint is called with.
StateDict evaluation_state(const EvaluateOptions& options, const EvaluateProgress& so_far);
/// For EvaluateOptions::resume; constants of attacks and accuracies are not in it, evaluate() finds them again.
///   throws: ConfigError where the state was made with other options, naming the option and both values; IoError where
///   an entry is missing or has a wrong size
EvaluateProgress restore_evaluation(const StateDict& state, const EvaluateOptions& options);

}  // namespace ntkrob
