#include "ntkrob/attack/evaluate.hpp"

#include <algorithm>
#include <chrono>

#include "attack/search.hpp"
#include "ntkrob/model/metrics.hpp"

namespace ntkrob {

namespace {

/// The arguments of evaluate(), once checked.
struct Task {
  const Model& model;
  ConstView2D<float> x;
  const std::vector<int>& labels;
  ConstView2D<float> targets;
  const EvaluateOptions& options;

  index rows() const { return x.rows; }
  double fraction(index count) const { return static_cast<double>(count) / static_cast<double>(x.rows); }
};

void check(const Task& task) {
  const ThreatModel& threat = task.options.threat;
  NTKROB_CHECK(task.rows() > 0, ConfigError, "evaluate: there are 0 samples, must be 1 or more");
  NTKROB_CHECK(!task.options.attacks.empty(), ConfigError,
               "evaluate: the list of attacks is empty; name at least one, e.g. clean");
  NTKROB_CHECK(task.options.batch_rows >= 1, ConfigError, "evaluate: batch_rows is ", task.options.batch_rows,
               ", must be 1 or more");
  NTKROB_CHECK(task.x.cols == task.model.input_shape().size(), ShapeError, "evaluate: inputs have ", task.x.cols,
               " numbers, the model takes ", task.model.input_shape().size());
  threat.validate(task.x.cols);
  check_labels(task.labels, task.rows(), task.model.classes());
  NTKROB_CHECK(task.targets.empty() || (task.targets.rows == task.rows() && task.targets.cols == task.model.classes()),
               ShapeError, "evaluate: targets are ", task.targets.rows, " x ", task.targets.cols, ", expected ",
               task.rows(), " x ", task.model.classes(), " or none");
  for (index i = 0; i < task.rows(); ++i)
    for (index j = 0; j < task.x.cols; ++j)
      NTKROB_CHECK(task.x(i, j) >= threat.low && task.x(i, j) <= threat.high, ConfigError, "input ", i, ", component ",
                   j, " is ", task.x(i, j), ", must be in [", threat.low, ", ", threat.high,
                   "]; scale pixels to this range and keep normalisation inside the model");
}

/// Predictions and margins on the inputs as they are.
void run_clean(const Task& task, EvaluateReport& report, std::vector<float>& margin) {
  const Matrix<float> logits = all_logits(task.model, task.x, task.options.batch_rows);
  report.predicted = predictions(logits.view());
  margin = margins(logits.view(), task.labels);
  index right = 0;
  for (index i = 0; i < task.rows(); ++i)
    right += report.predicted[static_cast<std::size_t>(i)] == task.labels[static_cast<std::size_t>(i)];
  report.clean = task.fraction(right);
}

/// A 2-step PGD with eps = 0 goes through the whole attack path without moving: its verdicts must be the clean ones.
double self_test(const Task& task, const std::vector<int>& predicted) {
  const std::unique_ptr<Attack> attack = make_attack("pgd-2");
  ThreatModel still = task.options.threat;
  still.eps = 0;
  index right = 0, first_difference = -1;
  for (index begin = 0; begin < task.rows(); begin += task.options.batch_rows) {
    const index n = std::min(task.options.batch_rows, task.rows() - begin);
    const AttackBatch batch{task.x.middle_rows(begin, n), task.labels.data() + begin, {}, begin};
    Matrix<float> adversarial(n, task.x.cols);
    const AttackResult result = attack->perturb(task.model, batch, still, task.options.seed, adversarial);
    for (index i = 0; i < n; ++i) {
      const auto sample = static_cast<std::size_t>(begin + i);
      const bool robust = result.robust[static_cast<std::size_t>(i)] != 0;
      right += robust;
      if (first_difference < 0 && robust != (predicted[sample] == task.labels[sample])) first_difference = begin + i;
    }
  }
  const double accuracy = task.fraction(right);
  NTKROB_CHECK(first_difference < 0, NumericalError, "eps = 0 self test failed: accuracy under attack is ", accuracy,
               ", first different verdict at sample ", first_difference,
               "; the model's logits_and_grad disagrees with its logits, or it is not deterministic");
  return accuracy;
}

void check_membership(const Model& model, const ThreatModel& threat, const AttackBatch& batch, const std::string& name,
                      ConstView2D<float> adversarial) {
  for_rows(model, batch.x.rows, [&](index i) {
    const float* z = adversarial.row(i);
    NTKROB_CHECK(threat.contains(batch.x.row(i), z, adversarial.cols), NumericalError, "attack ", name, " left the ",
                 to_string(threat.norm), " ball or the box at sample ", batch.sample(i), ": distance ",
                 threat.distance(batch.x.row(i), z, adversarial.cols), ", eps ", threat.eps);
  });
}

/// The verdicts of a pass of its own over the adversarial inputs; returns how many differ from those of the attack.
index verify(const Model& model, const AttackBatch& batch, ConstView2D<float> adversarial, AttackResult& result) {
  Matrix<float> logits(batch.x.rows, model.classes()), judged(batch.x.rows, adversarial.cols);
  BestIterate fresh(batch, model.classes(), judged);
  model.logits(adversarial, logits);
  for_rows(model, batch.x.rows, [&](index i) { fresh.judge(i, adversarial.row(i), logits.row(i)); });
  AttackResult verdict = fresh.take(0);
  index changed = 0;
  for (std::size_t i = 0; i < verdict.robust.size(); ++i) changed += verdict.robust[i] != result.robust[i];
  result.robust = std::move(verdict.robust);
  result.margin = std::move(verdict.margin);
  return changed;
}

/// Adds the counts of one batch to those of the batches before it.
void add_parts(const std::vector<AttackPart>& parts, std::vector<AttackPart>& sum) {
  if (sum.empty()) {
    sum = parts;
    return;
  }
  for (std::size_t p = 0; p < parts.size(); ++p) {
    sum[p].attacked += parts[p].attacked;
    sum[p].robust += parts[p].robust;
    sum[p].zero_gradients += parts[p].zero_gradients;
    sum[p].seconds += parts[p].seconds;
  }
}

/// One attack on the samples in `attacked`, in batches of copied rows.
AttackReport run_attack(const Task& task, const std::string& spec, const std::vector<index>& attacked,
                        const std::vector<float>& clean_margin) {
  const auto start = std::chrono::steady_clock::now();
  const std::unique_ptr<Attack> attack = make_attack(spec);
  AttackReport report;
  report.name = attack->name();
  report.constants = attack->constants(task.model.classes(), task.options.threat);
  report.robust.assign(task.labels.size(), 0);
  report.margin = clean_margin;
  report.queries.assign(task.labels.size(), 0);

  const auto total = static_cast<index>(attacked.size());
  for (index begin = 0; begin < total; begin += task.options.batch_rows) {
    const index n = std::min(task.options.batch_rows, total - begin);
    const index* samples = attacked.data() + begin;
    Matrix<float> x(n, task.x.cols), targets(task.targets.empty() ? 0 : n, task.targets.cols), adversarial(n, x.cols());
    std::vector<int> labels(static_cast<std::size_t>(n));
    for (index i = 0; i < n; ++i) {
      std::copy(task.x.row(samples[i]), task.x.row(samples[i]) + x.cols(), x.row(i));
      if (!targets.empty())
        std::copy(task.targets.row(samples[i]), task.targets.row(samples[i]) + targets.cols(), targets.row(i));
      labels[static_cast<std::size_t>(i)] = task.labels[static_cast<std::size_t>(samples[i])];
    }
    const AttackBatch batch{x.view(), labels.data(), targets.view(), 0, samples};
    AttackResult result = attack->perturb(task.model, batch, task.options.threat, task.options.seed, adversarial);
    check_membership(task.model, task.options.threat, batch, report.name, adversarial.view());
    report.changed += verify(task.model, batch, adversarial.view(), result);
    add_parts(result.parts, report.parts);
    report.zero_gradients += result.zero_gradients;
    for (index i = 0; i < n; ++i) {
      const auto from = static_cast<std::size_t>(i), to = static_cast<std::size_t>(samples[i]);
      report.robust[to] = result.robust[from];
      report.margin[to] = result.margin[from];
      report.queries[to] = result.queries[from];
    }
    if (task.options.progress) task.options.progress(report.name, begin + n, total);
  }
  index robust = 0;
  double margin = 0;
  for (std::size_t i = 0; i < report.robust.size(); ++i) {
    robust += report.robust[i];
    margin += report.margin[i];
  }
  report.accuracy = task.fraction(robust);
  report.mean_margin = margin / static_cast<double>(task.rows());
  report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return report;
}

}  // namespace

EvaluateReport evaluate(const Model& model, ConstView2D<float> x, const std::vector<int>& labels,
                        ConstView2D<float> targets, const EvaluateOptions& options) {
  const Task task{model, x, labels, targets, options};
  check(task);
  // A misspelt attack at the end of the list must not cost the hours of those before it.
  for (const std::string& spec : options.attacks) make_attack(spec);

  EvaluateReport report;
  std::vector<float> clean_margin;
  run_clean(task, report, clean_margin);
  report.eps0 = self_test(task, report.predicted);

  std::vector<index> attacked;
  for (index i = 0; i < task.rows(); ++i)
    if (report.predicted[static_cast<std::size_t>(i)] == labels[static_cast<std::size_t>(i)]) attacked.push_back(i);
  std::vector<char> worst(labels.size(), 0);
  for (const index i : attacked) worst[static_cast<std::size_t>(i)] = 1;
  for (const std::string& spec : options.attacks) {
    report.attacks.push_back(run_attack(task, spec, attacked, clean_margin));
    for (std::size_t i = 0; i < worst.size(); ++i) worst[i] = worst[i] && report.attacks.back().robust[i];
  }
  report.worst_case = task.fraction(std::count(worst.begin(), worst.end(), char{1}));
  return report;
}

}  // namespace ntkrob
