/// Accuracy per class as text and as a section of a page.
#pragma once

#include <string>

#include "ntkrob/jobs/class_report.hpp"

namespace ntkrob::cli {

using namespace jobs;

/// The name in one line of at most `most` characters, with the number before it where it is cut; the number where there
/// is no name.
std::string class_label(const ClassReport& report, index label, std::size_t most = 24);
/// A table for the terminal: all classes that have samples, or of many the worst, and how many are left out.
std::string class_table(const ClassReport& report);
/// The section of the page: a table with bars, and both matrices in colours.
std::string class_section(const ClassReport& report);

}  // namespace ntkrob::cli
