/// What data sets hold and how they came to be, in lines for people.
#include <algorithm>

#include "ntkrob/base/printable.hpp"
#include "ntkrob/jobs/report.hpp"
#include "ntkrob/model/classes.hpp"

namespace ntkrob::jobs {

namespace {

std::string split_text(const char* name, const Dataset& data, const Split& split) {
  if (split.empty()) return text(name, "     absent\n");
  const auto [low, high] = split.extremes();
  std::string lines =
      text(name, "     ", split.n, " ", data.kind_text(), ", ", split.is_bytes() ? "uint8" : "float32",
           ", values from ", low, " to ", high, split.targets.empty() ? "" : ", with real-valued targets", "\n");
  lines += "          per class:";
  const std::vector<index> counts = class_counts(split.labels, data.classes);
  constexpr std::size_t kShown = 20;
  for (std::size_t c = 0; c < std::min(kShown, counts.size()); ++c) lines += text(" ", counts[c]);
  if (counts.size() > kShown) {
    const auto [least, most] = std::minmax_element(counts.begin(), counts.end());
    lines += text(" ... (from ", *least, " to ", *most, ")");
  }
  return lines + "\n";
}

}  // namespace

std::string dataset_text(const Dataset& data) {
  std::string lines = split_text("train", data, data.train) + split_text("test ", data, data.test);
  lines += text("classes   ", data.classes);
  for (std::size_t c = 0; c < data.class_names.size(); ++c)
    lines += (c == 0 ? ": " : ", ") + printable_line(data.class_names[c]);
  lines += text("\nrange     [", data.value_low, ", ", data.value_high, "] is read as [0, 1]\n");
  if (!data.feature_low.empty())
    lines.replace(lines.rfind("range"), std::string::npos, "range     each feature has its own, read as [0, 1]\n");
  if (!data.train.empty() && data.train.is_bytes())
    lines.replace(lines.rfind("range"), std::string::npos, "range     0 .. 255 is read as [0, 1]\n");
  return lines;
}

std::string provenance_text(const Provenance& p) {
  if (p.command.empty() && p.options.empty() && p.parent.empty()) return "";
  std::string lines = "made by   " + p.command + "  (ntkrob " + p.library_version + ")\n";
  if (!p.parent.empty()) lines += "made from " + p.parent + "  " + p.parent_checksum + "\n";
  for (auto one = p.chain.rbegin(); one != p.chain.rend(); ++one) lines += "which by  " + *one + "\n";
  for (const std::string& clause : p.reading) lines += "read      " + clause + "\n";
  if (!p.options.empty()) lines += "options\n" + options_text(p.options);
  for (const auto& [name, values] : p.curves)
    if (!values.empty())
      lines += text("curve     ", name, ": ", values.size(), " values, from ", format_number(values.front()), " to ",
                    format_number(values.back()), "\n");
  if (!p.initial_images.empty()) lines += text("initial   ", p.initial_images.rows(), " initial images are stored\n");
  return lines;
}

}  // namespace ntkrob::jobs
