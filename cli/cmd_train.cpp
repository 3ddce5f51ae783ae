/// ntkrob train: plain gradient descent on a data file.
#include <iostream>
#include <nlohmann/json.hpp>

#include "command.hpp"
#include "image_choice.hpp"
#include "input.hpp"
#include "json_text.hpp"
#include "ntkrob/data/format.hpp"
#include "ntkrob/optim/optimizer.hpp"
#include "train_job.hpp"

namespace ntkrob::cli {

namespace {

struct TrainParams {
  TrainJob job;
  bool chooses_decay = true;  // nobody has named one
  std::string test, output, json;
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

/// The set of --test: its test split, or all of a file that has one split only; classes are those of the training set.
void take_as_test(Dataset& other, const TrainParams& p, const Dataset& data, Session& session) {
  if (other.test.empty() && p.test != p.job.data) {
    session.console.note(
        text("reading ", p.test, ": has one split, whose ", other.train.n, " samples are the test split"));
    other.test = std::move(other.train);
    other.train = Split();
  }
  match_classes(other, p.test, data.class_names, p.job.data, session.console);
}

void train_net(TrainParams& p, Session& session) {
  const bool force = session.globals.force;
  p.job.train.validate();
  check_output(p.output, force);
  if (!p.json.empty()) check_output(p.json, force);
  if (p.job.checkpoint.empty()) p.job.checkpoint = p.output + ".ckpt" + state_extension();
  check_train_checkpoint(p.job, session);
  const std::size_t inputs = p.test.empty() ? 1 : 2;
  const Dataset data = open_input(session, p.job.data, p.job.read, inputs);
  Dataset other = p.test.empty() ? Dataset() : open_input(session, p.test, p.job.read, inputs);
  if (!p.test.empty()) take_as_test(other, p, data, session);
  const Dataset& test = p.test.empty() ? data : other;
  NTKROB_CHECK(p.test.empty() || !test.test.empty(), ConfigError, "test: ", p.test, " has no test split");
  check_two_classes(data, p.job.data);
  if (p.chooses_decay) {
    const DecayChoice choice = choose_decay(p.job, data);
    p.job.train.weight_decay = choice.weight_decay;
    if (!choice.note.empty()) session.console.note(choice.note);
  }
  if (session.globals.dry_run || session.globals.explain) {
    const Net net(p.job.model, data.shape, data.classes, parse_initialisation(p.job.init), p.job.train.seed,
                  session.backend());
    TextCollector collector;
    visit_train_job(p.job, collector);
    std::cout << "options\n"
              << options_text(collector.texts) << "data      " << p.job.data << ": " << data.train.n << " images, "
              << data.shape.size() << " pixels, " << data.classes << " classes\nnet       " << net.parameter_count()
              << " parameters\n"
              << session.backend_text();
  }
  if (session.globals.dry_run) return;
  const TrainOutcome outcome = run_train(p.job, data, test, session);
  save_state(model_state(p.job, outcome, data), kModelSchema, p.output, force);
  if (!p.json.empty()) write_text(p.json, json_text(train_json(p.job, outcome, session)), force);
  remove_train_checkpoint(p.job, session);
  std::cout << "training  loss " << number_text(outcome.loss) << ", accuracy " << percent_text(outcome.accuracy)
            << "\n";
  if (outcome.test_accuracy) std::cout << "test      accuracy " << percent_text(*outcome.test_accuracy) << "\n";
  session.console.note(text("wrote ", p.output, ": ", outcome.net->parameter_count(), " parameters, in ",
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
  set.add_output(p->output, Use::writes_state, "the trained net: HDF5, or NPZ where it ends in .npz");
  set.add("json", p->json, "write a report to FILE").type = "FILE";
  set.add("checkpoint", p->job.checkpoint, "state for --resume; default: <output>.ckpt.h5").type = "FILE";
  set.add("resume", p->job.resume, "go on from the checkpoint, bit-identically; needs the same options");
  command.examples = {"ntkrob train robust.h5 --model cnn:small --test mnist.h5 -o net.h5",
                      "ntkrob train mnist.h5 --loss ce --epochs 10 --batch 128 --lr 0.1 -o plain.h5",
                      "ntkrob train mnist.h5 --model cnn:small --init he --loss ce --epochs 5 --lr 0.05 -o cnn.h5",
                      "ntkrob train mnist.h5 --loss ce --epochs 10 --adversarial --eps 0.1 -o madry.h5"};
  command.notes = [] { return list_text("Nets:", net_help()) + "\n" + list_text("Schedules:", schedule_help()); };
  command.files = [p]() -> std::vector<FileUse> {
    if (!p->job.checkpoint.empty() || p->output.empty()) return {};
    return {{"the checkpoint of --output", p->output + ".ckpt" + state_extension(), Use::keeps}};
  };
  command.run = [p](Session& session) { train_net(*p, session); };
  return command;
}

}  // namespace ntkrob::cli
