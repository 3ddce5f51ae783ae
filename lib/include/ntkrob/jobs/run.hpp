/// The driver of long jobs: records, log, progress, checkpoint, resumption and stop exist once, here.
///
/// A job is a sequence of steps with a state. Each step leaves one Row (base/records.hpp), which the log (CSV), the
/// line of progress and the curves of reports read alike. The state is written by time, or every so many steps, and
/// when somebody asks for an end; a run that goes on from it with the same options ends with the same bytes. A log on a
/// disk that is full costs the rest of the log and not the result: a warning, and Context::late_error.
///
/// Jobs that are no sequence of steps (evaluate) take the pieces one by one; those whose state is what they have
/// finished of their result (kernel, predict) keep rows instead (jobs/row_checkpoint.hpp).
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ntkrob/base/records.hpp"
#include "ntkrob/base/state_dict.hpp"
#include "ntkrob/jobs/context.hpp"

namespace ntkrob::jobs {

class Checkpoint;

struct RunOptions {
  std::string job;             // names the checkpoint; that of another job is refused
  std::string checkpoint;      // a file; empty: none is kept
  bool resume = false;         // go on from it
  std::string log;             // CSV, a line per row; empty: none
  index checkpoint_every = 0;  // steps between two checkpoints; 0: by time alone
};

/// A job that is made of steps.
class Stepped {
 public:
  virtual ~Stepped() = default;
  virtual const std::vector<Column>& columns() const = 0;
  /// Of the whole run; may become fewer, where a job ends early.
  virtual index steps() const = 0;
  virtual index steps_done() const = 0;
  /// All or nothing: after an exception, Interrupted among them, the state is that of the last whole step.
  virtual Row step() = 0;
  virtual StateDict state() const = 0;
  /// throws: IoError where this is no state of the job; ConfigError where it is that of other options or data
  virtual void restore(const StateDict& state) = 0;
};

class Run {
 public:
  Run(RunOptions options, Context& context);
  ~Run();

  /// Refuses before the work what could not be kept, gone on with, or must not be touched.
  ///   throws: ConfigError, IoError, ResourceError
  static void check(const RunOptions& options, Context& context);

  /// Goes on from the checkpoint where that is asked for, and steps to the end.
  ///   returns: the step after which it went on, or 0
  ///   throws: Interrupted, with the last whole step in the checkpoint if one is kept; as load() and Stepped
  index steps(Stepped& job);

  // The pieces.
  bool kept() const;
  /// throws: IoError (no checkpoint, a damaged one); ConfigError (of another job, version or backend, or on
  /// instructions
  ///   that have other last bits); what restore throws, IoErrors with the name of the file
  void load(const std::function<void(const StateDict&)>& restore);
  /// From here on requests to stop are looked for, and answered by give_up(); rest(): no longer, the job only has to
  /// write down what it has. steps() does both by itself.   throws: Interrupted where nobody has answered one before
  void watch();
  void rest();
  /// Looks for a request to stop. requires: watch()   throws: Interrupted
  void look() const;
  /// Keeps the state in memory, and writes it when it is due; the first one at once.
  void offer(StateDict state);
  /// A request has been seen (requires: watch()): writes what was offered last, says where it is and how to go on.
  /// throws: Interrupted
  [[noreturn]] void give_up(const std::string& what);
  /// The outputs are there: the checkpoint is no longer needed.
  void finish();
  static void finish(const RunOptions& options, Context& context);

 private:
  RunOptions options_;
  Context& context_;
  std::unique_ptr<Checkpoint> checkpoint_;
  std::unique_ptr<StopScope> scope_;
};

/// "step 3/200  loss 0.21  adversarial 45.1 %  12.1 steps/min  8 s left": the columns that are shown.
std::string progress_text(const std::vector<Column>& columns, const Row& row, index steps, double seconds_per_step);

}  // namespace ntkrob::jobs
