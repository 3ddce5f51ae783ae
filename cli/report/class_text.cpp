#include "report/class_text.hpp"

#include <algorithm>

#include "ntkrob/base/printable.hpp"
#include "session.hpp"

namespace ntkrob::cli {

namespace {

std::string mistake_text(const ClassReport& report, index to, index count) {
  return to < 0 ? std::string("-") : text(class_label(report, to, 16), " (", count, ")");
}

}  // namespace

std::string class_label(const ClassReport& report, index label, std::size_t most) {
  const auto c = static_cast<std::size_t>(label);
  const std::string number = std::to_string(label);
  if (c >= report.names.size() || report.names[c].empty()) return number;
  const std::string whole = printable_line(report.names[c]);
  if (character_count(whole) <= most) return whole;
  // Long names may begin alike.
  return number + " " + shortened_line(report.names[c], std::max(most, number.size() + 2) - number.size() - 1);
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

}  // namespace ntkrob::cli
