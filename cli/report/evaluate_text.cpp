#include "ntkrob/base/spec_text.hpp"
#include "report/class_text.hpp"
#include "report/evaluate_report.hpp"
#include "session.hpp"

namespace ntkrob::cli {

namespace {

using Rows = std::vector<std::vector<std::string>>;

std::string number(double value, const char* format) {
  char out[40];
  std::snprintf(out, sizeof out, format, value);
  return out;
}

std::string checks_text(const MaskingReport& masking) {
  Rows rows{{"masking check", "outcome", "value", "alarm above"}};
  for (const MaskingCheck& check : masking.checks)
    rows.push_back({check.name, to_string(check.outcome),
                    check.outcome == MaskingCheck::Outcome::skipped ? "" : number(check.value, "%.4g"),
                    number(check.threshold, "%.4g")});
  Rows curve{{"eps"}, {"accuracy"}, {"under noise"}};
  for (const CurvePoint& point : masking.curve) {
    curve[0].push_back(number(point.eps, "%.4g"));
    curve[1].push_back(percent_text(point.accuracy));
    curve[2].push_back(percent_text(point.noise));
  }
  std::string alarms;
  for (const MaskingCheck& check : masking.checks)
    if (check.outcome == MaskingCheck::Outcome::alarm)
      alarms += text("\n", check.name, ": ", check.measures, " is ", number(check.value, "%.4g"), ". ", check.meaning);
  return text("\n", table_text(rows), "\n", table_text(curve), alarms.empty() ? "" : alarms + "\n", "\n",
              masking.verdict(), "\n");
}

}  // namespace

std::string beside_text(const EvaluateOutcome& int8, const EvaluateOutcome& float32) {
  Rows rows{{"attack", "float32", "int8", "int8, found on float32"}};
  const auto accuracy = [&](const std::string& name) {
    for (std::size_t a = 0; a < int8.attacks.size(); ++a)
      if (int8.attacks[a] == name) return percent_text(int8.report.attacks[a].accuracy);
    return std::string();
  };
  for (std::size_t a = 0; a < float32.attacks.size(); ++a)
    rows.push_back({float32.attacks[a], percent_text(float32.report.attacks[a].accuracy), accuracy(float32.attacks[a]),
                    accuracy("transfer(" + float32.attacks[a] + ")")});
  rows.push_back({"worst case", percent_text(float32.report.worst_case), percent_text(int8.report.worst_case), ""});
  return table_text(rows);
}

std::string evaluate_text(const EvaluateJob& job, const EvaluateOutcome& outcome) {
  const EvaluateReport& report = outcome.report;
  Rows rows{{"attack", "accuracy", "mean margin", "zero gradients", "seconds"}};
  for (std::size_t a = 0; a < report.attacks.size(); ++a) {
    const AttackReport& r = report.attacks[a];
    rows.push_back({outcome.attacks[a], percent_text(r.accuracy), number(r.mean_margin, "%.4f"),
                    std::to_string(r.zero_gradients), number(r.seconds, "%.1f")});
    for (const AttackPart& part : r.parts)
      rows.push_back({"  then " + part.name, text(part.robust, " of ", part.attacked), "",
                      std::to_string(part.zero_gradients), number(part.seconds, "%.1f")});
  }
  const std::string note = attack_note(job, outcome);
  return text("model     ", job.model, job.source.empty() ? "" : "\nsource    " + job.source, "\ndata      ", job.data,
              ", ", report.predicted.size(), " samples of split ", job.split,
              job.balanced ? text(", balanced by class, seed ", job.seed) : std::string(), "\nthreat    ", job.norm,
              ", eps ", format_number(job.eps), note.empty() ? "" : "\nnote      " + note, "\n\n", table_text(rows),
              "\nclean       ", percent_text(report.clean), "\nworst case  ", percent_text(report.worst_case),
              "  (right under every attack of the list)\nself test   accuracy at eps 0 is ", percent_text(report.eps0),
              report.eps0 == report.clean ? ", equal to clean\n" : ", not equal to clean: the output is random\n", "\n",
              class_table(class_report(outcome)), outcome.checked ? checks_text(outcome.masking) : "");
}

}  // namespace ntkrob::cli
