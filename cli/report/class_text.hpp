/// Accuracy per class as text, JSON and a section of a page.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "ntkrob/jobs/class_report.hpp"

namespace ntkrob::cli {

using namespace jobs;

/// The name in one line of at most `most` characters, with the number before it where it is cut; the number where there
/// is no name.
std::string class_label(const ClassReport& report, index label, std::size_t most = 24);
/// A table for the terminal: all classes that have samples, or of many the worst, and how many are left out.
std::string class_table(const ClassReport& report);
/// [{"class", "name" (where it has one), "n", "clean", "worst_case" (under attack)}]: shares in [0,1], null without
/// samples
nlohmann::ordered_json per_class_json(const ClassReport& report);
/// {"clean": [[n]], "worst_case": [[n]]}: rows are true classes, columns predictions. Null for more than 1000 classes,
/// which the entry "note" says: count from the samples.
nlohmann::ordered_json confusion_json(const ClassReport& report);
/// The section of the page: a table with bars, and both matrices in colours.
std::string class_section(const ClassReport& report);

}  // namespace ntkrob::cli
