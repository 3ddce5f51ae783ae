#include "robustify_job.hpp"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "checkpoint.hpp"
#include "image_choice.hpp"
#include "input.hpp"
#include "ntkrob/base/spec_text.hpp"
#include "ntkrob/data/format.hpp"
#include "ntkrob/krr/machine.hpp"
#include "ntkrob/model/classes.hpp"
#include "ntkrob/version.hpp"
#include "outputs.hpp"

namespace ntkrob::cli {

namespace {

constexpr char kLogHeader[] =
    "step,loss,adversarial,eps,lr,gradient_norm,lambda,validation_clean,validation_robust,seconds";

/// The canonical command: every option written out, file names without folders, so that the text is the same for an
/// interrupted and an uninterrupted run.
std::string canonical_command(const RobustifyJob& job) {
  std::string line = "ntkrob robustify " + file_name(job.data);
  for (const auto& [name, value] : option_texts(job.options)) {
    if (name == "kernel")
      for (const std::string& spec : split_kernels(value)) line += " --kernel " + spec;
    else if (value == "true" || value == "false")
      line += (value == "true" ? " --" : " --no-") + name;
    else
      line += " --" + name + " " + value;
  }
  return line + read_arguments(job.read);
}

/// Metrics as CSV, a row per step, flushed. A resumed run first drops the rows after its checkpoint. A disk that is
/// full while the work goes on costs the rest of the log, and not the result: one warning, and an error at the end.
class CsvLog {
 public:
  CsvLog(const std::string& path, index steps_done, Session& session) : path_(path), session_(session) {
    if (path.empty()) return;
    std::string kept = std::string(kLogHeader) + "\n";
    if (steps_done > 0) {
      std::ifstream old(path);
      std::string line;
      for (std::getline(old, line); std::getline(old, line);)
        if (!line.empty() && std::atoll(line.c_str()) <= steps_done) kept += line + "\n";
    }
    write_text(path, kept, true);
    file_.open(path, std::ios::app);
    NTKROB_CHECK(file_.good(), ResourceError, "cannot append to ", path);
  }
  void append(const StepRecord& r) {
    if (path_.empty() || !file_.good()) return;
    file_ << r.step;
    for (const double v : {r.loss, r.adversarial, r.eps, r.lr, r.gradient_norm, r.lambda})
      file_ << "," << format_number(v);
    if (r.validated)
      file_ << "," << format_number(r.validation_clean) << "," << format_number(r.validation_robust);
    else
      file_ << ",,";
    file_ << "," << r.seconds << "\n" << std::flush;
    if (file_.good()) return;
    session_.late_error = text("the log ", path_, " ends before step ", r.step,
                               ", where it could not be written: is the disk full? The other outputs are complete");
    session_.console.warn(
        text("cannot append step ", r.step, " to the log ", path_, ": is the disk full? The run goes on"));
  }

 private:
  std::string path_;
  Session& session_;
  std::ofstream file_;
};

Dataset make_result(const RobustifyJob& job, const Dataset& data, const Robustifier& robustifier, Session& session,
                    index& best_step) {
  RobustSet set = robustifier.result();
  best_step = set.best_step;
  Dataset robust;
  robust.shape = data.shape;
  robust.classes = data.classes;
  robust.class_names = data.class_names;
  robust.feature_names = data.feature_names;
  robust.feature_low = data.feature_low;
  robust.feature_high = data.feature_high;
  robust.beyond_range = !job.options.clip;
  robust.train.n = set.images.rows();
  robust.train.pixels = std::move(set.images);
  robust.train.labels = std::move(set.labels);
  if (job.options.learn_labels) robust.train.targets = std::move(set.targets);

  Provenance& p = robust.provenance;
  p.library_version = kVersion;
  p.command = canonical_command(job);
  p.options = option_texts(job.options);
  p.options.emplace_back("backend", session.backend().info().name);
  p.options.emplace_back("best-step", std::to_string(set.best_step));
  p.parent = file_name(job.data);
  p.reading = reading_record(data, job.read, job.data);
  p.parent_checksum = data.checksum();
  std::vector<double> loss, adversarial, step, clean, robust_accuracy;
  for (const StepRecord& r : robustifier.history()) {
    loss.push_back(r.loss);
    adversarial.push_back(r.adversarial);
    if (!r.validated) continue;
    step.push_back(static_cast<double>(r.step));
    clean.push_back(r.validation_clean);
    robust_accuracy.push_back(r.validation_robust);
  }
  p.curves = {{"loss", loss}, {"adversarial", adversarial}};
  if (!step.empty()) {
    p.curves.emplace_back("validation_step", step);
    p.curves.emplace_back("validation_clean", clean);
    p.curves.emplace_back("validation_robust", robust_accuracy);
  }
  p.initial_images = std::move(set.initial_images);
  return robust;
}

CheckpointOptions checkpoint_options(const RobustifyJob& job) {
  return {"robustify", job.checkpoint_path(), job.resume};
}

std::string step_text(const StepRecord& r, index steps, double seconds_per_step) {
  char line[160];
  std::snprintf(line, sizeof line, "step %td/%td  loss %.4f  adversarial %.1f %%  eps %.4g  %.1f steps/min  %s left",
                r.step, steps, r.loss, 100 * r.adversarial, r.eps, 60 / std::max(1e-9, seconds_per_step),
                duration_text(seconds_per_step * static_cast<double>(steps - r.step)).c_str());
  return line;
}

/// What is known of the result before the work, to see whether its format can hold it.
Dataset like_result(const RobustifyJob& job, const Dataset& data) {
  Dataset like;
  like.shape = data.shape;
  like.classes = data.classes;
  like.class_names = data.class_names;
  like.beyond_range = !job.options.clip;
  if (job.options.learn_labels) like.train.targets = Matrix<float>(1, data.classes);
  return like;
}

/// Refuses before the work what would be refused after it.
void check_files(const RobustifyJob& job, Session& session) {
  const bool force = session.globals.force;
  check_output(job.output, force);
  if (!job.log.empty()) check_output(job.log, force || job.resume);
  Checkpoint::check(checkpoint_options(job), session);
}

/// Steps to the end.   throws: Interrupted, with the last finished step in the checkpoint
void run_steps(const RobustifyJob& job, Robustifier& robustifier, Checkpoint& checkpoint, Session& session) {
  const index resumed_at = robustifier.steps_done(), steps = job.options.steps;
  CsvLog log(job.log, resumed_at, session);
  std::optional<InterruptScope> interrupt;
  if (checkpoint.kept()) interrupt.emplace(session.backend());
  const Stopwatch watch;
  try {
    while (!robustifier.done()) {
      const StepRecord record = robustifier.step();
      log.append(record);
      const double per_step = watch.seconds() / static_cast<double>(record.step - resumed_at);
      session.console.progress(step_text(record, steps, per_step), record.step, steps);
      if (robustifier.done()) return;
      InterruptScope::look();
      if (record.step % job.options.checkpoint_every == 0 || checkpoint.due()) checkpoint.save(robustifier.state());
    }
  } catch (const Interrupted&) {
    interrupt->answered();
    if (robustifier.steps_done() > resumed_at) checkpoint.save(robustifier.state());
    checkpoint.give_up(text("interrupted after step ", robustifier.steps_done(), " of ", steps));
  }
}

}  // namespace

RobustifyOutcome run_robustify(const RobustifyJob& job, const Dataset& data, Session& session) {
  job.options.validate();
  check_two_classes(data, job.data);
  check_files(job, session);
  check_holds(like_result(job, data), job.output);
  const Matrix<float> images = data.images("train");
  TrainingData training{images.view(), &data.train.labels, data.classes, data.shape, &data.class_names};
  Robustifier robustifier(job.options, training, session.backend(), session.globals.memory.value,
                          session.console.sink());
  Checkpoint checkpoint(checkpoint_options(job), session);
  if (job.resume) checkpoint.load([&](const StateDict& state) { robustifier.restore(state); });

  RobustifyOutcome outcome;
  outcome.resumed_at = robustifier.steps_done();
  outcome.duplicates_dropped = robustifier.duplicates_dropped();
  if (outcome.resumed_at > 0) session.console.note(text("resumed after step ", outcome.resumed_at));
  const Stopwatch watch;
  run_steps(job, robustifier, checkpoint, session);
  outcome.robust = make_result(job, data, robustifier, session, outcome.best_step);
  outcome.history = robustifier.history();
  outcome.seconds = watch.seconds();
  save_dataset(outcome.robust, job.output, session.globals.force);
  checkpoint.finish();
  say_left_out(session, outcome.robust, job.output);
  return outcome;
}

Dataset originals_of(const Dataset& robust, const std::string& file) {
  const Matrix<float>& initial = robust.provenance.initial_images;
  NTKROB_CHECK(!initial.empty() && initial.rows() == robust.train.n, ConfigError, "initial: ", file, " stores ",
               initial.rows(), " initial images for ", robust.train.n,
               " training images; only results of ntkrob robustify have them");
  Dataset originals;
  originals.shape = robust.shape;
  originals.classes = robust.classes;
  originals.class_names = robust.class_names;
  originals.feature_names = robust.feature_names;
  originals.feature_low = robust.feature_low;
  originals.feature_high = robust.feature_high;
  originals.train.n = robust.train.n;
  originals.train.pixels = initial;
  originals.train.labels = robust.train.labels;
  return originals;
}

std::optional<Threat> optimised_against(const Dataset& data) {
  const Provenance& p = data.provenance;
  if (p.command.rfind("ntkrob robustify ", 0) != 0) return std::nullopt;
  Threat threat;
  for (const auto& [name, value] : p.options) {
    if (name == "norm") threat.norm = value;
    if (name == "eps") threat.eps = std::strtod(value.c_str(), nullptr);
  }
  if (threat.norm.empty() || !(threat.eps > 0)) return std::nullopt;
  return threat;
}

std::string robustify_plan(const RobustifyJob& job, const Dataset& data, Session& session) {
  check_two_classes(data, job.data);
  const RobustifyOptions& o = job.options;
  const index d = data.shape.size();
  KernelOptions kernel_options;
  kernel_options.memory_budget = session.globals.memory.value;
  kernel_options.shape = data.shape;
  const Factor factor = parse_factor(o.factor);
  std::string plans;
  std::size_t gram = 0;  // the same for each kernel
  for (const std::string& spec : split_kernels(o.kernel)) {
    const Kernel kernel(KernelSpec::parse(spec), session.backend(), kernel_options);
    plans += block_text("attack", kernel.explain(Verb::grad, o.batch, o.n, d, data.classes)) +
             block_text("support", kernel.explain(Verb::grad, o.n, o.n, d, 2 * data.classes));
    gram = o.precision == "float64" ? machine_bytes<double>(kernel, o.n, factor)
                                    : machine_bytes<float>(kernel, o.n, factor);
  }
  return "options\n" + options_text(option_texts(o)) +
         text("data      ", job.data, ": ", data.train.n, " images, ", d, " pixels, ", data.classes, " classes\n") +
         session.backend_text() + "Gram      " +
         (factor == Factor::refined ? "matrix, float32 factor" : "float64 factor") +
         " and inner products: " + bytes_text(static_cast<double>(gram)) + " for each kernel\n" + plans;
}

nlohmann::ordered_json robustify_json(const RobustifyJob& job, const RobustifyOutcome& outcome, Session& session) {
  nlohmann::ordered_json json;
  json["schema"] = "ntkrob.robustify/1";
  json["version"] = kVersion;
  json["data"] = job.data;
  json["reading"] = readings_json(session);
  json["data_checksum"] = outcome.robust.provenance.parent_checksum;
  json["output"] = job.output;
  json["backend"] = session.backend().info().description;
  for (const auto& [name, value] : option_texts(job.options)) json["options"][name] = value;
  json["n"] = outcome.robust.train.n;
  json["class_names"] = outcome.robust.class_names;
  json["class_counts"] = class_counts(outcome.robust.train.labels, outcome.robust.classes);
  json["steps"] = outcome.history.size();
  json["best_step"] = outcome.best_step;
  json["duplicates_dropped"] = outcome.duplicates_dropped;
  json["resumed_at"] = outcome.resumed_at;
  json["seconds"] = outcome.seconds;
  auto& steps = json["curve"] = nlohmann::ordered_json::array();
  for (const StepRecord& r : outcome.history) {
    nlohmann::ordered_json row{{"step", r.step},     {"loss", r.loss},      {"adversarial", r.adversarial},
                               {"eps", r.eps},       {"lr", r.lr},          {"gradient_norm", r.gradient_norm},
                               {"lambda", r.lambda}, {"seconds", r.seconds}};
    if (r.validated) {
      row["validation_clean"] = r.validation_clean;
      row["validation_robust"] = r.validation_robust;
    }
    steps.push_back(std::move(row));
  }
  return json;
}

}  // namespace ntkrob::cli
