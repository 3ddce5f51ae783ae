/// The evaluate job: a net or a kernel machine, a test split, a list of attacks, a report.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "ntkrob/attack/evaluate.hpp"
#include "ntkrob/data/dataset.hpp"
#include "session.hpp"

namespace ntkrob::cli {

struct EvaluateJob {
  std::string model;  // how the model is named in the report
  std::string data;   // file name of the data, for messages and the report
  std::string norm = "linf";
  double eps = 0.1;
  std::string attacks = "clean,fgsm,pgd-40";
  index n = 0;  // the first n samples; 0: all
  std::string split = "test";
  index batch = 250;
  std::uint64_t seed = 0;
};

template <class Job, class Visitor>
void visit_evaluate(Job& j, Visitor&& visitor) {
  visitor("norm", j.norm, "linf | l2 | l1");
  visitor("eps", j.eps, "radius in pixel units, e.g. 0.1 or 8/255");
  visitor("attacks", j.attacks, "comma-separated list, see below");
  visitor("n", j.n, "judge the first N samples; 0: all");
  visitor("split", j.split, "train | test");
  visitor("batch", j.batch, "samples per batch; the result does not depend on it");
}

/// throws: ShapeError when model and data do not fit; Interrupted after Ctrl-C; as evaluate()
EvaluateReport run_evaluate(const EvaluateJob& job, const Model& model, const Dataset& data, Session& session);

/// Schema "ntkrob.evaluate/1".
nlohmann::ordered_json evaluate_json(const EvaluateJob& job, const EvaluateReport& report, const Dataset& data);
/// One row per attack: accuracy, mean margin, zero gradients, seconds.
std::string evaluate_text(const EvaluateJob& job, const EvaluateReport& report);

}  // namespace ntkrob::cli
