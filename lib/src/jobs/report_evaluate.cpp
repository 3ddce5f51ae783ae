#include "ntkrob/jobs/report.hpp"
#include "ntkrob/version.hpp"

namespace ntkrob::jobs {

namespace {

Report attack_tree(const AttackReport& attack, const EvaluateOutcome& outcome) {
  Report constants = Report::object();
  for (const auto& [key, value] : attack.constants) constants[key] = value;
  Report json{{"name", attack.name},
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

Report sample_tree(std::size_t i, const EvaluateOutcome& outcome) {
  const EvaluateReport& report = outcome.report;
  const bool attacked = report.predicted[i] == outcome.labels[i];
  Report sample{{"index", outcome.samples[i]},
                {"label", outcome.labels[i]},
                {"predicted", report.predicted[i]},
                {"margin", report.margin[i]}};
  if (!report.source_predicted.empty()) sample["source_predicted"] = report.source_predicted[i];
  for (std::size_t a = 0; a < report.attacks.size(); ++a) {
    const AttackReport& attack = report.attacks[a];
    Report& one = sample["attacks"][outcome.attacks[a]];
    one = Report{{"robust", attack.robust[i] != 0},
                 {"success", attacked && attack.robust[i] == 0},
                 {"margin", attack.margin[i]},
                 {"queries", attack.queries[i]},
                 {"distance", attack.distance[i]}};
    if (!attack.source_robust.empty()) one["source_fooled"] = attacked && attack.source_robust[i] == 0;
  }
  return sample;
}

Report checks_tree(const EvaluateJob& job, const MaskingReport& masking) {
  const MaskingOptions used;
  Report json{{"verdict", masking.verdict()},
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
  json["curve"] = Report::list();
  for (const CurvePoint& point : masking.curve)
    json["curve"].push_back({{"eps", point.eps}, {"accuracy", point.accuracy}, {"noise", point.noise}});
  json["trace"] = Report::list();
  for (const TraceStep& step : masking.trace)
    json["trace"].push_back({{"loss", step.loss}, {"zero_gradients", step.zero_gradients}});
  return json;
}

}  // namespace

Report evaluate_report(const EvaluateJob& job, const EvaluateOutcome& outcome) {
  const EvaluateReport& report = outcome.report;
  Report json;
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
  json["box"] = std::vector<float>{outcome.threat.low, outcome.threat.high};
  json["seed"] = job.seed;
  json["dtype"] = "float32";
  json["backend"] = outcome.backend;
  json["batch"] = job.batch;
  json["preset"] = job.fast ? Report("fast") : Report();
  if (const std::string note = attack_note(job, outcome); !note.empty()) json["note"] = note;
  json["accuracy"] = {{"clean", report.clean}};
  for (std::size_t a = 0; a < report.attacks.size(); ++a)
    json["accuracy"][outcome.attacks[a]] = report.attacks[a].accuracy;
  json["worst_case"] = report.worst_case;
  const ClassReport classes = class_report(outcome);
  json["class_names"] = outcome.class_names;
  json["per_class"] = per_class_report(classes);
  json["confusion"] = confusion_report(classes);
  json["eps0"] = report.eps0;
  json["randomised"] = report.randomised;
  json["attacks"] = Report::object();
  for (std::size_t a = 0; a < report.attacks.size(); ++a)
    json["attacks"][outcome.attacks[a]] = attack_tree(report.attacks[a], outcome);
  if (outcome.checked) json["masking"] = checks_tree(job, outcome.masking);
  json["samples"] = Report::list();
  for (std::size_t i = 0; i < report.predicted.size(); ++i) json["samples"].push_back(sample_tree(i, outcome));
  return json;
}

Report float32_report(const EvaluateOutcome& outcome) {
  Report accuracy = Report::object();
  accuracy["clean"] = outcome.report.clean;
  for (std::size_t a = 0; a < outcome.attacks.size(); ++a)
    accuracy[outcome.attacks[a]] = outcome.report.attacks[a].accuracy;
  return {{"accuracy", accuracy}, {"worst_case", outcome.report.worst_case}};
}

std::string attack_note(const EvaluateJob& job, const EvaluateOutcome& outcome) {
  if (job.int8) {
    EvaluateJob as_float32 = job;
    as_float32.int8 = false;
    const std::string more = attack_note(as_float32, outcome);
    return "Rounding has no gradient: gradient attacks follow the float32 net's and are judged in int8; transfer(...) "
           "is made "
           "on float32 alone; square needs no gradient." +
           (more.empty() ? "" : " " + more);
  }
  if (job.fast)
    return "Preset fast: this is NOT AutoAttack. Short attacks on few samples, for development; not for publication.";
  for (const std::string& attack : outcome.attacks)
    if (attack.compare(0, 10, "autoattack") == 0) return {};
  return "The list has no autoattack: the worst case is an upper bound, stronger attacks may leave much less.";
}

}  // namespace ntkrob::jobs
