// Masking checks that look at a report of attacks and run none, and the verdict over all checks.
#include <algorithm>
#include <cmath>

#include "attack/masking_threshold.hpp"
#include "ntkrob/attack/masking.hpp"

namespace ntkrob {
namespace {

using Outcome = MaskingCheck::Outcome;

}  // namespace

std::string to_string(MaskingCheck::Outcome outcome) {
  return outcome == Outcome::passed ? "passed" : outcome == Outcome::alarm ? "alarm" : "skipped";
}

void add_report_checks(const EvaluateReport& report, MaskingReport& masking) {
  MaskingCheck still;
  still.name = "eps-0";
  still.value = std::abs(report.eps0 - report.clean);
  still.measures = "difference of clean accuracy and accuracy under an attack of radius 0";
  still.outcome = still.value > 0 ? Outcome::alarm : Outcome::passed;
  still.meaning = still.value > 0
                      ? "An attack that may change nothing changes verdicts: the model that is attacked is not "
                        "the model that is judged, or its output is random."
                      : "An attack that may change nothing changes no verdict.";
  masking.checks.push_back(std::move(still));

  // Compared on the samples that the checks have looked at, with their gradient attacks beside those of the list: a
  // list with one weak attack is no sign of masking.
  std::vector<index> rows = masking.rows;
  if (rows.empty())
    for (std::size_t i = 0; i < report.predicted.size(); ++i) rows.push_back(static_cast<index>(i));
  std::vector<char> white(rows.size(), 1);
  bool has_white = !masking.gradient_robust.empty();
  if (has_white) white = masking.gradient_robust;
  const auto robust = [&](const AttackReport& attack, std::size_t k) {
    return attack.robust[static_cast<std::size_t>(rows[k])];
  };
  const auto count = static_cast<double>(rows.size());
  double black = 2, last_broken = 0, sequence_bound = 1;
  for (const AttackReport& attack : report.attacks) {
    if (attack.nature == AttackNature::inputs && !attack.transferred()) continue;
    index left = 0;
    for (std::size_t k = 0; k < rows.size(); ++k) left += robust(attack, k);
    const double accuracy = static_cast<double>(left) / count;
    if (attack.black_box()) {
      black = std::min(black, accuracy);
      continue;
    }
    has_white = true;
    // Of a sequence with Square at its end, gradient attacks alone leave what it leaves and what Square broke.
    double broken = -1;
    for (const AttackPart& part : attack.parts)
      if (part.nature != AttackNature::gradients)
        broken = static_cast<double>(part.attacked - part.robust) / static_cast<double>(attack.robust.size());
    if (broken >= 0) {
      last_broken = std::max(last_broken, broken);
      sequence_bound = std::min(sequence_bound, accuracy + broken);
    } else {
      for (std::size_t k = 0; k < rows.size(); ++k) white[k] &= robust(attack, k);
    }
  }
  const bool sequence = std::any_of(report.attacks.begin(), report.attacks.end(),
                                    [](const AttackReport& attack) { return !attack.parts.empty(); });
  MaskingCheck search;
  search.name = "black-box-weaker";
  search.threshold = kMostBehind;
  search.measures =
      "in the report: accuracy under attacks with gradients minus accuracy under square, noise and transfer";
  search.meaning = "Not run: the report has no attack of one of the two kinds.";
  if (sequence || (has_white && black <= 1)) {
    const double gradient =
        std::min(sequence_bound, static_cast<double>(std::count(white.begin(), white.end(), char{1})) / count);
    search.value = black <= 1 && has_white ? std::max(gradient - black, last_broken) : last_broken;
    search.outcome = search.value > search.threshold ? Outcome::alarm : Outcome::passed;
    search.meaning = search.outcome == Outcome::passed
                         ? "Attacks without gradients of the model find little or nothing that those with gradients "
                           "miss."
                         : "Attacks without gradients of the model break more than those with gradients: the gradients "
                           "mislead.";
  }
  masking.checks.push_back(std::move(search));
}

index MaskingReport::alarms() const {
  return std::count_if(checks.begin(), checks.end(),
                       [](const MaskingCheck& check) { return check.outcome == Outcome::alarm; });
}

std::string MaskingReport::verdict() const {
  const auto ran = std::count_if(checks.begin(), checks.end(),
                                 [](const MaskingCheck& check) { return check.outcome != Outcome::skipped; });
  if (alarms() == 0)
    return text("No sign of masked gradients in ", ran, " checks on ", samples,
                " samples. This does not prove robustness: accuracies under attack stay upper bounds.");
  std::string names;
  for (const MaskingCheck& check : checks)
    if (check.outcome == Outcome::alarm) names += (names.empty() ? "" : ", ") + check.name;
  return text("ALARM: ", alarms(), " of ", ran, " checks on ", samples, " samples say that attacks are hindered (",
              names, "). Do not take the accuracies under attack for robustness before the reason is found.");
}

}  // namespace ntkrob
