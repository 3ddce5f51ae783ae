/// The evaluate job: a net or a kernel machine, samples of a split, a list of attacks, masking checks, resumption.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ntkrob/attack/evaluate.hpp"
#include "ntkrob/attack/masking.hpp"
#include "ntkrob/data/dataset.hpp"
#include "ntkrob/jobs/context.hpp"

namespace ntkrob::jobs {

/// Radii as an option: "0,0.05,8/255".
struct Radii {
  std::vector<double> values;  // increasing
  /// throws: ConfigError
  static Radii parse(const std::string& text);
};

struct EvaluateJob {
  std::string model;   // how the model is named in the report
  std::string source;  // how the source of transferred attacks is named; empty: none
  std::string data;    // file name of the data, for messages and the report
  std::string norm = "linf";
  double eps = 0.1;
  Parsed<AttackList> attacks = "clean,fgsm,pgd-40";
  index fitted_classes = 0;              // how many classes the model was fitted to, where that is known; 0: it is not
  std::vector<std::string> class_names;  // for the report; empty: those of the data
  bool fast = false;
  bool int8 = false;      // judge the net after quantisation, beside itself
  std::string calibrate;  // the data of the quantisation
  index n = 0;            // the first n samples, or n of balanced classes; 0: all
  bool balanced = false;
  std::string split = "test";
  index batch = 250;
  std::string checks = "auto";
  index check_samples = 100;
  Parsed<Radii> curve;  // radii separated by commas; empty: the library's choice
  std::uint64_t seed = 0;
  std::string json, html;
  std::string checkpoint;  // empty: <json or html>.ckpt.h5
  bool resume = false;

  std::string checkpoint_path() const;
  /// The attacks that are run, in order: those of `attacks`, or of `fast`, and those that int8 and a source add.
  ///   throws: ConfigError
  AttackList attack_list() const;
  /// Whether the masking checks are run.
  bool wants_checks() const;
};

template <class Job, class Visitor>
void visit_evaluate(Job& j, Visitor&& visitor) {
  visitor("norm", j.norm, "linf | l2 | l1", among("linf|l2|l1"));
  visitor("eps", j.eps, "radius in pixel units, e.g. 0.1 or 8/255", at_least(0, "pixels"));
  visitor("attacks", j.attacks, "comma-separated list, see below");
  visitor("fast", j.fast,
          "short attacks on at most 200 samples, for development: not AutoAttack, and the report says so");
  visitor("int8", j.int8, "judge the net in the integers of an int8 device, beside float32");
  visitor("calibrate", j.calibrate, "data whose training split tells int8 the range of values");
  visitor("n", j.n, "judge the first N samples; 0: all", at_least(0, "samples"));
  visitor("balanced", j.balanced,
          "draw the N samples by seed, the same number of each class; rare ones give all they have");
  visitor("split", j.split, "train | test", among("train|test"));
  visitor("batch", j.batch, "samples per batch; the result does not depend on it", within(1, 1'000'000, "samples"));
  visitor("checks", j.checks,
          "masking checks: on | off | auto: with autoattack, and with attacks in a report to a file",
          among("on|off|auto"));
  visitor("check-samples", j.check_samples, "samples that the masking checks look at", within(1, 1'000'000, "samples"));
  visitor("curve", j.curve, "radii of the accuracy curve of the checks, e.g. 0,0.05,0.1,1; empty: chosen from eps");
}

struct EvaluateOutcome {
  EvaluateReport report;
  std::vector<std::string> attacks;  // as in the list, one for each attack of the report
  std::vector<index> samples;        // which samples of the split were judged
  std::vector<int> labels;           // their labels
  bool checked = false;
  MaskingReport masking;
  ThreatModel threat;
  ImageShape shape;
  index classes = 0;                     // of the model
  std::vector<std::string> class_names;  // of the data, or none
  Matrix<float> example_images;          // the clean images of report.examples
  std::vector<int> example_predicted;    // what the model sees in the adversarial ones
  std::string backend;
};

/// All that can be refused before files are read: attacks, norm, outputs, a checkpoint in the way.   throws:
/// ConfigError
void check_evaluate(const EvaluateJob& job, Context& context);

/// source: the model on which attacks named transfer(...) are made, or null.
///   throws: ShapeError when model and data do not fit; Interrupted after Ctrl-C, with the checkpoint written where the
///   job has one; as evaluate()
EvaluateOutcome run_evaluate(const EvaluateJob& job, const Model& model, const Model* source, const Dataset& data,
                             Context& context);

/// Once the reports are written: the checkpoint is no longer needed.
void remove_checkpoint(const EvaluateJob& job, Context& context);

}  // namespace ntkrob::jobs
