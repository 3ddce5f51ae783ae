/// Robust accuracy: a list of attacks on a model, sample by sample, in batches.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "ntkrob/attack/attack.hpp"

namespace ntkrob {

struct EvaluateOptions {
  std::vector<std::string> attacks;  // specs for make_attack, in order
  ThreatModel threat;
  std::uint64_t seed = 0;
  index batch_rows = 250;
  /// Called after each batch: attack name, samples done, samples in all. May throw Interrupted.
  std::function<void(const std::string& attack, index done, index total)> progress;
};

struct AttackReport {
  std::string name;
  std::vector<std::pair<std::string, std::string>> constants;
  double accuracy = 0;  // fraction still right, in [0,1]
  double mean_margin = 0;
  index zero_gradients = 0;
  double seconds = 0;
  std::vector<char> robust;      // per sample
  std::vector<float> margin;     // per sample
  std::vector<int> queries;      // per sample
};

struct EvaluateReport {
  std::vector<int> predicted;         // on the clean inputs
  double clean = 0;
  double worst_case = 0;              // fraction right under every attack of the list
  double eps0 = 0;                    // accuracy of the first gradient attack at eps = 0: must equal clean
  std::vector<AttackReport> attacks;  // in the order of the options
};

/// x: N x D in [low, high] of the threat model. targets: N x C or empty.
/// throws: ConfigError (labels out of range, inputs outside the box: index and value), NonFinite,
///         NumericalError when the eps = 0 self test disagrees with the clean accuracy
EvaluateReport evaluate(const Model& model, ConstView2D<float> x, const std::vector<int>& labels,
                        ConstView2D<float> targets, const EvaluateOptions& options);

}  // namespace ntkrob
