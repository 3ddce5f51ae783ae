/// Lines about the progress of an evaluation: which part of which attack runs, and the time left for all of it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ntkrob/attack/evaluate.hpp"
#include "ntkrob/attack/masking.hpp"
#include "ntkrob/attack/time_left.hpp"
#include "ntkrob/jobs/context.hpp"

namespace ntkrob::jobs {

class EvaluationProgress {
 public:
  explicit EvaluationProgress(Listener& listener) : listener_(listener) {}

  /// The work ahead. checks: the masking checks that follow the attacks, or null.   classes, d: of the model
  void plan(const EvaluateOptions& options, const MaskingOptions* checks, index classes, index d);
  /// An attack or a part of a sequence begins on a batch.
  void stage(const EvaluateStage& next);
  void batch_done(const std::string& attack, index done, index total);
  /// The masking checks begin, `done` steps of which were made before an interruption.
  void start_checks(index samples, index done);
  void check_done(const std::string& what, index done, index total);
  /// Before every pass of the model; tells about once a second that it goes on.
  void pass();

 private:
  /// What has run since the last call took so long, if a part was at hand.
  void close_part();
  void set_checks_left(index done, index total);
  std::string time_text() const;

  Listener& listener_;
  Stopwatch watch_;
  // Parts, in order: of each attack its own, then the radii of the checks and Square.
  std::vector<std::size_t> first_part_;  // of each attack
  std::size_t curve_ = 0;                // the part that is the radii of the checks, Square behind it
  std::unique_ptr<TimeLeft> time_;
  std::vector<index> left_;  // samples of each part
  MaskingCost cost_;
  index check_samples_ = 0;
  bool checks_ = false, sized_ = false;

  std::string what_, told_part_;  // the line without times; the part that it was printed for
  bool running_ = false;          // a part is at hand: part_ on samples_ samples, since started_
  std::size_t part_ = 0;
  index samples_ = 0, passes_ = 0;
  double started_ = 0, told_ = 0;
};

}  // namespace ntkrob::jobs
