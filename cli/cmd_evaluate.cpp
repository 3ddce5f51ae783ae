/// ntkrob evaluate: attacks on a net or on a kernel machine.
#include <iostream>

#include "command.hpp"
#include "json_text.hpp"
#include "ntkrob/attack/attack.hpp"
#include "ntkrob/data/format.hpp"
#include "ntkrob/jobs/evaluate_files.hpp"
#include "ntkrob/kernel/spec.hpp"
#include "report/evaluate_report.hpp"

namespace ntkrob::cli {

namespace {

void evaluate_model(EvaluateFiles& files, Session& session) {
  check_evaluate_files(files, session);
  Dataset data = open_evaluate(files, session);
  if (session.globals.dry_run || session.globals.explain) std::cout << evaluate_plan(files, data, session);
  if (session.globals.dry_run) return;
  const EvaluatedFiles evaluated = run_evaluate_files(files, data, session);
  const EvaluateOutcome& outcome = evaluated.outcome;
  const EvaluateJob& job = files.job;
  const bool force = session.settings.force;
  if (!job.json.empty()) write_text(job.json, json_text(evaluated_report(files, evaluated, session)), force);
  if (!job.html.empty()) write_text(job.html, evaluate_html(job, outcome), force);
  remove_checkpoint(job, session);
  std::cout << printable(evaluate_text(job, outcome));
  if (evaluated.float32) std::cout << "\n" << beside_text(outcome, *evaluated.float32);
}

}  // namespace

Command make_evaluate() {
  auto p = std::make_shared<EvaluateFiles>();
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
  set.add_resume(p->job.checkpoint, p->job.resume, "state for --resume; default: <json or html>.ckpt.h5, else none");
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
