/// The predict job: what infinitely wide nets trained on a support set predict, and how sure they are.
#pragma once

#include <string>
#include <vector>

#include "ntkrob/data/dataset.hpp"
#include "ntkrob/data/format.hpp"
#include "ntkrob/jobs/context.hpp"
#include "ntkrob/jobs/machine.hpp"

namespace ntkrob::jobs {

struct PredictJob {
  MachineJob machine{"fc:3", "", 0, "mixed"};  // kernel, support set, ridge, precision
  std::string data, output;                    // output: HDF5 or NPZ; empty: none
  std::string split = "test";
  std::string time = "inf";
  std::string posterior = "ntk";
  bool variance = false;
  bool balanced = false;
  index n = 0;
  ReadOptions read;
  std::string checkpoint;  // empty: <output>.ckpt, or none
  bool resume = false;

  /// The time as a number.   throws: ConfigError
  double end() const;
  /// Empty: none is kept.
  std::string checkpoint_path() const;
};

template <class Job, class Visitor>
void visit_predict(Job& j, Visitor&& visitor) {
  visitor("kernel", j.machine.kernel, "kernel spec, see below");
  visitor("support", j.machine.support, "what the nets are trained on: its training split");
  visitor("n-support", j.machine.n, "only the first N images of it; 0: all", at_least(0, "images"));
  visitor("balanced-support", j.machine.balanced, "draw these N by seed, the same number of each class");
  visitor("data", j.data, "what to predict");
  visitor("split", j.split, "train | test", among("train|test"));
  visitor("n", j.n, "predict the first N images; 0: all", at_least(0, "images"));
  visitor("balanced", j.balanced,
          "draw these N by seed, the same number of each class; the file then has their \"rows\"");
  visitor("time", j.time,
          "learning rate times steps of full-batch descent on the sum of squares / 2 n classes; or inf");
  visitor("posterior", j.posterior,
          "ntk: all layers are trained | nngp: the last one; at time inf the Bayesian posterior", among("ntk|nngp"));
  visitor("variance", j.variance, "the variance over initialisations too");
  visitor("ridge", j.machine.ridge, "ridge relative to trace / n; for nngp the variance of the noise", within(0, 1e6));
  visitor("precision", j.machine.precision, "mixed | float64, of kernel values", among("mixed|float64"));
}

/// What it works on.
struct PredictInput {
  Dataset support, data;
  std::vector<index> support_rows, rows;  // of the training split of support, and of the split of data
};

struct PredictOutcome {
  Matrix<double> mean;           // n x classes
  std::vector<double> variance;  // n, or empty: not asked for
  std::vector<int> labels;       // n: of the data
  double mean_square = 0;        // difference of the mean to centred one-hot labels
  double learning_rate = 0;      // the largest stable one; 0: eigenvalues were not needed
};

/// Refuses before files are read.   throws: ConfigError, as Run::check
void check_predict(const PredictJob& job, Context& context);
/// throws: ShapeError, ConfigError; as open_input
PredictInput open_predict(const PredictJob& job, Context& context);
/// Data, backend and the kernel's plan, lines of text.
std::string predict_plan(const PredictJob& job, const PredictInput& in, Context& context);
/// Predicts, writes the output and removes the checkpoint.   throws: Interrupted; as BasicGradientFlow
PredictOutcome run_predict(const PredictJob& job, const PredictInput& in, Context& context);

}  // namespace ntkrob::jobs
