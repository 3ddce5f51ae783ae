#include "attack/search.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>

#include "ntkrob/base/finite.hpp"
#include "ntkrob/model/metrics.hpp"

namespace ntkrob {

namespace {

void check_finite_gradient(index sample, const float* gradient, index d) {
  if (all_finite(gradient, d)) return;
  for (index j = 0; j < d; ++j)
    NTKROB_CHECK(std::isfinite(gradient[j]), NonFinite, "the input gradient of sample ", sample, ", component ", j,
                 " is ", gradient[j], ", must be finite");
}

/// check_finite_logits, with the sample numbers of the batch.
void check_finite(const AttackBatch& batch, index first_row, ConstView2D<float> logits) {
  for (index i = 0; i < logits.rows; ++i) check_finite_logits(logits.middle_rows(i, 1), batch.sample(first_row + i));
}

}  // namespace

void check_attack_arguments(const Model& model, const AttackBatch& batch, const ThreatModel& threat,
                            ConstView2D<float> adversarial) {
  const index d = model.input_shape().size();
  NTKROB_CHECK(batch.x.cols == d, ShapeError, "attack: inputs have ", batch.x.cols, " numbers, the model takes ", d);
  NTKROB_CHECK(adversarial.rows == batch.x.rows && adversarial.cols == d, ShapeError, "attack: adversarial is ",
               adversarial.rows, " x ", adversarial.cols, ", expected ", batch.x.rows, " x ", d);
  NTKROB_CHECK(model.classes() >= 2, ConfigError, "attack: the model has ", model.classes(),
               " classes, must be 2 or more");
  threat.validate(d);
  NTKROB_CHECK(batch.labels != nullptr || batch.x.rows == 0, ConfigError, "attack: the batch has no labels");
  for (index i = 0; i < batch.x.rows; ++i)
    NTKROB_CHECK(batch.labels[i] >= 0 && batch.labels[i] < model.classes(), ConfigError, "attack: label of sample ",
                 batch.sample(i), " is ", batch.labels[i], ", must be in [0, ", model.classes(), ")");
}

GradientPass::GradientPass(const Model& model, const AttackBatch& batch, const std::string& loss, double temperature)
    : model_(model),
      batch_(batch),
      loss_(make_loss(loss, temperature)),
      values_(static_cast<std::size_t>(batch.x.rows)) {
  NTKROB_CHECK(loss != "mse" || (batch.targets.rows == batch.x.rows && batch.targets.cols == model.classes()),
               ConfigError, "attack loss mse needs a target row per sample: targets are ", batch.targets.rows, " x ",
               batch.targets.cols, ", expected ", batch.x.rows, " x ", model.classes(),
               "; pass targets or take loss=ce or loss=margin");
}

void GradientPass::run(ConstView2D<float> z, View2D<float> logits, View2D<float> gradient,
                       const std::function<void(index)>& row) {
  const auto cotangent = [&](index first, ConstView2D<float> block, View2D<float> out) {
    check_finite(batch_, first, block);
    const ConstView2D<float> targets =
        batch_.targets.empty() ? batch_.targets : batch_.targets.middle_rows(first, block.rows);
    loss_->evaluate(block, batch_.labels + first, targets, values_.data() + first, out);
  };
  model_.logits_and_grad(z, cotangent, logits, gradient);
  std::atomic<index> zeros{0};
  for_rows(model_, gradient.rows, [&](index i) {
    check_finite_gradient(batch_.sample(i), gradient.row(i), gradient.cols);
    if (all_zero(gradient.row(i), gradient.cols)) zeros.fetch_add(1, std::memory_order_relaxed);
    row(i);
  });
  zero_gradients_ += zeros;
}

BestIterate::BestIterate(const AttackBatch& batch, index classes, View2D<float> adversarial)
    : batch_(batch), classes_(classes), adversarial_(adversarial) {
  const auto n = static_cast<std::size_t>(batch.x.rows);
  result_.robust.assign(n, 1);
  result_.margin.assign(n, 0);
  result_.queries.assign(n, 0);
}

void BestIterate::judge(index row, const float* z, const float* logits) {
  const auto i = static_cast<std::size_t>(row);
  const int y = batch_.labels[row];
  check_finite_logits({logits, 1, classes_}, batch_.sample(row));
  const float margin = logits[y] - logits[strongest_rival(logits, classes_, y)];
  // Not margin > 0: where two logits tie, the prediction is the lower index, as in predictions().
  const char robust = predicted_class(logits, classes_) == y;
  const bool first = result_.queries[i]++ == 0;
  if (!first && (robust > result_.robust[i] || (robust == result_.robust[i] && !(margin < result_.margin[i])))) return;
  result_.robust[i] = robust;
  result_.margin[i] = margin;
  std::copy_n(z, adversarial_.cols, adversarial_.row(row));
}

AttackResult BestIterate::take(index zero_gradients) {
  result_.zero_gradients = zero_gradients;
  return std::move(result_);
}

}  // namespace ntkrob
