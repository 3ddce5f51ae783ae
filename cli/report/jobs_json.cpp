#include "report/jobs_json.hpp"

#include <cmath>
#include <nlohmann/json.hpp>

#include "ntkrob/model/classes.hpp"
#include "ntkrob/version.hpp"
#include "report/class_text.hpp"

namespace ntkrob::cli {

namespace {

nlohmann::ordered_json of_iteration(const SolveReport& r) {
  return {{"solver", "cg"},
          {"lambda", r.lambda},
          {"trace_over_n", r.trace_over_n},
          {"rank", r.rank},
          {"left", r.left},
          {"iterations", r.iterations},
          {"restarts", r.restarts},
          {"residual", r.residual},
          {"coefficient_bound", r.coefficient_bound},
          {"prediction_bound", r.prediction_bound},
          {"history", r.history}};
}

nlohmann::ordered_json of_factor(const FitReport& r) {
  return {{"solver", "direct"},         {"factor", r.factor == Factor::refined ? "refined" : "float64"},
          {"lambda", r.lambda},         {"trace_over_n", r.trace_over_n},
          {"iterations", r.iterations}, {"refused", r.refused}};
}

}  // namespace

nlohmann::ordered_json solve_json(const Machine& machine) {
  if (machine.solve) return of_iteration(*machine.solve);
  return machine.fit ? of_factor(*machine.fit) : nlohmann::ordered_json();
}

nlohmann::ordered_json robustify_json(const RobustifyJob& job, const RobustifyOutcome& outcome, Session& session) {
  nlohmann::ordered_json json;
  json["schema"] = "ntkrob.robustify/1";
  json["version"] = kVersion;
  json["data"] = job.data;
  json["reading"] = readings_json(session);
  json["data_checksum"] = outcome.robust.provenance.parent_checksum;
  json["output"] = job.output;
  json["backend"] = session.backend().info().description;
  json["recipe"] = job.recipe;
  json["chain"] = outcome.robust.provenance.chain;
  for (const auto& [name, value] : job.options->texts()) json["options"][name] = value;
  json["n"] = outcome.robust.train.n;
  json["class_names"] = outcome.robust.class_names;
  json["class_counts"] = class_counts(outcome.robust.train.labels, outcome.robust.classes);
  json["steps"] = outcome.rows.size();
  json["best_step"] = outcome.best_step;
  for (const auto& [name, value] : outcome.facts)
    json[name] =
        value == std::floor(value) ? nlohmann::ordered_json(static_cast<index>(value)) : nlohmann::ordered_json(value);
  json["resumed_at"] = outcome.resumed_at;
  json["seconds"] = outcome.seconds;
  auto& steps = json["curve"] = nlohmann::ordered_json::array();
  for (const Row& row : outcome.rows) {
    nlohmann::ordered_json one{{"step", row.step}};
    for (std::size_t c = 0; c < row.values.size(); ++c)
      if (row.values[c]) one[outcome.columns[c].name] = *row.values[c];
    one["seconds"] = row.seconds;
    steps.push_back(std::move(one));
  }
  return json;
}

nlohmann::ordered_json train_json(const TrainJob& job, const TrainOutcome& outcome, Session& session) {
  nlohmann::ordered_json json;
  json["schema"] = "ntkrob.train/1";
  json["version"] = kVersion;
  json["data"] = job.data;
  json["reading"] = readings_json(session);
  json["backend"] = session.backend().info().description;
  for (const auto& [name, value] : resolved_options(job)) json["options"][name] = value;
  json["parameters"] = outcome.net->parameter_count();
  json["loss"] = outcome.loss;
  json["accuracy"] = outcome.accuracy;
  if (outcome.test_accuracy) {
    json["test_accuracy"] = *outcome.test_accuracy;
    json["per_class"] = per_class_json(outcome.test_classes);
  }
  json["seconds"] = outcome.seconds;
  return json;
}

nlohmann::ordered_json readings_json(const Session& session) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  for (const auto& [name, clauses] : session.readings) json[name] = clauses;
  return json;
}

}  // namespace ntkrob::cli
