/// The train job: a net, plain gradient descent on a data set, accuracy before saving.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "ntkrob/data/dataset.hpp"
#include "ntkrob/data/format.hpp"
#include "ntkrob/jobs/class_report.hpp"
#include "ntkrob/jobs/context.hpp"
#include "ntkrob/nn/trainer.hpp"

namespace ntkrob::jobs {

struct TrainJob {
  std::string data;  // file name, for messages and provenance
  std::string model = "mlp:256,128";
  std::string init = "uniform";
  bool zero_last_layer = false;
  TrainOptions train;
  /// The named baseline (Madry et al. 2018): every batch is attacked by PGD first. Not plain training.
  bool adversarial = false;
  std::string norm = "linf";
  double eps = 0.1;
  index attack_steps = 7;
  ReadOptions read;         // how the data were read, for provenance
  std::string output;       // the net: HDF5 or NPZ; empty: it is not written
  std::string checkpoint;   // empty: <output>.ckpt.h5, or none
  bool keeps_state = true;  // false: no checkpoint at all
  std::string log;          // CSV, a line per step; empty: none
  bool resume = false;

  /// Empty: none is kept.
  std::string checkpoint_path() const;
};

template <class Job, class Visitor>
void visit_train_job(Job& j, Visitor&& visitor) {
  visitor("model", j.model, "net, e.g. mlp:256,128 (hidden widths) or cnn:small, or its layers");
  visitor("init", j.init, "uniform | he | ntk", among("uniform|he|ntk"));
  visitor("zero-last-layer", j.zero_last_layer, "begin with weights and biases of the last layer at 0");
  visit_train(j.train, visitor);
  visitor("adversarial", j.adversarial, "the adversarial-training baseline: PGD examples in every batch");
  visitor("norm", j.norm, "linf | l2, of adversarial", among("linf|l2"));
  visitor("eps", j.eps, "radius of adversarial in pixel units, e.g. 0.1 or 8/255", at_least(0, "pixels"));
  visitor("attack-steps", j.attack_steps, "PGD steps of adversarial", within(1, 100'000));
}

/// The weight decay of a training for which nobody named one, and the line that says so.
struct DecayChoice {
  double weight_decay = 0;
  std::string note;  // empty: there is nothing to say
};

/// On a set that `robustify` optimised against attacks (its provenance says so) the decay that keeps most of what the
/// set can give, whatever the net and its initialisation: bench/results/mnist-adv-kip.md. Elsewhere, and for
/// --adversarial, 0. On MNIST itself that decay would cost one to two points of clean accuracy.
DecayChoice choose_decay(const TrainJob& job, const Dataset& data);

/// What it works on.
struct TrainInput {
  Dataset data;
  Dataset other;  // of `test`
  bool has_other = false;
  /// The data whose test split is judged.
  const Dataset& test() const { return has_other ? other : data; }
};
/// Opens the data of the job and the set `test` (empty: none), of which the test split is taken, or all of a file that
/// has one split; its classes are numbered as those of the data.   throws: ConfigError; as open_input
TrainInput open_train(const TrainJob& job, const std::string& test, Context& context);
/// Options, data, net and backend, lines of text.
std::string train_plan(const TrainJob& job, const TrainInput& in, Context& context);

struct TrainOutcome {
  std::unique_ptr<Net> net;
  double loss = 0;      // mean over the training set, after training
  double accuracy = 0;  // on the training set
  std::optional<double> test_accuracy;
  ClassReport test_classes;  // of the test split, where there is one
  double seconds = 0;
  Selection selection;  // by images held out, where there are any
};

/// Trains on the training split of data, writes the net and removes the checkpoint; test (may be empty) is for the
/// accuracy only.
///   throws: Interrupted after Ctrl-C, with the checkpoint written; as Net, Trainer
TrainOutcome run_train(const TrainJob& job, const Dataset& data, const Dataset& test, Context& context);

/// Refuses before files are read what can be refused: options, a checkpoint in the way.   throws: as Run::check
void check_train(const TrainJob& job, Context& context);
/// Every option that means something for this job; switches of the training that are off are left out.
OptionTexts resolved_options(const TrainJob& job);
/// The net with how it came to be.
StateDict model_state(const TrainJob& job, const TrainOutcome& outcome, const Dataset& data);

}  // namespace ntkrob::jobs
