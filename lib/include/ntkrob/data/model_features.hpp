/// What a model stores of the table that its net was trained on: names and ranges of the features.
///
/// Whoever scales data by these numbers or names columns by these texts reads them here, where each is checked against
/// what it indexes.
#pragma once

#include <string>
#include <vector>

#include "ntkrob/base/state_dict.hpp"

namespace ntkrob {

struct ModelFeatures {
  std::vector<std::string> names;  // one for each channel, or none
  std::vector<float> low, high;    // the values of each channel that became 0 and 1, or none; low <= high, finite
};

/// model: a state of ntkrob.model; file: for messages
/// throws: IoError naming file and entry: other shapes than the net's channels, numbers that are not finite or in the
///         wrong order
ModelFeatures model_features(const StateDict& model, const std::string& file);

/// throws: IoError naming `where` unless every range is finite and its low end is not above its high end
///   low, high: equally many
void check_feature_ranges(const std::vector<float>& low, const std::vector<float>& high, const std::string& where);

}  // namespace ntkrob
