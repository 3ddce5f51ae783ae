/// What every gradient attack does around its own update rule: the fused pass with its checks, and the best iterate.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ntkrob/attack/attack.hpp"
#include "ntkrob/model/loss.hpp"

namespace ntkrob {

/// throws: ConfigError (threat model, label out of range, no labels); ShapeError naming the argument
void check_attack_arguments(const Model& model, const AttackBatch& batch, const ThreatModel& threat,
                            ConstView2D<float> adversarial);

/// Logits and input gradient of an attack loss for one batch, both checked to be finite.
class GradientPass {
 public:
  /// The batch must outlive the object. throws: ConfigError (loss name; mse without targets)
  GradientPass(const Model& model, const AttackBatch& batch, const std::string& loss, double temperature);

  /// z: N x D   logits: N x C (overwritten)   gradient: N x D (overwritten)
  /// throws: NonFinite naming the sample
  void run(ConstView2D<float> z, View2D<float> logits, View2D<float> gradient);
  /// Sample-passes so far whose gradient was exactly 0.
  index zero_gradients() const { return zero_gradients_; }

 private:
  const Model& model_;
  const AttackBatch& batch_;
  std::unique_ptr<Loss> loss_;
  std::vector<double> values_;
  index zero_gradients_ = 0;
};

/// Keeps, per sample, the visited iterate that is worst for the model: a wrong prediction beats a right one, then the
/// larger margin loss wins, then the earlier iterate.
class BestIterate {
 public:
  /// adversarial: N x D, holds the best iterates from the first judge() on.
  BestIterate(const AttackBatch& batch, View2D<float> adversarial);

  /// Judges iterate z_k by its logits for the sample in row rows[k] of the batch (row k where rows is null).
  void judge(ConstView2D<float> z, ConstView2D<float> logits, const index* rows = nullptr);
  bool robust(index row) const { return result_.robust[static_cast<std::size_t>(row)] != 0; }
  AttackResult take(index zero_gradients);

 private:
  const AttackBatch& batch_;
  View2D<float> adversarial_;
  AttackResult result_;
};

}  // namespace ntkrob
