#include "ntkrob/jobs/evaluate_files.hpp"

#include "ntkrob/exchange/device.hpp"
#include "ntkrob/jobs/device.hpp"
#include "ntkrob/jobs/image_choice.hpp"
#include "ntkrob/jobs/input.hpp"

namespace ntkrob::jobs {

namespace {

/// The report calls classes as the data do, or as the model does where the data have no names.
void use_names(EvaluateJob& job, const std::vector<std::string>& of_model, Dataset& data, Context& context) {
  match_classes(data, job.data, of_model, job.model, context.listener());
  job.class_names = data.class_names.empty() ? of_model : data.class_names;
}

/// The float32 net under the attacks of the list, on the n samples that --fast takes, without report files.
EvaluateOutcome evaluate_float32(const EvaluateFiles& p, index n, const Net& net, const Dataset& data,
                                 Context& context) {
  EvaluateJob job = p.job;
  job.model = job.source;
  job.source.clear();
  job.int8 = job.resume = false;
  job.checks = "off";
  std::string attacks;
  for (const std::string& attack : p.job.attack_list().specs())
    if (transfer_spec(attack).empty()) attacks += (attacks.empty() ? "" : ",") + attack;
  job.attacks = attacks;
  if (job.fast) job.n = n;
  job.fast = false;
  job.json.clear();
  job.html.clear();
  job.checkpoint.clear();
  return run_evaluate(job, net, nullptr, data, context);
}

/// Judges the net after quantisation, and beside it the net.
EvaluatedFiles evaluate_int8(EvaluateFiles& p, Dataset& data, Context& context) {
  const StateDict state = load_state(p.model, kModelSchema, {context.settings.memory.value});
  const Net net(state, context.backend());
  use_names(p.job, stored_class_names(state), data, context);
  const Int8Model model(net, calibration_images(p.job.calibrate, net, p.read, context).view());
  EvaluatedFiles evaluated;
  evaluated.outcome = run_evaluate(p.job, model, &net, data, context);
  const auto n = static_cast<index>(evaluated.outcome.samples.size());
  evaluated.float32 = evaluate_float32(p, n, net, data, context);
  return evaluated;
}

}  // namespace

void check_evaluate_files(EvaluateFiles& p, Context& context) {
  const bool machine = !p.machine.kernel.empty() || !p.machine.support.empty();
  NTKROB_CHECK(p.model.empty() == machine, ConfigError, "name either a MODEL file, or a kernel machine by ",
               field("kernel"), " and ", field("support"));
  check_model_choice(p.model, p.machine, ModelNeed::one, "evaluate");
  NTKROB_CHECK(p.source.kernel.empty() == p.source.support.empty(), ConfigError, field("source-kernel"), " and ",
               field("source-support"), " belong together: give both or none");
  NTKROB_CHECK(p.transfer_from.empty() || p.source.kernel.empty(), ConfigError,
               "name one source of transferred attacks: ", field("transfer-from"), ", or ", field("source-kernel"),
               " and ", field("source-support"));
  p.job.seed = context.settings.seed;
  p.job.data = p.data;
  p.job.model = model_text(p.model, p.machine);
  p.job.source = model_text(p.transfer_from, p.source);
  if (p.job.int8) {
    NTKROB_CHECK(!machine, ConfigError, field("int8"), " is about nets, not about kernel machines");
    NTKROB_CHECK(p.job.source.empty(), ConfigError, "with ", field("int8"),
                 " attacks named transfer(ATTACK) are made on the float32 net; leave the other source out");
    p.job.source = p.model + ", float32";
    p.job.model = text(p.model, ", int8, calibrated on ", p.job.calibrate);
  }
  check_evaluate(p.job, context);
}

Dataset open_evaluate(const EvaluateFiles& p, Context& context) {
  const bool others = !p.machine.support.empty() || !p.source.support.empty() || !p.job.calibrate.empty();
  // What was trained on says how features are scaled.
  if (!p.model.empty())
    adopt_features(context, load_state(p.model, kModelSchema, {context.settings.memory.value}), p.model);
  if (!p.machine.support.empty() && p.read.value_range == "columns") open_input(context, p.machine.support, p.read, 2);
  Dataset data = open_input(context, p.data, p.read, others ? 2 : 1);
  ThreatModel::of(p.job.norm, p.job.eps, data.shape.size());  // refused before the models are made
  return data;
}

std::string evaluate_plan(const EvaluateFiles& p, const Dataset& data, Context& context) {
  TextCollector collector;
  visit_evaluate(p.job, collector);
  if (!p.machine.kernel.empty()) visit_machine(p.machine, collector);
  const std::string lines =
      "model     " + p.job.model + "\noptions\n" + options_text(collector.texts) + backend_text(context);
  if (p.machine.kernel.empty()) return lines;
  KernelOptions options;
  options.memory_budget = context.settings.memory.value;
  options.shape = data.shape;
  const Dataset support = open_input(context, p.machine.support, p.read, 2);
  const index n = support_size(p.machine, support);
  const Kernel kernel(*p.machine.kernel, context.backend(), options);
  return lines + block_text("attack", kernel.explain(Verb::grad, p.job.batch, n, data.shape.size(), data.classes) +
                                          explain_machine(p.machine, support, context));
}

EvaluatedFiles run_evaluate_files(EvaluateFiles& p, Dataset& data, Context& context) {
  if (p.job.int8) return evaluate_int8(p, data, context);
  EvaluatedFiles evaluated;
  evaluated.machine = open_model(p.model, p.machine, p.read, context);
  const Machine source = open_model(p.transfer_from, p.source, p.read, context);
  p.job.fitted_classes = evaluated.machine.fitted_classes;
  use_names(p.job, evaluated.machine.class_names, data, context);
  evaluated.outcome = run_evaluate(p.job, *evaluated.machine.model, source.model.get(), data, context);
  evaluated.machine.model.reset();
  return evaluated;
}

Report evaluated_report(const EvaluateFiles& p, const EvaluatedFiles& evaluated, const Context& context) {
  Report report = evaluate_report(p.job, evaluated.outcome);
  report["reading"] = readings_report(context);
  if (evaluated.float32) {
    report["dtype"] = "int8";
    report["float32"] = float32_report(*evaluated.float32);
  }
  if (const Report solve = solve_report(evaluated.machine); !solve.is_null()) report["solve"] = solve;
  return report;
}

}  // namespace ntkrob::jobs
