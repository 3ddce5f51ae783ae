/// Robust accuracy: a list of attacks on a model, sample by sample, in batches.
///
/// Every adversarial input is judged again by a forward pass of its own, whose verdict and margin are the ones
/// reported. Samples that are wrong on clean inputs count as not robust and are not attacked; every attack of the list
/// is run on all others, so the attacks can be compared and worst_case is their per-sample minimum. Random numbers are
/// keyed by the sample's number, so the report does not depend on batch_rows where the model's logits do not.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "ntkrob/attack/attack.hpp"

namespace ntkrob {

struct EvaluateOptions {
  std::vector<std::string> attacks;  // specs for make_attack, in order
  ThreatModel threat;
  std::uint64_t seed = 0;
  index batch_rows = 250;
  /// Called after each batch: attack name, samples done, samples in all (those right on clean inputs). May throw
  /// Interrupted.
  std::function<void(const std::string& attack, index done, index total)> progress;
};

struct AttackReport {
  std::string name;
  std::vector<std::pair<std::string, std::string>> constants;
  double accuracy = 0;  // fraction still right, in [0,1]
  double mean_margin = 0;
  index zero_gradients = 0;  // sample-steps with an input gradient of exactly 0: a sign of gradient masking
  index changed =
      0;  // verdicts that another pass over the adversarial inputs changed: ties, or an output that is random
  std::vector<AttackPart> parts;  // of a sequence such as autoattack; empty otherwise
  double seconds = 0;
  std::vector<char> robust;   // per sample
  std::vector<float> margin;  // per sample, at the best iterate; the clean margin where the sample was not attacked
  std::vector<int> queries;   // per sample: forward passes; 0 where the sample was not attacked
};

struct EvaluateReport {
  std::vector<int> predicted;  // on the clean inputs
  double clean = 0;
  double worst_case = 0;              // fraction right under every attack of the list
  double eps0 = 0;                    // accuracy under pgd-2 at eps = 0: equals clean, or evaluate() throws
  std::vector<AttackReport> attacks;  // in the order of the options
};

/// x: N x D in [low, high] of the threat model. targets: N x C or empty.
/// throws: ConfigError (no attack; threat model; labels out of range, inputs outside the box: index and value),
/// NonFinite
///         naming the sample, NumericalError when the eps = 0 self test disagrees with the clean predictions or when an
///         attack left ball or box
EvaluateReport evaluate(const Model& model, ConstView2D<float> x, const std::vector<int>& labels,
                        ConstView2D<float> targets, const EvaluateOptions& options);

}  // namespace ntkrob
