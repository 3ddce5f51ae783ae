#include <algorithm>
#include <cmath>

#include "ntkrob/jobs/report.hpp"
#include "ntkrob/model/classes.hpp"
#include "ntkrob/version.hpp"

namespace ntkrob::jobs {

namespace {

Report of_iteration(const SolveReport& r) {
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

Report of_factor(const FitReport& r) {
  return {{"solver", "direct"},         {"factor", r.factor == Factor::refined ? "refined" : "float64"},
          {"lambda", r.lambda},         {"trace_over_n", r.trace_over_n},
          {"iterations", r.iterations}, {"refused", r.refused}};
}

Report matrix_tree(const Confusion& confusion, index classes) {
  const auto k = static_cast<std::size_t>(classes);
  std::vector<std::vector<index>> rows(k, std::vector<index>(k, 0));
  for (const auto& [pair, n] : confusion)
    rows[static_cast<std::size_t>(pair.first)][static_cast<std::size_t>(pair.second)] = n;
  return rows;
}

}  // namespace

Report solve_report(const Machine& machine) {
  if (machine.solve) return of_iteration(*machine.solve);
  return machine.fit ? of_factor(*machine.fit) : Report();
}

Report robustify_report(const RobustifyJob& job, const RobustifyOutcome& outcome, Context& context) {
  Report json;
  json["schema"] = "ntkrob.robustify/1";
  json["version"] = kVersion;
  json["data"] = job.data;
  json["reading"] = readings_report(context);
  json["data_checksum"] = outcome.robust.provenance.parent_checksum;
  json["output"] = job.output;
  json["backend"] = context.backend().info().description;
  json["recipe"] = job.recipe;
  json["chain"] = outcome.robust.provenance.chain;
  for (const auto& [name, value] : job.options->texts()) json["options"][name] = value;
  json["n"] = outcome.robust.train.n;
  json["class_names"] = outcome.robust.class_names;
  json["class_counts"] = class_counts(outcome.robust.train.labels, outcome.robust.classes);
  json["steps"] = outcome.rows.size();
  json["best_step"] = outcome.best_step;
  for (const auto& [name, value] : outcome.facts)
    json[name] = value == std::floor(value) ? Report(static_cast<index>(value)) : Report(value);
  json["resumed_at"] = outcome.resumed_at;
  json["seconds"] = outcome.seconds;
  auto& steps = json["curve"] = Report::list();
  for (const Row& row : outcome.rows) {
    Report one{{"step", row.step}};
    for (std::size_t c = 0; c < row.values.size(); ++c)
      if (row.values[c]) one[outcome.columns[c].name] = *row.values[c];
    one["seconds"] = row.seconds;
    steps.push_back(std::move(one));
  }
  return json;
}

Report train_report(const TrainJob& job, const TrainOutcome& outcome, Context& context) {
  Report json;
  json["schema"] = "ntkrob.train/1";
  json["version"] = kVersion;
  json["data"] = job.data;
  json["reading"] = readings_report(context);
  json["backend"] = context.backend().info().description;
  for (const auto& [name, value] : resolved_options(job)) json["options"][name] = value;
  json["parameters"] = outcome.net->parameter_count();
  json["loss"] = outcome.loss;
  json["accuracy"] = outcome.accuracy;
  if (outcome.selection.step > 0)
    json["selection"] = Report{{"step", outcome.selection.step},
                               {"accuracy", outcome.selection.accuracy},
                               {"images", job.train.validation},
                               {"ended_early", outcome.selection.ended}};
  if (outcome.test_accuracy) {
    json["test_accuracy"] = *outcome.test_accuracy;
    json["per_class"] = per_class_report(outcome.test_classes);
  }
  json["seconds"] = outcome.seconds;
  return json;
}

Report readings_report(const Context& context) {
  Report json = Report::object();
  for (const auto& [name, clauses] : context.readings) json[name] = clauses;
  return json;
}

Report per_class_report(const ClassReport& report) {
  Report rows = Report::list();
  for (const ClassResult& r : report.results) {
    Report row{{"class", r.label}};
    if (static_cast<std::size_t>(r.label) < report.names.size())
      row["name"] = report.names[static_cast<std::size_t>(r.label)];
    row["n"] = r.samples;
    row["clean"] = r.samples > 0 ? Report(share(r.clean, r.samples)) : Report();
    if (report.under_attack) row["worst_case"] = r.samples > 0 ? Report(share(r.worst_case, r.samples)) : Report();
    rows.push_back(std::move(row));
  }
  return rows;
}

Report confusion_report(const ClassReport& report) {
  constexpr index kMostClasses = 1000;
  const bool fits = report.classes <= kMostClasses;
  Report json{{"clean", fits ? matrix_tree(report.clean, report.classes) : Report()}};
  if (report.under_attack) json["worst_case"] = fits ? matrix_tree(report.worst_case, report.classes) : Report();
  if (!fits) json["note"] = text("left out for more than ", kMostClasses, " classes; count from the samples");
  return json;
}

Report demo_report(const DemoJob& job, const DemoOutcome& outcome, Context& context) {
  const std::vector<std::string> names = job.attacks->specs();
  Report json;
  json["schema"] = "ntkrob.demo/1";
  json["version"] = kVersion;
  json["norm"] = "linf";
  json["eps"] = job.eps;
  json["seed"] = context.settings.seed;
  json["test_images"] = std::min(job.judge, job.test);
  for (const DemoVerdict& v : outcome.verdicts) {
    Report& model = json["models"].push_back({{"model", v.model}, {"trained_on", v.trained_on}});
    if (v.weight_decay) model["weight_decay"] = *v.weight_decay;
    for (std::size_t a = 0; a < names.size(); ++a) model["accuracy"][names[a]] = v.report.attacks[a].accuracy;
    model["worst_case"] = v.report.worst_case;
    model["eps0"] = v.report.eps0;
  }
  json["robustify"] = robustify_report(outcome.job, outcome.robustify, context);
  json["seconds"] = outcome.seconds;
  return json;
}

}  // namespace ntkrob::jobs
