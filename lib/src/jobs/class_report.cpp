#include "ntkrob/jobs/class_report.hpp"

#include <algorithm>

#include "ntkrob/base/printable.hpp"
#include "ntkrob/jobs/context.hpp"
#include "ntkrob/jobs/evaluate.hpp"
#include "ntkrob/model/classes.hpp"

namespace ntkrob::jobs {

namespace {

/// The most frequent wrong answer of every class.
void find_mistakes(const Confusion& confusion, std::vector<ClassResult>& results, index ClassResult::*to,
                   index ClassResult::*count) {
  for (const auto& [pair, n] : confusion) {
    ClassResult& result = results[static_cast<std::size_t>(pair.first)];
    if (pair.first != pair.second && n > result.*count) result.*to = pair.second, result.*count = n;
  }
}

/// What the model sees in sample i under the strongest attack that breaks it, else the clean prediction.
int seen_at_worst(const EvaluateReport& report, std::size_t i, int label) {
  int seen = report.predicted[i];
  if (seen != label) return seen;
  const AttackReport* strongest = nullptr;
  for (const AttackReport& attack : report.attacks)
    if (attack.robust[i] == 0 && (strongest == nullptr || attack.margin[i] < strongest->margin[i])) strongest = &attack;
  return strongest == nullptr ? seen : strongest->predicted[i];
}

}  // namespace

double share(index part, index all) { return all > 0 ? static_cast<double>(part) / static_cast<double>(all) : 0; }

double ClassReport::accuracy() const {
  index right = 0, samples = 0;
  for (const ClassResult& result : results) right += result.clean, samples += result.samples;
  return share(right, samples);
}

ClassReport class_report(const std::vector<int>& labels, const std::vector<int>& predicted, index classes,
                         const std::vector<std::string>& names) {
  ClassReport report;
  report.classes = classes;
  report.names = names;
  report.results.resize(static_cast<std::size_t>(classes));
  for (std::size_t c = 0; c < report.results.size(); ++c) report.results[c].label = static_cast<index>(c);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    ClassResult& result = report.results[static_cast<std::size_t>(labels[i])];
    ++result.samples;
    result.clean += predicted[i] == labels[i];
    ++report.clean[{labels[i], predicted[i]}];
  }
  find_mistakes(report.clean, report.results, &ClassResult::taken_for, &ClassResult::taken);
  return report;
}

ClassReport class_report(const EvaluateOutcome& outcome) {
  ClassReport report = class_report(outcome.labels, outcome.report.predicted, outcome.classes, outcome.class_names);
  report.under_attack = true;
  for (std::size_t i = 0; i < outcome.labels.size(); ++i) {
    const int label = outcome.labels[i], seen = seen_at_worst(outcome.report, i, label);
    report.results[static_cast<std::size_t>(label)].worst_case += seen == label;
    ++report.worst_case[{label, seen}];
  }
  find_mistakes(report.worst_case, report.results, &ClassResult::attacked_for, &ClassResult::attacked);
  return report;
}

std::vector<ClassResult> worst_first(const ClassReport& report) {
  std::vector<ClassResult> results;
  for (const ClassResult& result : report.results)
    if (result.samples > 0) results.push_back(result);
  const auto rank = [&](const ClassResult& r) {
    return std::make_pair(report.under_attack ? share(r.worst_case, r.samples) : 0.0, share(r.clean, r.samples));
  };
  std::stable_sort(results.begin(), results.end(),
                   [&](const ClassResult& a, const ClassResult& b) { return rank(a) < rank(b); });
  return results;
}

}  // namespace ntkrob::jobs
