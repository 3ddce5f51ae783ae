/// What every gradient attack does around its own update rule: the fused pass with its checks, and the best iterate.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ntkrob/attack/attack.hpp"
#include "ntkrob/model/loss.hpp"

namespace ntkrob {

/// throws: ConfigError (threat model, label out of range, no labels); ShapeError naming the argument
void check_attack_arguments(const Model& model, const AttackBatch& batch, const ThreatModel& threat,
                            ConstView2D<float> adversarial);

/// Calls row(i) for i in [0, n) on the workers of the model. Tasks are chunks of rows, whose size depends on nothing.
/// throws: what the lowest failing row threw
template <class Row>
void for_rows(const Model& model, index n, const Row& row) {
  constexpr index kChunk = 32;  // some 10 us of work for images of 784 pixels: several times the cost of a task
  const auto chunk = [&](index k) {
    for (index i = k * kChunk; i < std::min(n, (k + 1) * kChunk); ++i) row(i);
  };
  model.for_each((n + kChunk - 1) / kChunk, std::ref(chunk));
}

/// Logits and input gradient of an attack loss for one batch, both checked to be finite.
class GradientPass {
 public:
  /// The batch must outlive the object. throws: ConfigError (loss name; mse without targets)
  GradientPass(const Model& model, const AttackBatch& batch, const std::string& loss, double temperature);

  /// The pass, then row(i) for every row whose gradient has been found finite, while the row is in the cache; rows run
  /// on the workers of the model. row may change z_i.
  ///   z: N x D   logits: N x C (overwritten)   gradient: N x D (overwritten)
  ///   throws: NonFinite naming the sample
  void run(ConstView2D<float> z, View2D<float> logits, View2D<float> gradient, const std::function<void(index)>& row);
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
  BestIterate(const AttackBatch& batch, index classes, View2D<float> adversarial);

  /// Judges one iterate of the sample in this row of the batch; different rows may be judged at once.   z: D
  /// logits: C
  void judge(index row, const float* z, const float* logits);
  bool robust(index row) const { return result_.robust[static_cast<std::size_t>(row)] != 0; }
  AttackResult take(index zero_gradients);

 private:
  const AttackBatch& batch_;
  index classes_;
  View2D<float> adversarial_;
  AttackResult result_;
};

}  // namespace ntkrob
