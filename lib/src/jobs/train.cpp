#include "ntkrob/jobs/train.hpp"

#include <algorithm>

#include "jobs/provenance.hpp"
#include "ntkrob/attack/attack.hpp"
#include "ntkrob/base/spec_text.hpp"
#include "ntkrob/base/state_entries.hpp"
#include "ntkrob/jobs/image_choice.hpp"
#include "ntkrob/jobs/input.hpp"
#include "ntkrob/jobs/model.hpp"
#include "ntkrob/jobs/robustify.hpp"
#include "ntkrob/jobs/run.hpp"
#include "ntkrob/model/metrics.hpp"
#include "ntkrob/version.hpp"

namespace ntkrob::jobs {

namespace {

Targets training_targets(const Dataset& data) {
  Targets targets;
  targets.labels = data.train.labels;
  targets.values = data.train.targets.empty() ? centred_one_hot(data.train.labels, data.classes) : data.train.targets;
  return targets;
}

BatchAttack batch_attack(const TrainJob& job, index d) {
  if (!job.adversarial) return {};
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
  NTKROB_CHECK(!job.train.augmentation.any() || data.kind() != DataKind::table, ConfigError,
               field(job.train.augmentation.flip        ? "flip"
                     : job.train.augmentation.shift > 0 ? "shift"
                                                        : "cutout"),
               " is of images and signals; ", job.data, " is a table of ", data.shape.size(), " columns");
  if (test.test.empty()) return;
  NTKROB_CHECK(test.shape == data.shape, ShapeError, "test images are ", test.shape.height, " x ", test.shape.width,
               " x ", test.shape.channels, ", training images are ", data.shape.height, " x ", data.shape.width, " x ",
               data.shape.channels);
  const int largest = *std::max_element(test.test.labels.begin(), test.test.labels.end());
  NTKROB_CHECK(largest < data.classes, ShapeError, "the test images have labels up to ", largest, ", ", job.data,
               " has ", data.classes, " classes (0 .. ", data.classes - 1, "); name a test set of the same classes by ",
               field("test"));
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

RunOptions run_options(const TrainJob& job) { return {"train", job.checkpoint_path(), job.resume, job.log}; }

/// The training as the driver sees it.
class TrainSteps final : public Stepped {
 public:
  TrainSteps(Trainer& trainer, OptionTexts identity, bool validates)
      : trainer_(trainer), identity_(std::move(identity)), validates_(validates) {}
  const std::vector<Column>& columns() const override {
    static const std::vector<Column> all{{"loss", Column::Kind::number, true, true},
                                         {"accuracy", Column::Kind::fraction, true, true}};
    static const std::vector<Column> with_validation{
        all[0], all[1], {"validation", Column::Kind::fraction, true, true}};
    return validates_ ? with_validation : all;
  }
  index steps() const override { return trainer_.steps(); }
  index steps_done() const override { return trainer_.steps_done(); }
  Row step() override {
    const Stopwatch watch;
    const TrainStep s = trainer_.step();
    Row row{s.step, {s.loss, s.accuracy}, watch.seconds()};
    if (validates_) row.values.push_back(s.validation);
    return row;
  }
  StateDict state() const override {
    StateDict state = trainer_.state();
    set_options(state, "options/", identity_);
    return state;
  }
  void restore(const StateDict& state) override {
    const std::string& stored = state.get<std::string>("options/data");
    NTKROB_CHECK(stored == identity_.back().second, ConfigError, field("resume"),
                 ": the checkpoint was made from other training data (checksum ", stored,
                 "; given: ", identity_.back().second, "); resume with the data it was made from");
    check_options(state, "options/", identity_, "the interrupted training");
    trainer_.restore(state);
  }

 private:
  Trainer& trainer_;
  OptionTexts identity_;  // options, and the checksum of the data at the end
  const bool validates_;
};

/// Whether the net of this spec looks at the images as pictures.
bool has_convolutions(const std::string& spec) {
  return spec.find("conv") != std::string::npos || spec.rfind("cnn", 0) == 0;
}

}  // namespace

namespace {

const std::string& value(const TextCollector& collector, const std::string& name) {
  const auto at = std::find_if(collector.texts.begin(), collector.texts.end(),
                               [&](const auto& option) { return option.first == name; });
  NTKROB_ASSERT(at != collector.texts.end());
  return at->second;
}

}  // namespace

OptionTexts resolved_options(const TrainJob& job) {
  TextCollector collector, fresh;
  visit_train_job(job, collector);
  const TrainJob plain;
  visit_train_job(plain, fresh);
  // Those that do something only where they are asked for.
  std::vector<std::string> silent{"zero-last-layer", "parameterisation", "label-smoothing", "clip-norm", "ema",
                                  "validation",      "validate-every",   "patience",        "flip",      "shift",
                                  "cutout"};
  silent.erase(std::remove_if(silent.begin(), silent.end(),
                              [&](const std::string& name) { return value(collector, name) != value(fresh, name); }),
               silent.end());
  if (!job.adversarial) silent.insert(silent.end(), {"norm", "eps", "attack-steps"});
  for (const std::string& name : silent)
    collector.texts.erase(std::remove_if(collector.texts.begin(), collector.texts.end(),
                                         [&](const auto& option) { return option.first == name; }),
                          collector.texts.end());
  return collector.texts;
}

DecayChoice choose_decay(const TrainJob& job, const Dataset& data) {
  constexpr double kDecay = 0.005;
  const std::optional<Threat> threat = optimised_against(data);
  if (!threat || job.adversarial) return {};
  // Of nets on 1000 MNIST images; the record is bench/results/mnist-adv-kip.md.
  std::string note = text("robust set (", threat->norm, ", eps ", format_number(threat->eps), "): weight decay ",
                          format_number(kDecay), "; on 1000 MNIST images AutoAttack leaves ");
  if (has_convolutions(job.model)) {
    note += text("cnn:small 67 % with it, 64 % from ", field("init", "he"), "; without it 72 and 1 %");
  } else {
    note += "an mlp 63 % with it, 27 % without";
    if (data.kind() == DataKind::picture)
      note += text("; for pictures ", field("model", "cnn:small"), " is recommended, which it leaves 67 %");
  }
  return {kDecay, note};
}

std::string TrainJob::checkpoint_path() const {
  if (!keeps_state) return {};
  return checkpoint.empty() && !output.empty() ? output + ".ckpt" + state_extension() : checkpoint;
}

TrainInput open_train(const TrainJob& job, const std::string& test, Context& context) {
  const std::size_t inputs = test.empty() ? 1 : 2;
  TrainInput in;
  in.data = open_input(context, job.data, job.read, inputs);
  if (!test.empty()) {
    in.has_other = true;
    in.other = open_input(context, test, job.read, inputs);
    if (in.other.test.empty() && test != job.data) {
      context.listener().note(
          text("reading ", test, ": has one split, whose ", in.other.train.n, " samples are the test split"));
      in.other.test = std::move(in.other.train);
      in.other.train = Split();
    }
    match_classes(in.other, test, in.data.class_names, job.data, context.listener());
    NTKROB_CHECK(!in.other.test.empty(), ConfigError, field("test"), ": ", test, " has no test split");
  }
  check_two_classes(in.data, job.data);
  return in;
}

std::string train_plan(const TrainJob& job, const TrainInput& in, Context& context) {
  const Dataset& data = in.data;
  const Net net(job.model, data.shape, data.classes, parse_initialisation(job.init), job.train.seed, context.backend());
  TextCollector collector;
  visit_train_job(job, collector);
  return "options\n" + options_text(collector.texts) +
         text("data      ", job.data, ": ", data.train.n, " images, ", data.shape.size(), " pixels, ", data.classes,
              " classes\nnet       ", net.parameter_count(), " parameters\n") +
         backend_text(context);
}

TrainOutcome run_train(const TrainJob& job, const Dataset& data, const Dataset& test, Context& context) {
  check_train(job, context);
  check_train_data(job, data, test);
  const BatchAttack attack = batch_attack(job, data.shape.size());
  const Matrix<float> x = data.images("train");
  const Targets targets = training_targets(data);
  TrainOutcome outcome;
  const index batch = job.train.batch == 0 ? x.rows() : std::min(job.train.batch, x.rows());
  check_net_memory(job.model, data.shape, data.classes, batch, context.settings.memory.value, kept_copies(job.train));
  outcome.net = std::make_unique<Net>(job.model, data.shape, data.classes, parse_initialisation(job.init),
                                      job.train.seed, context.backend());
  if (job.zero_last_layer) outcome.net->zero_last_layer();
  const Stopwatch watch;
  Run run(run_options(job), context);
  {  // gradients and velocities are gone when the net is judged and written
    Trainer trainer(*outcome.net, x.view(), targets, job.train, attack);
    OptionTexts identity = resolved_options(job);
    identity.emplace_back("data", data.checksum());
    TrainSteps steps(trainer, std::move(identity), job.train.validation > 0);
    run.steps(steps);
    trainer.finish();
    outcome.selection = trainer.selection();
    if (outcome.selection.step > 0)
      context.listener().note(text(outcome.selection.ended ? text("ended after step ", trainer.steps_done(), "; ") : "",
                                   "kept the net of step ", outcome.selection.step, ", accuracy ",
                                   percent_text(outcome.selection.accuracy), " on the ", job.train.validation,
                                   " images held out"));
  }
  outcome.seconds = watch.seconds();
  outcome.loss = mean_loss(*outcome.net, x.view(), targets, job.train.loss);
  outcome.accuracy = accuracy(*outcome.net, x.view(), targets.labels);
  if (!test.test.empty()) {
    const std::vector<int> predicted = predictions(all_logits(*outcome.net, test.images("test").view()).view());
    outcome.test_classes = class_report(test.test.labels, predicted, data.classes, test.class_names);
    outcome.test_accuracy = outcome.test_classes.accuracy();
  }
  if (job.output.empty()) return outcome;
  save_state(model_state(job, outcome, data), kModelSchema, job.output, context.settings.force);
  run.finish();
  return outcome;
}

void check_train(const TrainJob& job, Context& context) {
  visit_train_job(job, FieldChecker());
  job.train.validate();
  NTKROB_CHECK(job.train.parameterisation != "ntk" || job.init == "ntk", ConfigError, field("parameterisation"),
               " is ntk, whose omega are drawn from N(0, 1), but ", field("init"), " is ", given(job.init), "; ",
               advice("take ", field("init", "ntk")));
  if (!job.output.empty()) check_output(job.output, context.settings.force);
  if (!job.log.empty()) check_output(job.log, context.settings.force || job.resume);
  Run::check(run_options(job), context);
}

StateDict model_state(const TrainJob& job, const TrainOutcome& outcome, const Dataset& data) {
  StateDict state = outcome.net->state();
  store_class_names(state, data.class_names);
  store_features(state, data);
  const Provenance p = made_from(data, job.data, job.read);
  state.set("provenance/library_version", p.library_version);
  state.set("provenance/command", canonical_command("train", job.data, resolved_options(job), job.read));
  state.set("provenance/parent", p.parent);
  state.set("provenance/parent_checksum", p.parent_checksum);
  for (std::size_t k = 0; k < p.chain.size(); ++k) state.set(text("provenance/chain/", k), p.chain[k]);
  for (std::size_t k = 0; k < p.reading.size(); ++k) state.set(text("provenance/reading/", k), p.reading[k]);
  add_threat(job, data, state);
  return state;
}

}  // namespace ntkrob::jobs
