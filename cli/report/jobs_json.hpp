/// What jobs have done, as JSON.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "ntkrob/jobs/machine.hpp"
#include "ntkrob/jobs/robustify.hpp"
#include "ntkrob/jobs/train.hpp"
#include "session.hpp"

namespace ntkrob::cli {

/// Schema "ntkrob.robustify/1".
nlohmann::ordered_json robustify_json(const RobustifyJob& job, const RobustifyOutcome& outcome, Session& session);
/// Schema "ntkrob.train/1".
nlohmann::ordered_json train_json(const TrainJob& job, const TrainOutcome& outcome, Session& session);
/// How a machine was solved; null where there is nothing to say.
nlohmann::ordered_json solve_json(const Machine& machine);
/// {"file": ["clause", ...], ...} of all inputs so far.
nlohmann::ordered_json readings_json(const Session& session);

}  // namespace ntkrob::cli
