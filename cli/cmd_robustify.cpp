/// ntkrob robustify: adv-KIP on a data file.
#include <iostream>
#include <nlohmann/json.hpp>

#include "command.hpp"
#include "input.hpp"
#include "json_text.hpp"
#include "ntkrob/data/format.hpp"
#include "ntkrob/kernel/spec.hpp"
#include "ntkrob/optim/optimizer.hpp"
#include "robustify_job.hpp"

namespace ntkrob::cli {

namespace {

struct RobustifyParams {
  RobustifyJob job;
  std::string json;
};

void robustify(RobustifyParams& p, Session& session) {
  RobustifyJob& job = p.job;
  job.options.validate();
  const std::size_t dot = job.output.rfind('.');
  NTKROB_CHECK(dot == std::string::npos || job.output.substr(dot) != ".png", ConfigError, "--output: ", job.output,
               ": a picture has no labels and is no robust set; write .h5, and draw it by ntkrob show");
  check_output(job.output, session.globals.force);
  if (!p.json.empty()) check_output(p.json, session.globals.force);
  const Dataset data = open_input(session, job.data, job.read);
  if (session.globals.dry_run || session.globals.explain) std::cout << robustify_plan(job, data, session);
  if (session.globals.dry_run) return;
  const RobustifyOutcome outcome = run_robustify(job, data, session);
  if (!p.json.empty()) write_text(p.json, json_text(robustify_json(job, outcome, session)), session.globals.force);
  if (outcome.duplicates_dropped > 0)
    session.console.note(text("replaced ", outcome.duplicates_dropped, " near-duplicates in the initial draw"));
  session.console.note(text("wrote ", job.output, ": ", outcome.robust.train.n, " images, the set of step ",
                            outcome.best_step, " of ", job.options.steps, ", in ", duration_text(outcome.seconds)));
}

}  // namespace

Command make_robustify() {
  auto p = std::make_shared<RobustifyParams>();
  Command command;
  OptionSet& set = command.options;
  set.add_positional("DATA", p->job.data, "training data in any supported format").required = true;
  visit_robustify(p->job.options, set.bind());
  set.add("kernel", p->job.options.kernel, "").joiner = "|";
  add_read_options(set, p->job.read);
  set.add_output(p->job.output, Use::writes_set, "the robust set, HDF5");
  set.add("log", p->job.log, "write metrics of every step to this CSV file").type = "FILE";
  set.add("json", p->json, "write a report to FILE").type = "FILE";
  set.add("checkpoint", p->job.checkpoint, "checkpoint file; default: <output>.ckpt.h5").type = "FILE";
  set.add("resume", p->job.resume, "go on from the checkpoint, bit-identically; needs the same options");
  command.examples = {
      "ntkrob robustify mnist.h5 --kernel fc:3 --n 1000 --eps 0.1 --steps 200 -o robust.h5",
      "ntkrob robustify cifar10.h5 --eps 8/255 --batch 250 --log run.csv -o robust.h5",
      "ntkrob robustify mnist.h5 --kernel fc:1 --kernel fc:3 --eps 0.1 -o robust.h5      one set for both kernels",
      "ntkrob robustify mnist.h5 --eps 0.1 -o robust.h5 --resume          after Ctrl-C, with the same options"};
  command.files = [p]() -> std::vector<FileUse> {
    if (!p->job.checkpoint.empty()) return {};
    return {{"the checkpoint of --output", p->job.checkpoint_path(), Use::keeps}};
  };
  command.notes = [] {
    return list_text("Kernels:", kernel_spec_help()) + "\n" + list_text("Schedules:", schedule_help());
  };
  command.run = [p](Session& session) { robustify(*p, session); };
  return command;
}

}  // namespace ntkrob::cli
