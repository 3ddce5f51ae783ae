#include "attack/search.hpp"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <numeric>

#include "ntkrob/base/finite.hpp"

namespace ntkrob {

namespace {

void check_finite_gradient(index sample, const float* gradient, index d) {
  if (all_finite(gradient, d)) return;
  for (index j = 0; j < d; ++j)
    NTKROB_CHECK(std::isfinite(gradient[j]), NonFinite, "the input gradient of sample ", sample, ", component ", j,
                 " is ", gradient[j], ", must be finite");
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

Subset::Subset(const AttackBatch& whole, std::vector<index> rows_) : rows(std::move(rows_)) {
  const auto n = static_cast<index>(rows.size());
  x = Matrix<float>(n, whole.x.cols);
  targets = Matrix<float>(whole.targets.empty() ? 0 : n, whole.targets.cols);
  for (index k = 0; k < n; ++k) {
    const index i = rows[static_cast<std::size_t>(k)];
    std::copy(whole.x.row(i), whole.x.row(i) + whole.x.cols, x.row(k));
    if (!whole.targets.empty())
      std::copy(whole.targets.row(i), whole.targets.row(i) + whole.targets.cols, targets.row(k));
    labels.push_back(whole.labels[i]);
    samples.push_back(whole.sample(i));
  }
}

GradientPass::GradientPass(const Model& model, const AttackBatch& batch, const std::string& loss, double temperature)
    : GradientPass(model, batch.x.rows, {}, [&batch](index row) { return batch.sample(row); }) {
  NTKROB_CHECK(loss != "mse" || (batch.targets.rows == batch.x.rows && batch.targets.cols == model.classes()),
               ConfigError, "attack loss mse needs a target row per sample: targets are ", batch.targets.rows, " x ",
               batch.targets.cols, ", expected ", batch.x.rows, " x ", model.classes(),
               "; pass targets or take loss=ce or loss=margin");
  loss_ = [&batch, made = std::shared_ptr<const Loss>(make_loss(loss, temperature))](
              index first, ConstView2D<float> logits, double* values, View2D<float> cotangent) {
    const ConstView2D<float> targets =
        batch.targets.empty() ? batch.targets : batch.targets.middle_rows(first, logits.rows);
    made->evaluate_checked(logits, batch.labels + first, targets, values, cotangent);
  };
}

GradientPass::GradientPass(const Model& model, index rows, BlockLoss loss, std::function<index(index)> sample)
    : model_(model), loss_(std::move(loss)), sample_(std::move(sample)), values_(static_cast<std::size_t>(rows)) {}

CotangentFn GradientPass::cotangent() {
  return [this](index first, ConstView2D<float> block, View2D<float> out) {
    check_rows(block, [&](index row) { return sample_(first + row); });
    loss_(first, block, values_.data() + first, out);
  };
}

void GradientPass::run(ConstView2D<float> z, View2D<float> logits, View2D<float> gradient,
                       const std::function<void(index)>& row) {
  model_.logits_and_grad(z, cotangent(), logits, gradient);
  std::atomic<index> zeros{0};
  for_rows(model_, gradient.rows, [&](index i) {
    check_finite_gradient(sample_(i), gradient.row(i), gradient.cols);
    if (all_zero(gradient.row(i), gradient.cols)) zeros.fetch_add(1, std::memory_order_relaxed);
    row(i);
  });
  zero_gradients_ += zeros;
}

void GradientPass::run(Iterates& points, View2D<float> logits) { points.gradient(cotangent(), logits); }

void GradientPass::run_forward(Iterates& points, View2D<float> logits) {
  points.logits(logits);
  check_rows(ConstView2D<float>(logits), sample_);
}

void GradientPass::finish(const Iterates& points) {
  const std::vector<index> zeros = points.zero_gradients();
  for (std::size_t i = 0; i < zeros.size(); ++i)
    NTKROB_CHECK(zeros[i] >= 0, NonFinite, "the input gradient of sample ", sample_(static_cast<index>(i)),
                 " has a component that is not finite");
  zero_gradients_ += std::accumulate(zeros.begin(), zeros.end(), index{0});
}

BestIterate::BestIterate(const AttackBatch& batch, index classes, View2D<float> adversarial)
    : BestIterate(batch, classes, adversarial, AttackResult()) {}

BestIterate::BestIterate(const AttackBatch& batch, index classes, View2D<float> adversarial, AttackResult so_far)
    : batch_(batch), classes_(classes), adversarial_(adversarial), result_(std::move(so_far)) {
  const auto n = static_cast<std::size_t>(batch.x.rows);
  if (!result_.robust.empty()) {
    NTKROB_CHECK(result_.robust.size() == n && result_.margin.size() == n && result_.queries.size() == n, ShapeError,
                 "attack: the parts before are about ", result_.robust.size(), " samples, the batch has ", n);
    return;
  }
  result_.robust.assign(n, 1);
  result_.margin.assign(n, std::numeric_limits<float>::infinity());
  result_.queries.assign(n, 0);
}

void BestIterate::judge(index row, const float* z, const float* logits) {
  if (judge(row, logits)) std::copy_n(z, adversarial_.cols, adversarial_.row(row));
}

bool BestIterate::judge(index row, const float* logits) {
  const int y = batch_.labels[row];
  const float margin = logits[y] - logits[strongest_rival(logits, classes_, y)];
  // Not margin > 0: where two logits tie, the prediction is the lower index, as in predictions().
  const char robust = predicted_class(logits, classes_) == y;
  spend(row);
  return better(row, robust, margin);
}

void BestIterate::merge(index row, const BestIterate& other, index from) {
  merge(row, other.result_, from, other.adversarial_.row(from));
}

void BestIterate::merge(index row, const AttackResult& other, index from, const float* z) {
  const auto i = static_cast<std::size_t>(row), k = static_cast<std::size_t>(from);
  offer(row, z, other.robust[k], other.margin[k]);
  result_.queries[i] += other.queries[k];
}

bool BestIterate::better(index row, char robust, float margin) {
  const auto i = static_cast<std::size_t>(row);
  if (robust > result_.robust[i] || (robust == result_.robust[i] && !(margin < result_.margin[i]))) return false;
  result_.robust[i] = robust;
  result_.margin[i] = margin;
  return true;
}

void BestIterate::offer(index row, const float* z, char robust, float margin) {
  if (better(row, robust, margin)) std::copy_n(z, adversarial_.cols, adversarial_.row(row));
}

std::vector<index> BestIterate::robust_rows() const {
  std::vector<index> rows;
  for (index i = 0; i < batch_.x.rows; ++i)
    if (robust(i)) rows.push_back(i);
  return rows;
}

AttackResult BestIterate::take(index zero_gradients) {
  result_.zero_gradients = zero_gradients;
  return std::move(result_);
}

void ascend_points(Iterates& points, GradientPass& pass, const ThreatModel& threat, index steps, float step,
                   const std::vector<index>& rows, index classes, BestIterate& best, View2D<float> adversarial) {
  Matrix<float> logits(static_cast<index>(rows.size()), classes);
  std::vector<char> improved(rows.size(), 0);
  const auto judge = [&] {
    std::vector<index> chosen;
    for (std::size_t k = 0; k < rows.size(); ++k) {
      const auto point = static_cast<index>(k);
      if (!best.judge(rows[k], logits.row(point))) continue;
      chosen.push_back(point);
      improved[k] = 1;
    }
    points.keep(chosen);
  };
  for (index t = 0; t < steps; ++t) {
    pass.run(points, logits);
    judge();
    points.ascend(threat.ball(), step);
  }
  pass.run_forward(points, logits);
  judge();
  pass.finish(points);
  if (std::count(improved.begin(), improved.end(), 1) == 0) return;
  Matrix<float> kept(logits.rows(), adversarial.cols);
  points.read_kept(kept.view());
  for (std::size_t k = 0; k < rows.size(); ++k)
    if (improved[k] != 0) std::copy_n(kept.row(static_cast<index>(k)), adversarial.cols, adversarial.row(rows[k]));
}

void drop_broken(const BestIterate& best, index group, std::vector<index>& active, View2D<float> z) {
  const auto n = static_cast<index>(active.size());
  const auto track = [&](index k) -> index& { return active[static_cast<std::size_t>(k)]; };
  index kept = 0;
  for (index k = 0; k < n; k += group) {
    bool broken = false;
    for (index g = 0; g < group; ++g) broken = broken || !best.robust(track(k + g));
    if (broken) continue;
    for (index g = 0; g < group && kept != k; ++g) {
      track(kept + g) = track(k + g);
      std::copy_n(z.row(k + g), z.cols, z.row(kept + g));
    }
    kept += group;
  }
  active.resize(static_cast<std::size_t>(kept));
}

Matrix<float> judge_inputs(const Model& model, const AttackBatch& batch, BestIterate& best) {
  Matrix<float> logits(batch.x.rows, model.classes());
  checked_logits(model, batch.x, logits, [&](index row) { return batch.sample(row); });
  for_rows(model, batch.x.rows, [&](index i) { best.judge(i, batch.x.row(i), logits.row(i)); });
  return logits;
}

}  // namespace ntkrob
