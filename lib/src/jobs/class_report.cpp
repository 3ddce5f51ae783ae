#include "ntkrob/jobs/class_report.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "ntkrob/jobs/evaluate.hpp"
#include "ntkrob/base/printable.hpp"
#include "ntkrob/model/classes.hpp"
#include "ntkrob/jobs/context.hpp"

namespace ntkrob::jobs {

namespace {

using Json = nlohmann::ordered_json;

/// The most frequent wrong answer of every class.
void find_mistakes(const Confusion& confusion, std::vector<ClassResult>& results, index ClassResult::*to,
                   index ClassResult::*count) {
  for (const auto& [pair, n] : confusion) {
    ClassResult& result = results[static_cast<std::size_t>(pair.first)];
    if (pair.first != pair.second && n > result.*count) result.*to = pair.second, result.*count = n;
  }
}

double share(index part, index all) { return static_cast<double>(part) / static_cast<double>(all); }

/// What the model sees in sample i under the strongest attack that breaks it, else the clean prediction.
int seen_at_worst(const EvaluateReport& report, std::size_t i, int label) {
  int seen = report.predicted[i];
  if (seen != label) return seen;
  const AttackReport* strongest = nullptr;
  for (const AttackReport& attack : report.attacks)
    if (attack.robust[i] == 0 && (strongest == nullptr || attack.margin[i] < strongest->margin[i])) strongest = &attack;
  return strongest == nullptr ? seen : strongest->predicted[i];
}

std::string mistake_text(const ClassReport& report, index to, index count) {
  return to < 0 ? std::string("-") : text(class_label(report, to, 16), " (", count, ")");
}

Json matrix_json(const Confusion& confusion, index classes) {
  const auto k = static_cast<std::size_t>(classes);
  std::vector<std::vector<index>> rows(k, std::vector<index>(k, 0));
  for (const auto& [pair, n] : confusion)
    rows[static_cast<std::size_t>(pair.first)][static_cast<std::size_t>(pair.second)] = n;
  return rows;
}

}  // namespace

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

std::string class_label(const ClassReport& report, index label, std::size_t most) {
  const auto c = static_cast<std::size_t>(label);
  const std::string number = std::to_string(label);
  if (c >= report.names.size() || report.names[c].empty()) return number;
  const std::string whole = printable_line(report.names[c]);
  if (character_count(whole) <= most) return whole;
  // Long names may begin alike.
  return number + " " + shortened_line(report.names[c], std::max(most, number.size() + 2) - number.size() - 1);
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

std::string class_table(const ClassReport& report) {
  constexpr std::size_t kAll = 20, kWorst = 10;
  std::vector<ClassResult> results = worst_first(report);
  const std::size_t count = results.size();
  std::string rest;
  if (count > kAll) {
    const ClassResult& next = results[kWorst];
    rest = text("the ", kWorst, " worst of ", count, " classes; the others have ",
                percent_text(share(report.under_attack ? next.worst_case : next.clean, next.samples)), " or more",
                report.under_attack ? " in the worst case\n" : "\n");
    results.resize(kWorst);
  } else {
    std::sort(results.begin(), results.end(),
              [](const ClassResult& a, const ClassResult& b) { return a.label < b.label; });
  }
  std::vector<std::vector<std::string>> rows{{"class", "samples", "clean"}};
  if (report.under_attack) rows[0].emplace_back("worst case");
  rows[0].emplace_back("taken for");
  if (report.under_attack) rows[0].emplace_back("under attack");
  for (const ClassResult& r : results) {
    rows.push_back({class_label(report, r.label), std::to_string(r.samples), percent_text(share(r.clean, r.samples))});
    if (report.under_attack) rows.back().push_back(percent_text(share(r.worst_case, r.samples)));
    rows.back().push_back(mistake_text(report, r.taken_for, r.taken));
    if (report.under_attack) rows.back().push_back(mistake_text(report, r.attacked_for, r.attacked));
  }
  return table_text(rows) + rest;
}

Json per_class_json(const ClassReport& report) {
  Json rows = Json::array();
  for (const ClassResult& r : report.results) {
    Json row{{"class", r.label}};
    if (static_cast<std::size_t>(r.label) < report.names.size())
      row["name"] = report.names[static_cast<std::size_t>(r.label)];
    row["n"] = r.samples;
    row["clean"] = r.samples > 0 ? Json(share(r.clean, r.samples)) : Json();
    if (report.under_attack) row["worst_case"] = r.samples > 0 ? Json(share(r.worst_case, r.samples)) : Json();
    rows.push_back(std::move(row));
  }
  return rows;
}

Json confusion_json(const ClassReport& report) {
  constexpr index kMostClasses = 1000;
  const bool fits = report.classes <= kMostClasses;
  Json json{{"clean", fits ? matrix_json(report.clean, report.classes) : Json()}};
  if (report.under_attack) json["worst_case"] = fits ? matrix_json(report.worst_case, report.classes) : Json();
  if (!fits) json["note"] = text("left out for more than ", kMostClasses, " classes; count from the samples");
  return json;
}

}  // namespace ntkrob::jobs
