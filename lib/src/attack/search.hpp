/// What every gradient attack does around its own update rule: the fused pass with its checks, and the best iterate.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ntkrob/attack/attack.hpp"
#include "ntkrob/base/finite.hpp"
#include "ntkrob/model/iterates.hpp"
#include "ntkrob/model/loss.hpp"
#include "ntkrob/model/metrics.hpp"

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

/// Looks through logits that a model has handed out, once, for whoever takes them on: a model may hand out what is not
/// finite. Every pass of an attack goes through checked_logits or a GradientPass, and nobody looks again.
///   logits: n x C   sample(row): the number of the sample   throws: NonFinite naming the sample
template <class Sample>
void check_rows(ConstView2D<float> logits, const Sample& sample) {
  const index bad = first_row_not_finite(logits);
  if (bad >= 0) check_finite_logits(logits.middle_rows(bad, 1), sample(bad));
}
/// A forward pass, looked through.   z: n x D   out: n x C (overwritten)
template <class Sample>
void checked_logits(const Model& model, ConstView2D<float> z, View2D<float> out, const Sample& sample) {
  model.logits(z, out);
  check_rows(ConstView2D<float>(out), sample);
}

/// Rows of a batch, copied together; a row may stand in it several times. Keeps the sample numbers.
struct Subset {
  Subset(const AttackBatch& whole, std::vector<index> rows);
  /// Points into the subset: valid as long as it is neither moved nor changed.
  AttackBatch batch() const { return {x.view(), labels.data(), targets.view(), 0, samples.data()}; }

  std::vector<index> rows;  // of the whole batch
  Matrix<float> x, targets;
  std::vector<int> labels;
  std::vector<index> samples;
};

/// Calls search(rows) for pieces of `samples`, in which every row stands `group` times: the tracks of searches that go
/// on together. Pieces are small enough for the cache and large enough for products.
template <class Search>
void for_track_chunks(const std::vector<index>& samples, index group, const Search& search) {
  constexpr index kTracks = 512;
  const index chunk = std::max<index>(1, kTracks / group), n = static_cast<index>(samples.size());
  for (index begin = 0; begin < n; begin += chunk) {
    std::vector<index> rows;
    for (index i = begin; i < std::min(n, begin + chunk); ++i)
      rows.insert(rows.end(), static_cast<std::size_t>(group), samples[static_cast<std::size_t>(i)]);
    search(std::move(rows));
  }
}

/// Losses and cotangents of a block of logits that begins at this row of the pass.
///   logits, cotangent: n x C   loss: n   both overwritten
using BlockLoss = std::function<void(index first, ConstView2D<float> logits, double* loss, View2D<float> cotangent)>;

/// Logits and input gradient of an attack loss for one batch, both checked to be finite.
class GradientPass {
 public:
  /// The batch must outlive the object. throws: ConfigError (loss name; mse without targets)
  GradientPass(const Model& model, const AttackBatch& batch, const std::string& loss, double temperature);
  /// With a loss of the caller's. Passes may have any number of rows up to batch.x.rows; sample(row) names row `row` of
  /// a pass in error messages.
  GradientPass(const Model& model, index rows, BlockLoss loss, std::function<index(index)> sample);

  /// The pass, then row(i) for every row whose gradient has been found finite, while the row is in the cache; rows run
  /// on the workers of the model. row may change z_i.
  ///   z: N x D   logits: N x C (overwritten)   gradient: N x D (overwritten)
  ///   throws: NonFinite naming the sample
  void run(ConstView2D<float> z, View2D<float> logits, View2D<float> gradient, const std::function<void(index)>& row);
  /// The pass at points that the model keeps.   logits: N x C (overwritten)
  void run(Iterates& points, View2D<float> logits);
  /// Their logits alone, looked through.   logits: N x C (overwritten)   throws: NonFinite naming the sample
  void run_forward(Iterates& points, View2D<float> logits);
  /// Takes over what points have counted.   throws: NonFinite naming the sample
  void finish(const Iterates& points);
  /// The loss of a row in the last pass.
  double loss(index row) const { return values_[static_cast<std::size_t>(row)]; }
  /// Sample-passes so far whose gradient was exactly 0.
  index zero_gradients() const { return zero_gradients_; }

 private:
  CotangentFn cotangent();

  const Model& model_;
  BlockLoss loss_;
  std::function<index(index)> sample_;
  std::vector<double> values_;
  index zero_gradients_ = 0;
};

/// Keeps, per sample, the visited iterate that is worst for the model: a wrong prediction beats a right one, then the
/// larger margin loss wins, then the earlier iterate. Different rows may be served at once.
class BestIterate {
 public:
  /// adversarial: N x D, holds the best iterates from the first judge() on.
  BestIterate(const AttackBatch& batch, index classes, View2D<float> adversarial);
  /// Goes on from what take() has handed out, with adversarial as it was then; from nothing where so_far is empty.
  BestIterate(const AttackBatch& batch, index classes, View2D<float> adversarial, AttackResult so_far);

  /// Judges one iterate of the sample in this row of the batch, which cost one query.   z: D   logits: C, finite
  void judge(index row, const float* z, const float* logits);
  /// The same for an iterate that the caller keeps where this returns true: it is the best so far.
  bool judge(index row, const float* logits);
  /// One query for an iterate that may not be kept, being outside of the threat model.
  void spend(index row) { ++result_.queries[static_cast<std::size_t>(row)]; }
  /// Takes over what another search found for the same sample: its row `from`, and its queries.
  void merge(index row, const BestIterate& other, index from);
  void merge(index row, const AttackResult& other, index from, const float* z);
  bool robust(index row) const { return result_.robust[static_cast<std::size_t>(row)] != 0; }
  /// The rows that are still right.
  std::vector<index> robust_rows() const;
  AttackResult take(index zero_gradients);

 private:
  bool better(index row, char robust, float margin);
  void offer(index row, const float* z, char robust, float margin);

  const AttackBatch& batch_;
  index classes_;
  View2D<float> adversarial_;
  AttackResult result_;
};

/// Steps of one size at points that the model keeps, each judged, the last one by a forward pass of its own.
///   rows: of the batch of best, for each point   adversarial: that of best; its rows take what is better than before
///   throws: NonFinite naming the sample
void ascend_points(Iterates& points, GradientPass& pass, const ThreatModel& threat, index steps, float step,
                   const std::vector<index>& rows, index classes, BestIterate& best, View2D<float> adversarial);

/// Takes out the groups of active tracks of which one has found an adversarial point, and moves the rows of the others
/// together, in order. Groups are whole: their tracks start and stop together.
///   best: over tracks   active: the track of each row   z: active.size() rows or more
void drop_broken(const BestIterate& best, index group, std::vector<index>& active, View2D<float> z);

/// Judges the inputs as they are: the start of every search that spends nothing on samples that are wrong already.
/// returns: their logits, N x C
Matrix<float> judge_inputs(const Model& model, const AttackBatch& batch, BestIterate& best);

}  // namespace ntkrob
