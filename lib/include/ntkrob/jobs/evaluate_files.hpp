/// The evaluate job on files: a net or a kernel machine, the model that transferred attacks are made on, and the data.
#pragma once

#include <optional>
#include <string>

#include "ntkrob/jobs/evaluate.hpp"
#include "ntkrob/jobs/model.hpp"
#include "ntkrob/jobs/report.hpp"

namespace ntkrob::jobs {

struct EvaluateFiles {
  std::string model;          // a net; or
  MachineJob machine;         // a kernel machine
  std::string transfer_from;  // a net on which attacks named transfer(ATTACK) are made; or
  MachineJob source;          // a kernel machine for that; or none
  std::string data;
  EvaluateJob job;  // its names of model and source are made by check_evaluate_files()
  ReadOptions read;
};

struct EvaluatedFiles {
  EvaluateOutcome outcome;
  std::optional<EvaluateOutcome> float32;  // of int8: the same net, not quantised
  Machine machine;                         // how the judged one was solved; its model is gone
};

/// All that can be refused before files are read; names model and source.   throws: ConfigError; as check_evaluate
void check_evaluate_files(EvaluateFiles& files, Context& context);
/// The data, scaled as those of the model.   throws: as open_input; ConfigError about the threat
Dataset open_evaluate(const EvaluateFiles& files, Context& context);
/// Options, backend, and the plan of a kernel machine, lines of text.
std::string evaluate_plan(const EvaluateFiles& files, const Dataset& data, Context& context);
/// data: its classes may be renumbered as those of the model   throws: as run_evaluate
EvaluatedFiles run_evaluate_files(EvaluateFiles& files, Dataset& data, Context& context);
/// evaluate_report() with what was read, how the machine was solved, and of int8 the float32 net.
Report evaluated_report(const EvaluateFiles& files, const EvaluatedFiles& evaluated, const Context& context);

}  // namespace ntkrob::jobs
