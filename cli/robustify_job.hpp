/// The robustify job: everything around Robustifier::step() — resume, progress, log, checkpoints, the result file.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "ntkrob/data/dataset.hpp"
#include "ntkrob/data/format.hpp"
#include "ntkrob/robust/robustifier.hpp"
#include "session.hpp"

namespace ntkrob::cli {

struct RobustifyJob {
  RobustifyOptions options;
  std::string data;        // file name of the training data, for messages and provenance
  std::string output;      // HDF5 data set
  std::string checkpoint;  // empty: <output>.ckpt.h5
  std::string log;         // CSV, empty: none
  bool resume = false;
  bool keeps_state = true;  // false: no checkpoint at all, and a signal ends the process at once
  ReadOptions read;        // how the data were read, for provenance

  /// Empty: none is kept.
  std::string checkpoint_path() const {
    if (!keeps_state) return {};
    return checkpoint.empty() ? output + ".ckpt" + state_extension() : checkpoint;
  }
};

struct RobustifyOutcome {
  Dataset robust;
  std::vector<StepRecord> history;
  index best_step = 0;
  index duplicates_dropped = 0;
  index resumed_at = 0;
  double seconds = 0;
};

/// Runs to the end, writes the output, removes the checkpoint.
///   ensures: the output's bytes depend on (options, data) alone, not on interruptions, workers or timings
///   throws: Interrupted after Ctrl-C, with the checkpoint written; otherwise as Robustifier and the writers
RobustifyOutcome run_robustify(const RobustifyJob& job, const Dataset& data, Session& session);

/// The set that the optimisation of `robust` started from: as many original images with the same labels, the baseline
/// to compare with. throws: ConfigError where the set stores no initial images; the message names `file`
Dataset originals_of(const Dataset& robust, const std::string& file);

/// Against what a data set was optimised, by its provenance.
struct Threat {
  std::string norm;
  double eps = 0;  // > 0
};
/// Nothing for sets that are no results of robustify, or of robustify with eps 0 (KIP).
std::optional<Threat> optimised_against(const Dataset& data);

/// Resolved options, data and kernel plan, for --dry-run and --explain.
std::string robustify_plan(const RobustifyJob& job, const Dataset& data, Session& session);
/// Schema "ntkrob.robustify/1".
nlohmann::ordered_json robustify_json(const RobustifyJob& job, const RobustifyOutcome& outcome, Session& session);

}  // namespace ntkrob::cli
