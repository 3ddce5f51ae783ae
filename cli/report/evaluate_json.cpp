#include <nlohmann/json.hpp>

#include "ntkrob/version.hpp"
#include "report/class_text.hpp"
#include "report/evaluate_report.hpp"

namespace ntkrob::cli {

namespace {

using Json = nlohmann::ordered_json;

Json attack_json(const AttackReport& attack, const EvaluateOutcome& outcome) {
  Json constants = Json::object();
  for (const auto& [key, value] : attack.constants) constants[key] = value;
  Json json{{"name", attack.name},
            {"constants", constants},
            {"mean_margin", attack.mean_margin},
            {"zero_gradients", attack.zero_gradients},
            {"changed", attack.changed},
            {"seconds", attack.seconds}};
  for (const AttackPart& part : attack.parts)
    json["parts"].push_back({{"name", part.name},
                             {"attacked", part.attacked},
                             {"robust", part.robust},
                             {"zero_gradients", part.zero_gradients},
                             {"seconds", part.seconds}});
  if (!attack.source_robust.empty()) {
    // Only samples that both get right without attack say something about transfer.
    index fooled = 0, transferred = 0;
    for (std::size_t i = 0; i < outcome.labels.size(); ++i) {
      const bool both =
          outcome.report.predicted[i] == outcome.labels[i] && outcome.report.source_predicted[i] == outcome.labels[i];
      fooled += both && attack.source_robust[i] == 0;
      transferred += both && attack.source_robust[i] == 0 && attack.robust[i] == 0;
    }
    json["source_fooled"] = fooled;
    json["transferred"] = transferred;
  }
  return json;
}

Json sample_json(std::size_t i, const EvaluateOutcome& outcome) {
  const EvaluateReport& report = outcome.report;
  const bool attacked = report.predicted[i] == outcome.labels[i];
  Json sample{{"index", outcome.samples[i]},
              {"label", outcome.labels[i]},
              {"predicted", report.predicted[i]},
              {"margin", report.margin[i]}};
  if (!report.source_predicted.empty()) sample["source_predicted"] = report.source_predicted[i];
  for (std::size_t a = 0; a < report.attacks.size(); ++a) {
    const AttackReport& attack = report.attacks[a];
    Json& one = sample["attacks"][outcome.attacks[a]];
    one = {{"robust", attack.robust[i] != 0},
           {"success", attacked && attack.robust[i] == 0},
           {"margin", attack.margin[i]},
           {"queries", attack.queries[i]},
           {"distance", attack.distance[i]}};
    if (!attack.source_robust.empty()) one["source_fooled"] = attacked && attack.source_robust[i] == 0;
  }
  return sample;
}

Json checks_json(const EvaluateJob& job, const MaskingReport& masking) {
  const MaskingOptions used;
  Json json{{"verdict", masking.verdict()},
            {"alarms", masking.alarms()},
            {"samples", masking.samples},
            {"attacked", masking.attacked},
            {"constants",
             {{"gradient_attacks",
               "pgd from a random start, loss ce and loss margin; l1: apgd-ce and apgd-dlr too; the worst of them"},
              {"steps", used.steps},
              {"step", "2.5 eps / steps"},
              {"square_queries", used.queries},
              {"noise_draws", used.draws},
              {"seed", job.seed}}},
            {"accuracy",
             {{"clean", masking.clean},
              {"gradient", masking.gradient},
              {"square", masking.square},
              {"noise", masking.noise}}}};
  for (const MaskingCheck& check : masking.checks)
    json["checks"].push_back({{"name", check.name},
                              {"outcome", to_string(check.outcome)},
                              {"value", check.value},
                              {"threshold", check.threshold},
                              {"measures", check.measures},
                              {"meaning", check.meaning}});
  json["curve"] = Json::array();
  for (const CurvePoint& point : masking.curve)
    json["curve"].push_back({{"eps", point.eps}, {"accuracy", point.accuracy}, {"noise", point.noise}});
  json["trace"] = Json::array();
  for (const TraceStep& step : masking.trace)
    json["trace"].push_back({{"loss", step.loss}, {"zero_gradients", step.zero_gradients}});
  return json;
}

}  // namespace

Json evaluate_json(const EvaluateJob& job, const EvaluateOutcome& outcome) {
  const EvaluateReport& report = outcome.report;
  Json json;
  json["schema"] = "ntkrob.evaluate/1";
  json["version"] = kVersion;
  json["model"] = job.model;
  if (!job.source.empty()) json["source"] = job.source;
  json["data"] = job.data;
  json["split"] = job.split;
  json["n"] = report.predicted.size();
  json["balanced"] = job.balanced;
  json["norm"] = job.norm;
  json["eps"] = job.eps;
  json["box"] = {outcome.threat.low, outcome.threat.high};
  json["seed"] = job.seed;
  json["dtype"] = "float32";
  json["backend"] = outcome.backend;
  json["batch"] = job.batch;
  json["preset"] = job.fast ? Json("fast") : Json();
  if (const std::string note = attack_note(job, outcome); !note.empty()) json["note"] = note;
  json["accuracy"] = {{"clean", report.clean}};
  for (std::size_t a = 0; a < report.attacks.size(); ++a)
    json["accuracy"][outcome.attacks[a]] = report.attacks[a].accuracy;
  json["worst_case"] = report.worst_case;
  const ClassReport classes = class_report(outcome);
  json["class_names"] = outcome.class_names;
  json["per_class"] = per_class_json(classes);
  json["confusion"] = confusion_json(classes);
  json["eps0"] = report.eps0;
  json["randomised"] = report.randomised;
  json["attacks"] = Json::object();
  for (std::size_t a = 0; a < report.attacks.size(); ++a)
    json["attacks"][outcome.attacks[a]] = attack_json(report.attacks[a], outcome);
  if (outcome.checked) json["masking"] = checks_json(job, outcome.masking);
  json["samples"] = Json::array();
  for (std::size_t i = 0; i < report.predicted.size(); ++i) json["samples"].push_back(sample_json(i, outcome));
  return json;
}

Json float32_json(const EvaluateOutcome& outcome) {
  Json accuracy = Json::object();
  accuracy["clean"] = outcome.report.clean;
  for (std::size_t a = 0; a < outcome.attacks.size(); ++a)
    accuracy[outcome.attacks[a]] = outcome.report.attacks[a].accuracy;
  return {{"accuracy", accuracy}, {"worst_case", outcome.report.worst_case}};
}

}  // namespace ntkrob::cli
