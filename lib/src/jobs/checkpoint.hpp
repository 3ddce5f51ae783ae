/// The state of a job on disk: one class for robustify, train, evaluate, kernel and predict.
///
/// Written by time, whole or not at all, and only over checkpoints: a file of any other kind under that name is
/// refused, whatever --force says. It knows which job it is of and on what it was computed, and says so where a run
/// goes on elsewhere; it is removed when the job's outputs are there. The rules of the command are the same everywhere:
/// a checkpoint that lies there is refused without --resume (go on) or --force (start anew); --resume without one is an
/// error.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "ntkrob/base/state_dict.hpp"
#include "ntkrob/jobs/context.hpp"

namespace ntkrob::jobs {

/// What a checkpoint is of.
struct CheckpointOptions {
  std::string job;   // "robustify"; of another job it is refused
  std::string path;  // empty: none is kept
  bool resume = false;
  /// Whether the job's numbers come from a library for eigenvalues, of which every one has other last bits.
  bool eigenvalues = false;
};

class Checkpoint {
 public:
  Checkpoint(CheckpointOptions options, Context& context);

  /// Refuses before the work what cannot be kept, or must not be touched.   throws: ConfigError, IoError, ResourceError
  static void check(const CheckpointOptions& options, Context& context);

  bool kept() const { return !options_.path.empty(); }
  const std::string& path() const { return options_.path; }

  /// Hands what an earlier run has left to `restore`.
  ///   throws: IoError (no checkpoint, a damaged one); ConfigError (of another job, library version or backend, or on
  ///   an instruction set that does not have the same bits); what restore throws, IoErrors with the name of the file
  void load(const std::function<void(const StateDict&)>& restore);

  /// Whether so much time has passed that the state should be written: seconds, and many times what writing takes.
  bool due() const;
  /// A disk on which it cannot be written costs a warning, once, and not the run, unless the run is to stop: then it is
  /// an error.   throws: ResourceError after a signal
  void save(StateDict state);
  /// Keeps the state in memory, and writes it when it is due; the first one at once.
  void offer(StateDict state);
  /// Writes what was offered last, if it is not on disk.
  void flush();
  /// There is something on disk, written by the caller.
  void set_on_disk();

  /// The end of an interrupted job: says where the state is and how to go on.   throws: Interrupted
  [[noreturn]] void give_up(const std::string& what) const;
  /// The outputs are there: the checkpoint is no longer needed.
  void finish();

  /// What results may depend on, beside the options: entries "run/..." of a state, and the same as texts.
  OptionTexts identity() const;
  /// As load() does, of texts that were stored elsewhere.   stored: by the names of identity()
  void check_identity(const std::function<std::string(const std::string& name)>& stored);

 private:
  std::string advice() const;

  CheckpointOptions options_;
  Context& context_;
  Stopwatch watch_;
  double next_;
  bool saved_ = false;
  bool failed_ = false;  // it could not be written once, and that was said
  std::unique_ptr<StateDict> pending_;
};

}  // namespace ntkrob::jobs
