/// ntkrob train: plain gradient descent on a data file.
#include <iostream>

#include "command.hpp"
#include "json_text.hpp"
#include "ntkrob/data/format.hpp"
#include "ntkrob/jobs/input.hpp"
#include "ntkrob/jobs/train.hpp"
#include "ntkrob/optim/optimizer.hpp"

namespace ntkrob::cli {

namespace {

struct TrainParams {
  TrainJob job;
  bool chooses_decay = true;  // nobody has named one
  std::string test, json;
};

void add_decay(OptionSet& set, TrainParams& p) {
  Option& option = set.add("weight-decay", p.job.train.weight_decay, "");  // exists: visit_train declares it
  option.help = "L2 penalty; auto: 0.005 on a set that robustify has made, else 0";
  option.get = [&p] { return p.chooses_decay ? std::string("auto") : value_text(p.job.train.weight_decay); };
  option.set = [&p, number = option.set](const std::vector<std::string>& values) {
    p.chooses_decay = values.front() == "auto";
    p.chooses_decay ? void(p.job.train.weight_decay = 0) : number(values);
  };
}

void train_net(TrainParams& p, Session& session) {
  const bool force = session.settings.force;
  if (!p.json.empty()) check_output(p.json, force);
  check_train(p.job, session);
  const TrainInput in = open_train(p.job, p.test, session);
  if (p.chooses_decay) {
    const DecayChoice choice = choose_decay(p.job, in.data);
    p.job.train.weight_decay = choice.weight_decay;
    if (!choice.note.empty()) session.console.note(choice.note);
  }
  if (session.globals.dry_run || session.globals.explain) std::cout << train_plan(p.job, in, session);
  if (session.globals.dry_run) return;
  const TrainOutcome outcome = run_train(p.job, in.data, in.test(), session);
  if (!p.json.empty()) write_text(p.json, json_text(train_report(p.job, outcome, session)), force);
  std::cout << "training  loss " << number_text(outcome.loss) << ", accuracy " << percent_text(outcome.accuracy)
            << "\n";
  if (outcome.test_accuracy) std::cout << "test      accuracy " << percent_text(*outcome.test_accuracy) << "\n";
  session.console.note(text("wrote ", p.job.output, ": ", outcome.net->parameter_count(), " parameters, in ",
                            duration_text(outcome.seconds)));
}

}  // namespace

Command make_train() {
  auto p = std::make_shared<TrainParams>();
  Command command;
  OptionSet& set = command.options;
  set.add_positional("DATA", p->job.data, "training data in any supported format").required = true;
  visit_train_job(p->job, set.bind());
  add_decay(set, *p);
  set.add("test", p->test, "take the test split from FILE; default: that of DATA, if it has one").type = "FILE";
  add_read_options(set, p->job.read);
  set.add_output(p->job.output, Use::writes_state, "the trained net: HDF5, or NPZ where it ends in .npz");
  set.add("json", p->json, "write a report to FILE").type = "FILE";
  set.add("log", p->job.log, "write loss and accuracy of every step to this CSV file").type = "FILE";
  set.add_resume(p->job.checkpoint, p->job.resume, "state for --resume; default: <output>.ckpt.h5");
  command.examples = {"ntkrob train robust.h5 --model cnn:small --test mnist.h5 -o net.h5",
                      "ntkrob train mnist.h5 --loss ce --epochs 10 --batch 128 --lr 0.1 -o plain.h5",
                      "ntkrob train mnist.h5 --model cnn:small --init he --loss ce --epochs 5 --lr 0.05 -o cnn.h5",
                      "ntkrob train mnist.h5 --loss ce --epochs 10 --adversarial --eps 0.1 -o madry.h5"};
  command.notes = [] { return list_text("Nets:", net::net_help()) + "\n" + list_text("Schedules:", schedule_help()); };
  command.files = [p]() -> std::vector<FileUse> {
    if (!p->job.checkpoint.empty() || p->job.output.empty()) return {};
    return {{"the checkpoint of --output", p->job.checkpoint_path(), Use::keeps}};
  };
  command.run = [p](Session& session) { train_net(*p, session); };
  return command;
}

}  // namespace ntkrob::cli
