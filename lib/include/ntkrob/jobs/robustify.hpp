/// The robustify job: a recipe of the shelf (robust/recipe.hpp) on a data file, with checkpoint, log, provenance and
/// the result file.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ntkrob/data/dataset.hpp"
#include "ntkrob/data/format.hpp"
#include "ntkrob/jobs/context.hpp"
#include "ntkrob/jobs/machine.hpp"
#include "ntkrob/robust/recipe.hpp"

namespace ntkrob::jobs {

struct RobustifyJob {
  RobustifyJob() : RobustifyJob("adv-kip") {}
  /// With the default options of that recipe.   throws: ConfigError where there is none of that name
  explicit RobustifyJob(const std::string& recipe);

  std::string recipe;                      // its name
  std::shared_ptr<RecipeOptions> options;  // of that recipe
  std::string data;                        // file name of the training data, for messages and provenance
  std::string output;                      // a data set, in the format of its extension
  std::string checkpoint;                  // empty: <output>.ckpt.h5
  std::string log;                         // CSV, empty: none
  bool resume = false;
  bool keeps_state = true;  // false: no checkpoint at all
  ReadOptions read;         // how the data were read, for provenance
  // The model of recipes that need one: a net from a file, or a kernel machine; empty: none.
  std::string model;
  MachineJob machine;

  /// Sets an option of the recipe by its name.   throws: ConfigError where it has no such option; as Field::set
  void set(const std::string& name, const std::string& value);
  std::string get(const std::string& name) const;
  /// Empty: none is kept.
  std::string checkpoint_path() const;
};

struct RobustifyOutcome {
  Dataset robust;
  std::vector<Column> columns;                        // of the rows
  std::vector<Row> rows;                              // one per step
  std::vector<std::pair<std::string, double>> facts;  // what else the recipe has counted
  index best_step = 0;
  index resumed_at = 0;
  double seconds = 0;
};

/// Runs to the end, writes the output, removes the checkpoint.
///   ensures: the output's bytes depend on recipe, options, data and model alone, not on stops, workers or timings
///   throws: Interrupted after a request to stop, with the checkpoint written; else as the recipe and the writers
RobustifyOutcome run_robustify(const RobustifyJob& job, const Dataset& data, Context& context);

/// Refuses before files are read what can be refused: options, names of files, a model that is missing or one too many.
void check_robustify(const RobustifyJob& job, Context& context);

/// The set that the optimisation of `robust` started from: as many original images with the same labels, the baseline
/// to compare with. throws: ConfigError where the set stores no initial images; the message names `file`
Dataset originals_of(const Dataset& robust, const std::string& file);

/// Against what a data set was optimised, by its provenance.
struct Threat {
  std::string norm;
  double eps = 0;  // > 0
};
/// Nothing for sets that are no results of adv-kip, or of adv-kip with eps 0 (KIP).
std::optional<Threat> optimised_against(const Dataset& data);

/// Resolved options, data and plan.
std::string robustify_plan(const RobustifyJob& job, const Dataset& data, Context& context);

}  // namespace ntkrob::jobs
