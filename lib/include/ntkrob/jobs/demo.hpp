/// The demo: the whole job on the built-in data, with the jobs behind it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ntkrob/attack/evaluate.hpp"
#include "ntkrob/jobs/context.hpp"
#include "ntkrob/jobs/robustify.hpp"

namespace ntkrob::jobs {

struct DemoJob {
  std::string out = "ntkrob-demo";
  index train = 6000;
  index test = 1000;
  index n = 500;
  index steps = 200;
  double eps = 0.1;
  Parsed<KernelSpec> kernel = "fc:3";
  std::string model = "cnn:small";
  double weight_decay = 0.005;
  double baseline_decay = 0.005;
  index judge = 500;
  Parsed<AttackList> attacks = "clean,pgd-40,autoattack";
};

template <class Job, class Visitor>
void visit_demo(Job& p, Visitor&& visitor) {
  visitor("out", p.out, "folder for the results");
  visitor("train", p.train, "training images to draw", within(10, 1e7));
  visitor("test", p.test, "test images to draw", within(10, 1e7));
  visitor("n", p.n, "images of the robust set", at_least(1, "images"));
  visitor("steps", p.steps, "outer steps", at_least(1));
  visitor("eps", p.eps, "linf radius, in the optimisation and in the attacks", within(0, 1, "pixels"));
  visitor("kernel", p.kernel, "kernel spec");
  visitor("model", p.model, "net to train");
  visitor("weight-decay", p.weight_decay, "L2 penalty of the net on robust images", within(0, 1e3));
  visitor("baseline-decay", p.baseline_decay,
          "L2 penalty of the net on originals; default: their best of 0, 0.001, 0.005, 0.02", within(0, 1e3));
  visitor("judge", p.judge, "test images to attack", within(1, 1e7));
  visitor("attacks", p.attacks, "attacks to judge by");
}

/// One judged model: which, trained on what and with which decay, and the outcome.
struct DemoVerdict {
  std::string model, trained_on;
  std::optional<double> weight_decay;  // of a net
  EvaluateReport report;
};

struct DemoOutcome {
  RobustifyJob job;
  RobustifyOutcome robustify;
  std::vector<DemoVerdict> verdicts;
  double seconds = 0;
};

/// throws: ConfigError
void check_demo(const DemoJob& job, Context& context);
/// Writes data, pictures, robust set and nets into the folder of the job.
DemoOutcome run_demo(const DemoJob& job, Context& context);

}  // namespace ntkrob::jobs
