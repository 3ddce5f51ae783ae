/// The course of an evaluation: progress, Ctrl-C, checkpoints.

#include "jobs/evaluate_progress.hpp"
#include "jobs/evaluate_warnings.hpp"
#include "ntkrob/attack/evaluate_state.hpp"
#include "ntkrob/attack/masking_state.hpp"
#include "ntkrob/base/spec_text.hpp"
#include "ntkrob/data/format.hpp"
#include "ntkrob/jobs/image_choice.hpp"
#include "ntkrob/jobs/run.hpp"
#include "ntkrob/model/forwarding.hpp"
#include "ntkrob/model/loss.hpp"
#include "ntkrob/model/metrics.hpp"

namespace ntkrob::jobs {

namespace {

constexpr index kExamples = 40;  // adversarial images kept for the page, which shows some of them
const char* const kFastAttacks = "clean,apgd-ce(iterations=20),apgd-t(iterations=20,targets=3),square(queries=200)";

RunOptions run_options(const EvaluateJob& job) { return {"evaluate", job.checkpoint_path(), job.resume, "", 0}; }

bool starts_with(const std::string& s, const std::string& prefix) { return s.compare(0, prefix.size(), prefix) == 0; }

/// The evaluation on disk, and, once they have begun, the masking checks.
class EvaluationCheckpoint {
 public:
  EvaluationCheckpoint(const EvaluateJob& job, Context& context)
      : path_(job.checkpoint_path()), run_(run_options(job), context) {
    run_.watch();
  }

  void offer(const EvaluateOptions& options, const EvaluateProgress& so_far) {
    if (!run_.kept()) return;
    evaluation_ = evaluation_state(options, so_far);
    evaluation_.set("run/samples", samples_);
    run_.offer(evaluation_);
  }
  void offer(const MaskingOptions& options, const MaskingProgress& so_far) {
    if (!run_.kept()) return;
    StateDict state = evaluation_;
    save_masking(options, so_far, state);
    run_.offer(std::move(state));
  }
  /// What an earlier run has left. checks: where to put what it says about masking checks, if anything.
  EvaluateProgress load(const EvaluateOptions& options, const MaskingOptions& check_options,
                        std::unique_ptr<MaskingProgress>& checks) {
    EvaluateProgress progress;
    run_.load([&](const StateDict& state) {
      const auto& samples = state.get<std::string>("run/samples");
      NTKROB_CHECK(samples == samples_, ConfigError, field("resume"), ": ", path_, " is about ", samples,
                   ", this run about ", samples_, "; resume with the options it was started with");
      progress = restore_evaluation(state, options);
      if (has_masking(state)) checks = std::make_unique<MaskingProgress>(restore_masking(state, check_options));
      for (const auto& [name, value] : state.entries())
        if (!starts_with(name, "masking/")) evaluation_.set(name, value);
    });
    return progress;
  }
  void set_samples(std::string samples) { samples_ = std::move(samples); }
  bool kept() const { return run_.kept(); }
  void look() const { run_.look(); }
  void rest() { run_.rest(); }
  /// throws: Interrupted
  [[noreturn]] void give_up() { run_.give_up("interrupted"); }

 private:
  std::string path_;
  Run run_;
  std::string samples_;
  StateDict evaluation_;
};

/// Radii of the masking checks, and Square.
index steps_done(const MaskingProgress* checks) {
  return checks == nullptr ? 0 : static_cast<index>(checks->report.curve.size()) + checks->square_done;
}

std::string resumed_text(const EvaluateProgress& earlier, const MaskingProgress* checks, std::size_t attacks) {
  const std::size_t parts = earlier.batch.parts.size();
  return text("resumed after ", earlier.done, " samples of attack ", earlier.report.attacks.size(), " of ", attacks,
              parts > 0 ? text(", and ", parts, parts > 1 ? " parts" : " part", " of it on the next ",
                               earlier.batch.robust.size())
                        : "",
              checks == nullptr ? "" : text(", and ", steps_done(checks), " steps of the masking checks"));
}

void check_fit(const EvaluateJob& job, const Model& model, const Dataset& data) {
  NTKROB_CHECK(model.input_shape() == data.shape, ShapeError, "the model ", job.model, " takes images of ",
               model.input_shape().height, " x ", model.input_shape().width, " x ", model.input_shape().channels,
               ", those of ", job.data, " are ", data.shape.height, " x ", data.shape.width, " x ",
               data.shape.channels);
  NTKROB_CHECK(data.classes <= model.classes(), ShapeError, job.data, " has ", data.classes, " classes, the model ",
               job.model, " only ", model.classes());
  NTKROB_CHECK(job.split == "train" || job.split == "test", ConfigError, field("split"), " is \"", given(job.split),
               "\", must be ", limit("train or test"));
  NTKROB_CHECK(!(job.split == "train" ? data.train : data.test).empty(), ConfigError, field("split"), ": ", job.data,
               " has no ", given(job.split), " split; ",
               advice(field("split", job.split == "test" ? "train" : "test"), " judges on the other one"));
}

ImageChoice sample_choice(const EvaluateJob& job, index available) {
  constexpr index kFastSamples = 200;
  ImageChoice choice;
  choice.file = job.data;
  choice.split = job.split;
  choice.n = job.n == 0 && job.fast && !job.balanced ? std::min(available, kFastSamples) : job.n;
  choice.balanced = job.balanced;
  choice.seed = job.seed;
  choice.stream = "evaluate/balanced";
  return choice;
}

/// For a model without gradients of its own: the list, a search that needs none, and what is found on the source.
AttackList with_transfers(const AttackList& list) {
  const auto& given = list.entries;
  const bool searched = std::any_of(given.begin(), given.end(), [](const AttackList::Entry& entry) {
    return has_part(*entry.attack, AttackNature::search);
  });
  AttackList result = list;
  if (!searched) result.add("square(queries=1000)");
  for (const AttackList::Entry& entry : given)
    if (entry.attack->nature() == AttackNature::gradients)
      result.entries.push_back({"transfer(" + entry.spec + ")", entry.attack});
  return result;
}

}  // namespace

std::string EvaluateJob::checkpoint_path() const {
  if (!checkpoint.empty()) return checkpoint;
  return json.empty() && html.empty() ? std::string() : (json.empty() ? html : json) + ".ckpt" + state_extension();
}

AttackList EvaluateJob::attack_list() const {
  NTKROB_CHECK(!attacks.empty(), ConfigError, field("attacks"), " is empty; ",
               advice("name some, e.g. ", field("attacks", "clean,autoattack")));
  NTKROB_CHECK(!fast || attacks.text() == EvaluateJob().attacks.text(), ConfigError, field("fast", "true"),
               " has a list of attacks of its own; leave ", field("attacks"), " out, or ", field("fast", "true"));
  AttackList list = fast ? AttackList::parse(kFastAttacks) : *attacks;
  const bool transfers = std::any_of(list.entries.begin(), list.entries.end(),
                                     [](const AttackList::Entry& e) { return !transfer_spec(e.spec).empty(); });
  if (int8 && !transfers) return with_transfers(list);
  if (!source.empty() && !transfers) list.add("transfer(pgd-40(loss=margin))");
  return list;
}

bool EvaluateJob::wants_checks() const {
  if (checks != "auto") return checks == "on";
  const bool writes = !json.empty() || !html.empty();
  for (const auto& [spec, attack] : attack_list().entries)
    if (!attack->parts().empty() || (writes && attack->nature() != AttackNature::inputs)) return true;
  return false;
}

Radii Radii::parse(const std::string& text) {
  Radii radii;
  for (const std::string& radius : split_list(text, "curve")) radii.values.push_back(parse_number(radius, "curve"));
  std::sort(radii.values.begin(), radii.values.end());
  return radii;
}

void check_evaluate(const EvaluateJob& job, Context& context) {
  visit_evaluate(job, FieldChecker());
  for (const std::string& attack : job.attack_list().specs())
    NTKROB_CHECK(transfer_spec(attack).empty() || !job.source.empty(), ConfigError, "attack \"", attack,
                 "\": name the model that it is made on by ", field("transfer-from"), ", or by ",
                 field("source-kernel"), " and ", field("source-support"));
  NTKROB_CHECK(!job.int8 || !job.calibrate.empty(), ConfigError, field("int8"), " needs ", field("calibrate"),
               ": the data whose training split tells the range of values, best what the net "
               "was trained on");
  NTKROB_CHECK(job.int8 || job.calibrate.empty(), ConfigError, field("calibrate"), " belongs to ", field("int8"), "");
  const bool force = context.settings.force;
  for (const std::string* output : {&job.json, &job.html})
    if (!output->empty()) check_output(*output, force);
  Run::check(run_options(job), context);
}

EvaluateOutcome run_evaluate(const EvaluateJob& job, const Model& model, const Model* source, const Dataset& data,
                             Context& context) {
  check_fit(job, model, data);
  const Split& split = data.split(job.split);
  EvaluateOutcome outcome;
  outcome.attacks = job.attack_list().specs();
  outcome.samples = choose_images(sample_choice(job, split.n), data, context.listener());
  outcome.shape = data.shape;
  outcome.classes = model.classes();
  outcome.class_names = job.class_names.empty() ? data.class_names : job.class_names;
  outcome.threat = ThreatModel::of(job.norm, job.eps, data.shape.size());
  outcome.backend = context.backend().info().name;
  const Matrix<float> images = chosen_images(data, job.split, outcome.samples);
  outcome.labels = labels_of(split, outcome.samples);
  warn_about_inputs(outcome.threat, images.view(), context.listener());

  EvaluationProgress progress(context.listener());
  EvaluationCheckpoint checkpoint(job, context);
  checkpoint.set_samples(
      text(outcome.samples.size(), " samples of split ", job.split, job.balanced ? ", balanced by class" : ""));
  const auto look = [&] {
    checkpoint.look();  // a device's passes have no loop of ours
    progress.pass();
  };
  const WatchedModel watched(model, look);
  std::unique_ptr<Model> watched_source;
  if (source != nullptr) watched_source = std::make_unique<WatchedModel>(*source, look);

  EvaluateOptions options;
  options.attacks = outcome.attacks;
  options.threat = outcome.threat;
  options.seed = job.seed;
  options.batch_rows = job.batch;
  options.source = watched_source.get();
  options.examples = checkpoint.kept() ? kExamples : 0;
  options.progress = [&](const std::string& attack, index done, index total) {
    progress.batch_done(attack, done, total);
  };
  options.stage = [&](const EvaluateStage& next) { progress.stage(next); };
  options.checkpoint = [&](const EvaluateProgress& so_far) { checkpoint.offer(options, so_far); };
  MaskingOptions checks;
  checks.threat = outcome.threat;
  checks.seed = job.seed;
  checks.samples = job.check_samples;
  if (!job.curve.empty()) checks.curve = job.curve->values;
  checks.batch_rows = job.batch;
  checks.progress = [&](const std::string& what, index done, index total) { progress.check_done(what, done, total); };
  checks.checkpoint = [&](const MaskingProgress& so_far) { checkpoint.offer(checks, so_far); };
  outcome.checked = job.wants_checks();
  progress.plan(options, outcome.checked ? &checks : nullptr, model.classes(), images.cols());
  EvaluateProgress earlier;
  std::unique_ptr<MaskingProgress> earlier_checks;
  if (job.resume) {
    earlier = checkpoint.load(options, checks, earlier_checks);
    options.resume = &earlier;
    checks.resume = earlier_checks.get();
    context.listener().note(resumed_text(earlier, earlier_checks.get(), options.attacks.size()));
  }
  try {
    const Matrix<float> targets = centred_one_hot(outcome.labels, model.classes());
    outcome.report = evaluate(watched, images.view(), outcome.labels, targets.view(), options);
    warn_about_accuracy(job, outcome.report.clean, outcome.labels, data, context.listener());
    if (outcome.checked) {
      progress.start_checks(images.rows(), steps_done(earlier_checks.get()));
      outcome.masking = check_masking(watched, images.view(), outcome.labels, checks);
      add_report_checks(outcome.report, outcome.masking);
    }
    context.listener().finish();
  } catch (const Interrupted&) {
    checkpoint.give_up();
  }
  checkpoint.rest();
  outcome.example_images = rows_of(images.view(), outcome.report.examples.samples);
  outcome.example_predicted = predictions(all_logits(model, outcome.report.examples.inputs.view()).view());
  return outcome;
}

void remove_checkpoint(const EvaluateJob& job, Context& context) { Run::finish(run_options(job), context); }

}  // namespace ntkrob::jobs
