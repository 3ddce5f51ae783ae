/// ntkrob evaluate: attacks on a net or on a kernel machine.
#include <iostream>
#include <nlohmann/json.hpp>

#include "command.hpp"
#include "device_file.hpp"
#include "evaluate_job.hpp"
#include "input.hpp"
#include "json_text.hpp"
#include "machine_job.hpp"
#include "ntkrob/base/printable.hpp"
#include "ntkrob/data/format.hpp"
#include "ntkrob/kernel/kernel.hpp"
#include "ntkrob/nn/device.hpp"
#include "report/evaluate_report.hpp"

namespace ntkrob::cli {

namespace {

struct EvaluateParams {
  std::string model, data;
  MachineJob machine;
  std::string transfer_from;
  MachineJob source;
  EvaluateJob job;
  ReadOptions read;
};

/// A net from a file, or a kernel machine; null where neither is named.
Machine open_model(const std::string& net, const MachineJob& machine, const ReadOptions& read, Session& session) {
  if (!net.empty()) {
    const StateDict state = load_state(net, kModelSchema);
    try {
      return {std::make_unique<Net>(state, session.backend()), nullptr, 0, stored_class_names(state)};
    } catch (const IoError& e) {
      throw IoError(text(net, ": ", e.what()));
    }
  }
  if (machine.kernel.empty()) return {};
  const Dataset support = open_input(session, machine.support, read, 2);
  Machine made = make_machine(machine, support, session);
  made.class_names = support.class_names;
  return made;
}

/// How a model is named in the report; empty where there is none.
std::string model_text(const std::string& net, const MachineJob& machine) {
  if (machine.kernel.empty()) return net;
  return text("kernel ", machine.kernel, " on ", machine.support,
              machine.n > 0 ? text(", ", machine.n, " images", machine.balanced ? ", balanced by class" : "") : "");
}

/// The report calls classes as the data do, or as the model does where the data have no names.
void use_names(EvaluateJob& job, const std::vector<std::string>& of_model, Dataset& data, Session& session) {
  match_classes(data, job.data, of_model, job.model, session.console);
  job.class_names = data.class_names.empty() ? of_model : data.class_names;
}

/// All that can be refused before files are read.
void check(EvaluateParams& p, Session& session) {
  const bool machine = !p.machine.kernel.empty() || !p.machine.support.empty();
  NTKROB_CHECK(p.model.empty() != !machine, ConfigError,
               "name either a MODEL file, or a kernel machine by --kernel and --support");
  NTKROB_CHECK(!machine || !p.machine.kernel.empty(), ConfigError, "--support needs --kernel");
  NTKROB_CHECK(!machine || !p.machine.support.empty(), ConfigError, "--kernel needs --support");
  NTKROB_CHECK(machine || (p.machine.n == 0 && !p.machine.balanced), ConfigError,
               "--n-support and --balanced-support are about kernel machines; give --kernel and --support");
  if (machine) check_machine(p.machine);
  NTKROB_CHECK(p.source.kernel.empty() == p.source.support.empty(), ConfigError,
               "--source-kernel and --source-support belong together: give both or none");
  NTKROB_CHECK(p.transfer_from.empty() || p.source.kernel.empty(), ConfigError,
               "name one source of transferred attacks: --transfer-from, or --source-kernel and --source-support");
  p.job.seed = session.globals.seed;
  p.job.data = p.data;
  p.job.model = model_text(p.model, p.machine);
  p.job.source = model_text(p.transfer_from, p.source);
  if (p.job.int8) {
    NTKROB_CHECK(!machine, ConfigError, "--int8 is about nets, not about kernel machines");
    NTKROB_CHECK(p.job.source.empty(), ConfigError,
                 "with --int8 attacks named transfer(ATTACK) are made on the float32 net; leave the other source out");
    p.job.source = p.model + ", float32";
    p.job.model = text(p.model, ", int8, calibrated on ", p.job.calibrate);
  }
  check_evaluate(p.job, session);
}

/// The float32 net under the attacks of the list, on the n samples that --fast takes, without report files.
EvaluateOutcome evaluate_float32(const EvaluateParams& p, index n, const Net& net, const Dataset& data,
                                 Session& session) {
  EvaluateJob job = p.job;
  job.model = job.source;
  job.source.clear();
  job.int8 = job.resume = false;
  job.checks = "off";
  std::string attacks;
  for (const std::string& attack : p.job.attack_list())
    if (transfer_spec(attack).empty()) attacks += (attacks.empty() ? "" : ",") + attack;
  job.attacks = attacks;
  if (job.fast) job.n = n;
  job.fast = false;
  job.json.clear();
  job.html.clear();
  job.checkpoint.clear();
  return run_evaluate(job, net, nullptr, data, session);
}

/// Judges the net after quantisation, and beside it the net.
void evaluate_int8(EvaluateParams& p, Dataset& data, Session& session) {
  const StateDict state = load_state(p.model, kModelSchema);
  const Net net(state, session.backend());
  use_names(p.job, stored_class_names(state), data, session);
  const Int8Model model(net, calibration_images(p.job.calibrate, net, p.read, session).view());
  const EvaluateOutcome outcome = run_evaluate(p.job, model, &net, data, session);
  const EvaluateOutcome beside = evaluate_float32(p, static_cast<index>(outcome.samples.size()), net, data, session);
  if (!p.job.json.empty()) {
    nlohmann::ordered_json json = evaluate_json(p.job, outcome);
    json["reading"] = readings_json(session);
    json["dtype"] = "int8";
    json["float32"] = float32_json(beside);
    write_text(p.job.json, json_text(json), session.globals.force);
  }
  if (!p.job.html.empty()) write_text(p.job.html, evaluate_html(p.job, outcome), session.globals.force);
  remove_checkpoint(p.job, session);
  std::cout << printable(evaluate_text(p.job, outcome)) << "\n" << beside_text(outcome, beside);
}

void evaluate_model(EvaluateParams& p, Session& session) {
  check(p, session);
  const bool others = !p.machine.support.empty() || !p.source.support.empty() || !p.job.calibrate.empty();
  // What was trained on says how features are scaled.
  if (!p.model.empty()) adopt_features(session, load_state(p.model, kModelSchema), p.model);
  if (!p.machine.support.empty() && p.read.value_range == "columns") open_input(session, p.machine.support, p.read, 2);
  Dataset data = open_input(session, p.data, p.read, others ? 2 : 1);
  ThreatModel::of(p.job.norm, p.job.eps, data.shape.size());  // refused before the models are made
  if (session.globals.dry_run || session.globals.explain) {
    TextCollector collector;
    visit_evaluate(p.job, collector);
    if (!p.machine.kernel.empty()) visit_machine(p.machine, collector);
    std::cout << "model     " << p.job.model << "\noptions\n"
              << options_text(collector.texts) << session.backend_text();
    if (!p.machine.kernel.empty()) {
      KernelOptions options;
      options.memory_budget = session.globals.memory.value;
      options.shape = data.shape;
      const Dataset support = open_input(session, p.machine.support, p.read, 2);
      const index n = support_size(p.machine, support);
      const Kernel kernel(KernelSpec::parse(p.machine.kernel), session.backend(), options);
      std::cout << block_text("attack", kernel.explain(Verb::grad, p.job.batch, n, data.shape.size(), data.classes) +
                                            explain_machine(p.machine, support, session));
    }
  }
  if (session.globals.dry_run) return;
  if (p.job.int8) return evaluate_int8(p, data, session);
  const Machine machine = open_model(p.model, p.machine, p.read, session);
  const Machine source = open_model(p.transfer_from, p.source, p.read, session);
  p.job.fitted_classes = machine.fitted_classes;
  use_names(p.job, machine.class_names, data, session);
  const EvaluateOutcome outcome = run_evaluate(p.job, *machine.model, source.model.get(), data, session);
  const bool force = session.globals.force;
  if (!p.job.json.empty()) {
    nlohmann::ordered_json json = evaluate_json(p.job, outcome);
    json["reading"] = readings_json(session);
    if (!machine.solve.is_null()) json["solve"] = machine.solve;
    write_text(p.job.json, json_text(json), force);
  }
  if (!p.job.html.empty()) write_text(p.job.html, evaluate_html(p.job, outcome), force);
  remove_checkpoint(p.job, session);
  std::cout << printable(evaluate_text(p.job, outcome));
}

}  // namespace

Command make_evaluate() {
  auto p = std::make_shared<EvaluateParams>();
  Command command;
  OptionSet& set = command.options;
  set.add_positional("MODEL", p->model, "a net written by ntkrob train");
  visit_machine(p->machine, set.bind());
  Option& data = set.add("data", p->data, "what to judge on");
  data.type = "FILE";
  data.required = true;
  visit_evaluate(p->job, set.bind());
  set.add("attacks", p->job.attacks, "").separator = ",";
  set.add("curve", p->job.curve, "").separator = ",";
  set.add("transfer-from", p->transfer_from, "net on which attacks named transfer(ATTACK) are made").type = "FILE";
  set.add("source-kernel", p->source.kernel, "make them on the kernel machine of this kernel instead");
  set.add("source-support", p->source.support, "support set of that machine").type = "FILE";
  add_read_options(set, p->read);
  set.add("json", p->job.json, "write the report, per sample too, to FILE").type = "FILE";
  set.add("html", p->job.html, "write it as a page for people, with curves and images, to FILE").type = "FILE";
  set.add("checkpoint", p->job.checkpoint, "state for --resume; default: <json or html>.ckpt.h5, else none").type =
      "FILE";
  set.add("resume", p->job.resume, "go on from the checkpoint, to the same report; needs the same options");
  command.examples = {
      "ntkrob evaluate net.h5 --data mnist.h5 --eps 0.1 --attacks clean,autoattack --json report.json --html "
      "report.html",
      "ntkrob evaluate net.h5 --data mnist.h5 --eps 0.1 --attacks 'transfer(pgd-40)' --transfer-from other.h5",
      "ntkrob evaluate net.h5 --data mnist.h5 --eps 0.1 --n 100 --balanced --fast",
      "ntkrob evaluate net.h5 --int8 --calibrate robust.h5 --data mnist.h5 --eps 0.1 --attacks clean,autoattack",
      "ntkrob evaluate net.h5 --data cifar10.h5 --eps 8/255 --attacks 'clean,pgd-40,pgd-40(loss=margin)' --n 1000",
      "ntkrob evaluate --kernel fc:3 --support robust.h5 --data mnist.h5 --norm l2 --eps 1.5",
      "ntkrob evaluate --kernel fc:2 --support mnist.h5 --solver cg --memory 2G --data mnist.h5 --attacks clean"};
  command.files = [p]() -> std::vector<FileUse> {
    if (!p->job.checkpoint.empty() || p->job.checkpoint_path().empty()) return {};
    return {{"the checkpoint of the report", p->job.checkpoint_path(), Use::keeps}};
  };
  command.notes = [] {
    return list_text("Attacks:", attack_help()) + "\n" + list_text("Kernels:", kernel_spec_help());
  };
  command.run = [p](Session& session) { evaluate_model(*p, session); };
  return command;
}

}  // namespace ntkrob::cli
