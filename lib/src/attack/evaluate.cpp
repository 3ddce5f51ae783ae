#include "ntkrob/attack/evaluate.hpp"

#include <algorithm>
#include <chrono>

#include "attack/search.hpp"
#include "ntkrob/base/spec_text.hpp"
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

/// In one line, where the box is left; with the mistake that data of such values come from.
void check_inputs(ConstView2D<float> x, const ThreatModel& threat) {
  const auto inside = [&](float value) { return value >= threat.low && value <= threat.high; };
  index row = -1, column = -1;
  double sum = 0, low = 0, high = 0;
  for (index i = 0; i < x.rows; ++i)
    for (index j = 0; j < x.cols; ++j) {
      const float value = x(i, j);
      sum += value;
      low = std::min<double>(low, value);
      high = std::max<double>(high, value);
      if (row < 0 && !inside(value)) row = i, column = j;
    }
  if (row < 0) return;
  const double mean = sum / static_cast<double>(x.rows * x.cols);
  const std::string remedy =
      low < threat.low ? text("the data look normalised (smallest ", low, ", mean ", mean,
                              "): give pixels as they were before and keep the normalisation inside the model")
      : high > 1.5     ? text("the data look like bytes (largest ", high, "): divide them by 255")
                       : std::string("scale pixels to this range and keep normalisation inside the model");
  throw ConfigError(text("input ", row, ", component ", column, " is ", x(row, column), ", must be in [", threat.low,
                         ", ", threat.high, "]; ", remedy));
}

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
  check_inputs(task.x, threat);
  const Model* source = task.options.source;
  NTKROB_CHECK(source == nullptr ||
                   (source->input_shape() == task.model.input_shape() && source->classes() == task.model.classes()),
               ConfigError, "evaluate: the source of transferred attacks takes ", source->input_shape().size(),
               " numbers and has ", source->classes(), " classes, the model takes ", task.x.cols, " and has ",
               task.model.classes(), "; both must be the same");
  // A misspelt attack at the end of the list must not cost the hours of those before it.
  for (const std::string& spec : task.options.attacks) {
    make_listed_attack(spec);
    NTKROB_CHECK(transfer_spec(spec).empty() || source != nullptr, ConfigError, "attack \"", spec,
                 "\" needs a source: the model on which adversarial inputs are looked for");
  }
}

/// Predictions and margins on the inputs as they are.
void run_clean(const Task& task, EvaluateReport& report) {
  const Matrix<float> logits = all_logits(task.model, task.x, task.options.batch_rows);
  report.predicted = predictions(logits.view());
  report.margin = margins(logits.view(), task.labels);
  if (task.options.source != nullptr)
    report.source_predicted = predictions(all_logits(*task.options.source, task.x, task.options.batch_rows).view());
  index right = 0;
  for (index i = 0; i < task.rows(); ++i)
    right += report.predicted[static_cast<std::size_t>(i)] == task.labels[static_cast<std::size_t>(i)];
  report.clean = task.fraction(right);
}

/// True if two passes over the same inputs give different bits.
bool is_random(const Model& model, ConstView2D<float> x) {
  Matrix<float> first(x.rows, model.classes()), second(x.rows, model.classes());
  model.logits(x, first);
  model.logits(x, second);
  return !std::equal(first.data(), first.data() + first.size(), second.data());
}

/// A 2-step PGD with eps = 0 goes through the whole attack path without moving: its verdicts must be the clean ones.
void self_test(const Task& task, EvaluateReport& report) {
  const std::vector<int>& predicted = report.predicted;
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
  report.eps0 = task.fraction(right);
  report.randomised = is_random(task.model, task.x.middle_rows(0, std::min(task.options.batch_rows, task.rows())));
  NTKROB_CHECK(first_difference < 0 || report.randomised, NumericalError,
               "eps = 0 self test failed: accuracy under attack is ", report.eps0, ", clean accuracy is ", report.clean,
               ", first different verdict at sample ", first_difference,
               "; the model's logits_and_grad disagrees with its logits");
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
/// predicted: what the model sees in each of them
index verify(const Model& model, const AttackBatch& batch, ConstView2D<float> adversarial, AttackResult& result,
             std::vector<int>& predicted) {
  Matrix<float> logits(batch.x.rows, model.classes()), judged(batch.x.rows, adversarial.cols);
  BestIterate fresh(batch, model.classes(), judged);
  checked_logits(model, adversarial, logits, [&](index row) { return batch.sample(row); });
  predicted.resize(static_cast<std::size_t>(batch.x.rows));
  for_rows(model, batch.x.rows, [&](index i) {
    fresh.judge(i, adversarial.row(i), logits.row(i));
    predicted[static_cast<std::size_t>(i)] = predicted_class(logits.row(i), logits.cols());
  });
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

AttackReport start_report(const Task& task, const std::string& spec, const EvaluateReport& clean) {
  const std::unique_ptr<Attack> attack = make_listed_attack(spec);
  const bool transfer = !transfer_spec(spec).empty();
  AttackReport report;
  report.name = transfer ? text("transfer(", attack->name(), ")") : attack->name();
  report.nature = attack->nature();
  report.constants = attack->constants(task.model.classes(), task.options.threat);
  report.robust.assign(task.labels.size(), 0);
  report.margin = clean.margin;
  report.predicted = clean.predicted;
  report.queries.assign(task.labels.size(), 0);
  report.distance.assign(task.labels.size(), 0);
  if (transfer) report.source_robust.assign(task.labels.size(), 0);
  return report;
}

/// Keeps an adversarial input where it is the strongest so far for its sample.
void keep_example(EvaluateReport& report, index sample, const float* z) {
  AdversarialExamples& kept = report.examples;
  const auto place = std::lower_bound(kept.samples.begin(), kept.samples.end(), sample);
  if (place == kept.samples.end() || *place != sample) return;
  const auto row = static_cast<std::size_t>(place - kept.samples.begin()), i = static_cast<std::size_t>(sample);
  const AttackReport& now = report.attacks.back();
  const AttackReport* before =
      kept.attacks[row] < 0 ? nullptr : &report.attacks[static_cast<std::size_t>(kept.attacks[row])];
  const auto rank = [i](const AttackReport& r) { return std::make_pair(r.robust[i], r.margin[i]); };
  if (before != nullptr && !(rank(now) < rank(*before))) return;
  kept.attacks[row] = static_cast<index>(report.attacks.size()) - 1;
  std::copy_n(z, kept.inputs.cols(), kept.inputs.row(static_cast<index>(row)));
}

/// The attack of the last report on a batch: the parts that progress.batch does not hold yet, one after the other.
void search(const Task& task, const Attack& attack, const AttackBatch& batch, index total, EvaluateProgress& progress) {
  const EvaluateOptions& options = task.options;
  AttackReport& now = progress.report.attacks.back();
  const Model& searched = now.transferred() ? *options.source : task.model;
  const std::vector<const Attack*> parts = attack.parts();
  const std::size_t count = std::max<std::size_t>(1, parts.size());
  AttackResult& found = progress.batch;
  if (found.parts.empty()) progress.adversarial = Matrix<float>(batch.x.rows, batch.x.cols);
  for (std::size_t p = found.parts.size(); p < count; ++p) {
    if (options.stage)
      options.stage({static_cast<index>(progress.report.attacks.size()) - 1, now.name, static_cast<index>(p),
                     static_cast<index>(count), parts.empty() ? std::string() : parts[p]->name(), batch.x.rows,
                     progress.done, total});
    const auto start = std::chrono::steady_clock::now();
    attack.perturb_part(searched, batch, options.threat, options.seed, found, progress.adversarial);
    now.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (p + 1 < count && options.checkpoint) options.checkpoint(progress);
  }
}

/// Some attacked samples under the attack of the last report.
void run_batch(const Task& task, const Attack& attack, std::vector<index> samples, index total,
               EvaluateProgress& progress) {
  const AttackBatch all{task.x, task.labels.data(), task.targets};
  const Subset subset(all, std::move(samples));
  const AttackBatch batch = subset.batch();
  const index n = batch.x.rows, d = batch.x.cols;
  const ThreatModel& threat = task.options.threat;
  search(task, attack, batch, total, progress);
  EvaluateReport& report = progress.report;
  AttackReport& now = report.attacks.back();
  const bool transfer = now.transferred();
  const Matrix<float> adversarial = std::move(progress.adversarial);
  AttackResult result = std::move(progress.batch);
  progress.adversarial = {};
  progress.batch = {};
  check_membership(task.model, threat, batch, now.name, adversarial.view());
  const std::vector<char> found = result.robust;
  std::vector<int> predicted;
  const index changed = verify(task.model, batch, adversarial.view(), result, predicted);
  if (!transfer) now.changed += changed;
  add_parts(result.parts, now.parts);
  now.zero_gradients += result.zero_gradients;
  for (index k = 0; k < n; ++k) {
    const auto from = static_cast<std::size_t>(k), to = static_cast<std::size_t>(subset.rows[from]);
    now.robust[to] = result.robust[from];
    now.margin[to] = result.margin[from];
    now.predicted[to] = predicted[from];
    now.queries[to] = result.queries[from];
    now.distance[to] = threat.distance(batch.x.row(k), adversarial.row(k), d);
    if (transfer) now.source_robust[to] = found[from];
    keep_example(report, subset.rows[from], adversarial.row(k));
  }
}

/// The last report's attack on the samples in `attacked`, from number progress.done on.
void run_attack(const Task& task, const std::string& spec, const std::vector<index>& attacked,
                EvaluateProgress& progress) {
  const std::unique_ptr<Attack> attack = make_listed_attack(spec);
  AttackReport& now = progress.report.attacks.back();
  const auto total = static_cast<index>(attacked.size());
  while (progress.done < total) {
    const index end = std::min(progress.done + task.options.batch_rows, total);
    run_batch(task, *attack, {attacked.begin() + progress.done, attacked.begin() + end}, total, progress);
    progress.done = end;
    if (task.options.checkpoint) task.options.checkpoint(progress);
    if (task.options.progress) task.options.progress(now.name, progress.done, total);
  }
  index robust = 0;
  double margin = 0;
  for (std::size_t i = 0; i < now.robust.size(); ++i) {
    robust += now.robust[i];
    margin += now.margin[i];
  }
  now.accuracy = task.fraction(robust);
  now.mean_margin = margin / static_cast<double>(task.rows());
}

/// What an attack of the list has found, against the samples that it was run on: the first `done` of those attacked.
void check_earlier(const Task& task, const AttackReport& attack, std::size_t number, index done,
                   const std::vector<index>& attacked, const EvaluateReport& clean) {
  const auto entry = [number](const char* name) { return text("entry \"attack", number, "/", name, "\""); };
  std::vector<char> run(clean.predicted.size(), 0);
  for (index k = 0; k < done; ++k) run[static_cast<std::size_t>(attacked[static_cast<std::size_t>(k)])] = 1;
  for (std::size_t i = 0; i < run.size(); ++i) {
    NTKROB_CHECK(attack.predicted[i] < task.model.classes(), IoError, entry("predicted"), " is ", attack.predicted[i],
                 " for sample ", i, ", the model has ", task.model.classes(), " classes");
    if (run[i]) continue;
    NTKROB_CHECK(attack.robust[i] == 0 && attack.queries[i] == 0 && attack.distance[i] == 0 &&
                     attack.margin[i] == clean.margin[i] && attack.predicted[i] == clean.predicted[i] &&
                     (attack.source_robust.empty() || attack.source_robust[i] == 0),
                 IoError, entry("robust"),
                 ", or its neighbours queries, distance, margin, predicted and source_robust: ", "sample ", i,
                 " has a verdict, but was not attacked yet");
  }
  const bool whole = done > 0;
  NTKROB_CHECK(whole || attack.parts.empty(), IoError, entry("parts"), " is ", attack.parts.size(),
               ", must be 0 before the first batch is done");
}

/// Takes over the examples of an interrupted evaluation and its batch at hand, and hands back its attacks, if it was
/// one of this model and these data.
std::vector<AttackReport> adopt(const Task& task, const std::vector<index>& attacked, EvaluateProgress& progress) {
  const EvaluateProgress& resume = *task.options.resume;
  const EvaluateReport &earlier = resume.report, &report = progress.report;
  const auto total = static_cast<index>(attacked.size());
  NTKROB_CHECK(earlier.predicted == report.predicted && earlier.margin == report.margin &&
                   earlier.source_predicted == report.source_predicted,
               ConfigError,
               "the interrupted evaluation was one of another model or other data: predictions or margins on the clean "
               "inputs differ; start anew, or give the model and the data it was started with");
  NTKROB_CHECK(resume.done <= total && (resume.done == total || resume.done % task.options.batch_rows == 0), IoError,
               "entry \"done\" is ", resume.done, ", must be ", total, " or a smaller multiple of the batch, ",
               task.options.batch_rows);
  const auto held = static_cast<index>(resume.batch.robust.size());
  const index batch = std::min(task.options.batch_rows, total - resume.done);
  NTKROB_CHECK(held == 0 || (held == batch && resume.adversarial.cols() == task.x.cols), IoError,
               "entry \"batch/samples\" is ", held, " with ", resume.adversarial.cols(), " pixels, must be ", batch,
               " with ", task.x.cols);
  for (std::size_t a = 0; a < earlier.attacks.size(); ++a)
    check_earlier(task, earlier.attacks[a], a, a + 1 < earlier.attacks.size() ? total : resume.done, attacked, report);
  const AdversarialExamples& kept = earlier.examples;
  NTKROB_CHECK(kept.samples == report.examples.samples, IoError, "entry \"examples/samples\" has ", kept.samples.size(),
               " samples, must have the first ", report.examples.samples.size(), " that are right on the clean inputs");
  NTKROB_CHECK(kept.samples.empty() || kept.inputs.cols() == task.x.cols, IoError, "entry \"examples/pixels\" is ",
               kept.inputs.cols(), ", must be ", task.x.cols);
  progress.report.examples = kept;
  progress.batch = resume.batch;
  progress.adversarial = resume.adversarial;
  return earlier.attacks;
}

}  // namespace

std::string transfer_spec(const std::string& attack) {
  const std::string prefix = "transfer";
  if (attack.compare(0, prefix.size(), prefix) != 0) return {};
  const std::size_t open = prefix.size();
  NTKROB_CHECK(attack.size() > open + 2 && attack[open] == '(' && attack.back() == ')', ConfigError, "attack \"",
               attack, "\": write transfer(ATTACK), for example transfer(pgd-40(loss=margin))");
  return attack.substr(open + 1, attack.size() - open - 2);
}

void AttackList::add(const std::string& spec) { entries.push_back({spec, make_listed_attack(spec)}); }

std::vector<std::string> AttackList::specs() const {
  std::vector<std::string> all;
  for (const Entry& entry : entries) all.push_back(entry.spec);
  return all;
}

AttackList AttackList::parse(const std::string& text) {
  AttackList list;
  for (const std::string& spec : split_list(text, "attacks")) list.add(spec);
  return list;
}

std::unique_ptr<Attack> make_listed_attack(const std::string& entry) {
  const std::string inner = transfer_spec(entry);
  return make_attack(inner.empty() ? entry : inner);
}

EvaluateReport evaluate(const Model& model, ConstView2D<float> x, const std::vector<int>& labels,
                        ConstView2D<float> targets, const EvaluateOptions& options) {
  const Task task{model, x, labels, targets, options};
  check(task);

  EvaluateProgress progress;
  EvaluateReport& report = progress.report;
  run_clean(task, report);
  self_test(task, report);

  std::vector<index> attacked;
  for (index i = 0; i < task.rows(); ++i)
    if (report.predicted[static_cast<std::size_t>(i)] == labels[static_cast<std::size_t>(i)]) attacked.push_back(i);
  const auto total = static_cast<index>(attacked.size());
  report.examples.samples.assign(attacked.begin(), attacked.begin() + std::min(options.examples, total));
  report.examples.attacks.assign(report.examples.samples.size(), -1);
  report.examples.inputs = Matrix<float>(static_cast<index>(report.examples.samples.size()), x.cols);
  std::vector<AttackReport> earlier;
  if (options.resume != nullptr) earlier = adopt(task, attacked, progress);

  std::vector<char> worst(labels.size(), 0);
  for (const index i : attacked) worst[static_cast<std::size_t>(i)] = 1;
  for (std::size_t a = 0; a < options.attacks.size(); ++a) {
    AttackReport now = start_report(task, options.attacks[a], report);
    progress.done = 0;
    if (a < earlier.size()) {
      progress.done = a + 1 < earlier.size() ? total : options.resume->done;
      std::swap(now.name, earlier[a].name);
      std::swap(now.nature, earlier[a].nature);
      std::swap(now.constants, earlier[a].constants);
      now = std::move(earlier[a]);
    }
    report.attacks.push_back(std::move(now));
    run_attack(task, options.attacks[a], attacked, progress);
    for (std::size_t i = 0; i < worst.size(); ++i) worst[i] = worst[i] && report.attacks.back().robust[i];
  }
  report.worst_case = task.fraction(std::count(worst.begin(), worst.end(), char{1}));
  return std::move(progress.report);
}

}  // namespace ntkrob
