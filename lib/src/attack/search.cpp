#include "attack/search.hpp"

#include <algorithm>
#include <cmath>

#include "ntkrob/base/finite.hpp"
#include "ntkrob/base/finite.hpp"
#include "ntkrob/model/metrics.hpp"

namespace ntkrob {

namespace {

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

void GradientPass::run(ConstView2D<float> z, View2D<float> logits, View2D<float> gradient) {
  const auto cotangent = [&](index first, ConstView2D<float> block, View2D<float> out) {
    check_finite(batch_, first, block);
    const ConstView2D<float> targets =
        batch_.targets.empty() ? batch_.targets : batch_.targets.middle_rows(first, block.rows);
    loss_->evaluate(block, batch_.labels + first, targets, values_.data() + first, out);
  };
  model_.logits_and_grad(z, cotangent, logits, gradient);
  for (index i = 0; i < gradient.rows; ++i) {
    for (index j = 0; j < gradient.cols && !all_finite(gradient.row(i), gradient.cols); ++j)
      NTKROB_CHECK(std::isfinite(gradient(i, j)), NonFinite, "the input gradient of sample ", batch_.sample(i),
                   ", component ", j, " is ", gradient(i, j), ", must be finite");
    zero_gradients_ += all_zero(gradient.row(i), gradient.cols);
  }
}

BestIterate::BestIterate(const AttackBatch& batch, View2D<float> adversarial)
    : batch_(batch), adversarial_(adversarial) {
  const auto n = static_cast<std::size_t>(batch.x.rows);
  result_.robust.assign(n, 1);
  result_.margin.assign(n, 0);
  result_.queries.assign(n, 0);
}

void BestIterate::judge(ConstView2D<float> z, ConstView2D<float> logits, const index* rows) {
  for (index k = 0; k < z.rows; ++k) {
    const index row = rows == nullptr ? k : rows[k];
    const auto i = static_cast<std::size_t>(row);
    const int y = batch_.labels[row];
    check_finite_logits(logits.middle_rows(k, 1), batch_.sample(row));
    const float margin = logits(k, y) - logits(k, strongest_rival(logits.row(k), logits.cols, y));
    // Not margin > 0: where two logits tie, the prediction is the lower index, as in predictions().
    const char robust = predicted_class(logits.row(k), logits.cols) == y;
    const bool first = result_.queries[i]++ == 0;
    if (!first && (robust > result_.robust[i] || (robust == result_.robust[i] && !(margin < result_.margin[i]))))
      continue;
    result_.robust[i] = robust;
    result_.margin[i] = margin;
    std::copy(z.row(k), z.row(k) + z.cols, adversarial_.row(row));
  }
}

AttackResult BestIterate::take(index zero_gradients) {
  result_.zero_gradients = zero_gradients;
  return std::move(result_);
}

}  // namespace ntkrob
