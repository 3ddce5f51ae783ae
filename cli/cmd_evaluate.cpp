/// ntkrob evaluate: attacks on a net or on a kernel machine.
#include <iostream>
#include <nlohmann/json.hpp>

#include "command.hpp"
#include "evaluate_job.hpp"
#include "machine_job.hpp"
#include "ntkrob/data/format.hpp"
#include "ntkrob/kernel/kernel.hpp"
#include "ntkrob/nn/net.hpp"

namespace ntkrob::cli {

namespace {

struct EvaluateParams {
  std::string model, data, json;
  MachineJob machine;
  EvaluateJob job;
};

Machine open_model(const EvaluateParams& p, Session& session) {
  if (!p.model.empty())
    return {std::make_unique<Net>(load_state(p.model, "ntkrob.model/1"), session.backend()), nullptr};
  const Dataset support = open_dataset({p.machine.support});
  return make_machine(p.machine, support, session);
}

/// All that can be refused before files are read.
void check(EvaluateParams& p, Session& session) {
  const bool machine = !p.machine.kernel.empty() || !p.machine.support.empty();
  NTKROB_CHECK(p.model.empty() != !machine, ConfigError,
               "name either a MODEL file, or a kernel machine by --kernel and --support");
  NTKROB_CHECK(!machine || !p.machine.kernel.empty(), ConfigError, "--support needs --kernel");
  NTKROB_CHECK(!machine || !p.machine.support.empty(), ConfigError, "--kernel needs --support");
  if (machine) check_machine(p.machine);
  if (!p.json.empty()) check_output(p.json, session.globals.force);
  for (const std::string& attack : split_list(p.job.attacks, "attacks")) make_attack(attack);
  parse_norm(p.job.norm);
  p.job.seed = session.globals.seed;
  p.job.data = p.data;
  p.job.model = machine ? "kernel " + p.machine.kernel + " on " + p.machine.support : p.model;
  if (p.machine.n > 0) p.job.model += text(", ", p.machine.n, " images");
}

void evaluate_model(EvaluateParams& p, Session& session) {
  check(p, session);
  const Dataset data = open_dataset({p.data});
  ThreatModel threat;
  threat.norm = parse_norm(p.job.norm);
  threat.eps = static_cast<float>(p.job.eps);
  threat.validate(data.shape.size());
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
      const Dataset support = open_dataset({p.machine.support});
      const index n = support_size(p.machine, support);
      const Kernel kernel(KernelSpec::parse(p.machine.kernel), session.backend(), options);
      std::cout << block_text("attack", kernel.explain(Verb::grad, p.job.batch, n, data.shape.size(), data.classes) +
                                            explain_machine(p.machine, support, session));
    }
  }
  if (session.globals.dry_run) return;
  const Machine machine = open_model(p, session);
  const EvaluateReport report = run_evaluate(p.job, *machine.model, data, session);
  if (!p.json.empty()) {
    nlohmann::ordered_json json = evaluate_json(p.job, report, data);
    if (!machine.solve.is_null()) json["solve"] = machine.solve;
    write_text(p.json, json.dump(2) + "\n", session.globals.force);
  }
  std::cout << evaluate_text(p.job, report);
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
  set.add("json", p->json, "write the report, per sample too, to FILE").type = "FILE";
  command.examples = {
      "ntkrob evaluate net.h5 --data mnist.h5 --eps 0.1 --attacks clean,fgsm,pgd-40 --json report.json",
      "ntkrob evaluate net.h5 --data cifar10.h5 --eps 8/255 --attacks 'clean,pgd-40,pgd-40(loss=margin)' --n 1000",
      "ntkrob evaluate --kernel fc:3 --support robust.h5 --data mnist.h5 --norm l2 --eps 1.5",
      "ntkrob evaluate --kernel fc:2 --support mnist.h5 --solver cg --memory 2G --data mnist.h5 --attacks clean"};
  command.notes = [] {
    return list_text("Attacks:", attack_help()) + "\n" + list_text("Kernels:", kernel_spec_help());
  };
  command.run = [p](Session& session) { evaluate_model(*p, session); };
  return command;
}

}  // namespace ntkrob::cli
