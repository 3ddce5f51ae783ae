/// What evaluate writes: the same outcome as JSON for programs, as text for the terminal, as a page for people.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "ntkrob/jobs/evaluate.hpp"

namespace ntkrob::cli {

/// Schema "ntkrob.evaluate/1". The same for the same job, model and data, whatever the number of threads and however
/// often it was interrupted, but for the entries "seconds".
nlohmann::ordered_json evaluate_json(const EvaluateJob& job, const EvaluateOutcome& outcome);
/// Tables for the terminal, with the verdict of the masking checks.
std::string evaluate_text(const EvaluateJob& job, const EvaluateOutcome& outcome);
/// A page that needs nothing beside itself: no network, no scripts; pictures are in it.
std::string evaluate_html(const EvaluateJob& job, const EvaluateOutcome& outcome);

/// The float32 net beside the int8 one, for JSON and for the terminal.   int8, float32: outcomes on the same samples
nlohmann::ordered_json float32_json(const EvaluateOutcome& float32);
std::string beside_text(const EvaluateOutcome& int8, const EvaluateOutcome& float32);

/// What a reader must know about the list of attacks before the numbers, or empty: that it is a preset for development,
/// or that it has no AutoAttack.
std::string attack_note(const EvaluateJob& job, const EvaluateOutcome& outcome);

}  // namespace ntkrob::cli
