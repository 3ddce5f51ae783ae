/// What evaluate writes: the same outcome as text for the terminal, as a page for people.
#pragma once

#include <string>

#include "ntkrob/jobs/report.hpp"

namespace ntkrob::cli {

using namespace jobs;

/// Tables for the terminal, with the verdict of the masking checks.
std::string evaluate_text(const EvaluateJob& job, const EvaluateOutcome& outcome);
/// A page that needs nothing beside itself: no network, no scripts; pictures are in it.
std::string evaluate_html(const EvaluateJob& job, const EvaluateOutcome& outcome);

/// The float32 net beside the int8 one.   int8, float32: outcomes on the same samples
std::string beside_text(const EvaluateOutcome& int8, const EvaluateOutcome& float32);

}  // namespace ntkrob::cli
