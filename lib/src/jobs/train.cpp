#include "ntkrob/jobs/train.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "jobs/checkpoint.hpp"
#include "ntkrob/jobs/image_choice.hpp"
#include "ntkrob/jobs/input.hpp"
#include "ntkrob/attack/attack.hpp"
#include "ntkrob/base/spec_text.hpp"
#include "ntkrob/base/state_entries.hpp"
#include "ntkrob/model/metrics.hpp"
#include "ntkrob/version.hpp"
#include "ntkrob/jobs/robustify.hpp"

namespace ntkrob::jobs {

namespace {

OptionTexts resolved_options(const TrainJob& job) {
  TextCollector collector;
  visit_train_job(job, collector);
  if (!job.adversarial)
    for (const char* unused : {"norm", "eps", "attack-steps"})
      for (auto it = collector.texts.begin(); it != collector.texts.end(); ++it)
        if (it->first == unused) {
          collector.texts.erase(it);
          break;
        }
  return collector.texts;
}

Targets training_targets(const Dataset& data) {
  Targets targets;
  targets.labels = data.train.labels;
  targets.values = data.train.targets.empty() ? centred_one_hot(data.train.labels, data.classes) : data.train.targets;
  return targets;
}

BatchAttack batch_attack(const TrainJob& job, index d) {
  if (!job.adversarial) return {};
  NTKROB_CHECK_RANGE("attack-steps", job.attack_steps, 1, 100'000);
  const ThreatModel threat = ThreatModel::of(job.norm, job.eps, d);
  const Rng rng(job.train.seed, "adversarial training");
  return [threat, rng, steps = job.attack_steps](const Net& net, ConstView2D<float> x, const int* labels, index step,
                                                 View2D<float> adversarial) {
    AttackBatch batch;
    batch.x = x;
    batch.labels = labels;
    pgd(net, batch, threat, steps, 0, "ce", 1, rng.fork(static_cast<std::uint64_t>(step)), adversarial);
  };
}

/// What would be refused after the work.
void check_train_data(const TrainJob& job, const Dataset& data, const Dataset& test) {
  check_two_classes(data, job.data);
  if (test.test.empty()) return;
  NTKROB_CHECK(test.shape == data.shape, ShapeError, "test images are ", test.shape.height, " x ", test.shape.width,
               " x ", test.shape.channels, ", training images are ", data.shape.height, " x ", data.shape.width, " x ",
               data.shape.channels);
  const int largest = *std::max_element(test.test.labels.begin(), test.test.labels.end());
  NTKROB_CHECK(largest < data.classes, ShapeError, "the test images have labels up to ", largest, ", ", job.data,
               " has ", data.classes, " classes (0 .. ", data.classes - 1,
               "); name a test set of the same classes by ", field("test"));
}

double mean_loss(const Net& net, ConstView2D<float> x, const Targets& targets, const std::string& name) {
  const Matrix<float> logits = all_logits(net, x);
  std::vector<double> loss(static_cast<std::size_t>(x.rows));
  make_loss(name)->evaluate(logits.view(), targets.labels.data(), targets.values.view(), loss.data(), {});
  double sum = 0;
  for (const double one : loss) sum += one;
  return sum / static_cast<double>(x.rows);
}

/// What the net is to be robust against, and what its pixels were: of the job where it trains adversarially, else of
/// the set that it learned, where that is a robust one.
void add_threat(const TrainJob& job, const Dataset& data, StateDict& state) {
  const OptionTexts own = resolved_options(job);
  for (const char* name : {"norm", "eps"})
    for (const OptionTexts& options : {own, data.provenance.options}) {
      const auto at = std::find_if(options.begin(), options.end(), [&](const auto& o) { return o.first == name; });
      if (at == options.end()) continue;
      state.set(text("provenance/", name), at->second);
      break;
    }
  if (!data.feature_low.empty())
    state.set("provenance/value_range", std::string("columns"));
  else
    state.set("provenance/value_range", data.train.is_bytes()
                                            ? std::string("0:255")
                                            : format_number(static_cast<double>(data.value_low)) + ":" +
                                                  format_number(static_cast<double>(data.value_high)));
}

CheckpointOptions checkpoint_options(const TrainJob& job) { return {"train", job.checkpoint, job.resume}; }

/// Steps to the end.   throws: Interrupted, with the last finished step in the checkpoint
void run_steps(const TrainJob& job, const Dataset& data, Trainer& trainer, Checkpoint& checkpoint, Context& context) {
  OptionTexts identity = resolved_options(job);
  identity.emplace_back("data", data.checksum());
  const auto save = [&] {
    StateDict state = trainer.state();
    set_options(state, "options/", identity);
    checkpoint.save(std::move(state));
  };
  if (job.resume) {
    checkpoint.load([&](const StateDict& state) {
      const std::string& stored = state.get<std::string>("options/data");
      NTKROB_CHECK(stored == identity.back().second, ConfigError, field("resume"), ": ", checkpoint.path(),
                   " was made from other training data (checksum ", stored, "; given: ", identity.back().second,
                   "); resume with the data it was made from");
      check_options(state, "options/", identity, "the interrupted training");
      trainer.restore(state);
    });
    context.listener().note(text("resumed after step ", trainer.steps_done()));
  }
  const index resumed_at = trainer.steps_done();
  const Stopwatch watch;
  std::optional<InterruptScope> interrupt;
  if (checkpoint.kept()) interrupt.emplace(context.backend());
  try {
    while (!trainer.done()) {
      const TrainStep s = trainer.step();
      const double left =
          watch.seconds() / static_cast<double>(s.step - resumed_at) * static_cast<double>(s.steps - s.step);
      char line[128];
      std::snprintf(line, sizeof line, "step %td/%td  loss %.4f  accuracy %.1f %%  %s left", s.step, s.steps, s.loss,
                    100 * s.accuracy, duration_text(left).c_str());
      context.listener().progress(line, s.step, s.steps);
      if (trainer.done()) break;
      InterruptScope::look();
      if (checkpoint.due()) save();
    }
  } catch (const Interrupted&) {
    interrupt->answered();
    if (trainer.steps_done() > resumed_at) save();
    checkpoint.give_up(text("interrupted after step ", trainer.steps_done(), " of ", trainer.steps()));
  }
  trainer.check();
}

/// Whether the net of this spec looks at the images as pictures.
bool has_convolutions(const std::string& spec) {
  return spec.find("conv") != std::string::npos || spec.rfind("cnn", 0) == 0;
}

}  // namespace

DecayChoice choose_decay(const TrainJob& job, const Dataset& data) {
  constexpr double kDecay = 0.005;
  const std::optional<Threat> threat = optimised_against(data);
  if (!threat || job.adversarial) return {};
  // Of nets on 1000 MNIST images; the record is bench/results/mnist-adv-kip.md.
  std::string note = text("robust set (", threat->norm, ", eps ", format_number(threat->eps), "): weight decay ",
                          format_number(kDecay), "; on 1000 MNIST images AutoAttack leaves ");
  if (has_convolutions(job.model)) {
    note += "cnn:small 67 % with it, 64 % from ", field("init", "he"), "; without it 72 and 1 %";
  } else {
    note += "an mlp 63 % with it, 27 % without";
    if (data.kind() == DataKind::picture)
      note += "; for pictures ", field("model"), " cnn:small is recommended, which it leaves 67 %";
  }
  return {kDecay, note};
}

TrainOutcome run_train(const TrainJob& job, const Dataset& data, const Dataset& test, Context& context) {
  job.train.validate();
  check_train_data(job, data, test);
  const BatchAttack attack = batch_attack(job, data.shape.size());
  const Matrix<float> x = data.images("train");
  const Targets targets = training_targets(data);
  TrainOutcome outcome;
  const index batch = job.train.batch == 0 ? x.rows() : std::min(job.train.batch, x.rows());
  check_net_memory(job.model, data.shape, data.classes, batch, context.settings.memory.value);
  outcome.net = std::make_unique<Net>(job.model, data.shape, data.classes, parse_initialisation(job.init),
                                      job.train.seed, context.backend());
  const Stopwatch watch;
  Trainer trainer(*outcome.net, x.view(), targets, job.train, attack);
  Checkpoint checkpoint(checkpoint_options(job), context);
  run_steps(job, data, trainer, checkpoint, context);
  outcome.seconds = watch.seconds();
  outcome.loss = mean_loss(*outcome.net, x.view(), targets, job.train.loss);
  outcome.accuracy = accuracy(*outcome.net, x.view(), targets.labels);
  if (!test.test.empty()) {
    const std::vector<int> predicted = predictions(all_logits(*outcome.net, test.images("test").view()).view());
    outcome.test_classes = class_report(test.test.labels, predicted, data.classes, test.class_names);
    outcome.test_accuracy = outcome.test_classes.accuracy();
  }
  return outcome;
}

void check_train_checkpoint(const TrainJob& job, Context& context) {
  Checkpoint::check(checkpoint_options(job), context);
}

void remove_train_checkpoint(const TrainJob& job, Context& context) {
  Checkpoint(checkpoint_options(job), context).finish();
}

StateDict model_state(const TrainJob& job, const TrainOutcome& outcome, const Dataset& data) {
  StateDict state = outcome.net->state();
  store_class_names(state, data.class_names);
  store_features(state, data);
  state.set("provenance/library_version", std::string(kVersion));
  std::string command = "ntkrob train " + file_name(job.data);
  for (const auto& [name, value] : resolved_options(job)) {
    if (value == "true") command += " --" + name;
    if (value != "true" && value != "false") command += " --" + name + " " + value;
  }
  state.set("provenance/command", command + read_arguments(job.read));
  state.set("provenance/parent", file_name(job.data));
  state.set("provenance/parent_checksum", data.checksum());
  const std::vector<std::string> reading = reading_record(data, job.read, job.data);
  for (std::size_t k = 0; k < reading.size(); ++k) state.set(text("provenance/reading/", k), reading[k]);
  add_threat(job, data, state);
  return state;
}

nlohmann::ordered_json train_json(const TrainJob& job, const TrainOutcome& outcome, Context& context) {
  nlohmann::ordered_json json;
  json["schema"] = "ntkrob.train/1";
  json["version"] = kVersion;
  json["data"] = job.data;
  json["reading"] = readings_json(context);
  json["backend"] = context.backend().info().description;
  for (const auto& [name, value] : resolved_options(job)) json["options"][name] = value;
  json["parameters"] = outcome.net->parameter_count();
  json["loss"] = outcome.loss;
  json["accuracy"] = outcome.accuracy;
  if (outcome.test_accuracy) {
    json["test_accuracy"] = *outcome.test_accuracy;
    json["per_class"] = per_class_json(outcome.test_classes);
  }
  json["seconds"] = outcome.seconds;
  return json;
}

}  // namespace ntkrob::jobs
