/// Masking checks: signs that attacks fail because the model hides its gradients, and not because it is robust.
///
/// A model whose gradient is 0, random or misleading survives gradient attacks and is no more robust for it (Athalye,
/// Carlini, Wagner, ICML 2018, arXiv 1802.00420; Carlini et al., "On evaluating adversarial robustness", arXiv
/// 1902.06705; the checks follow their lists). No check proves robustness: an alarm says that the robust accuracies of
/// a report must not be believed, its absence says that none of these signs was found.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "ntkrob/attack/evaluate.hpp"

namespace ntkrob {

struct MaskingProgress;

struct MaskingOptions {
  ThreatModel threat;
  std::uint64_t seed = 0;
  index samples = 100;   // that are looked at, evenly spaced among those given
  index steps = 20;      // of the gradient attacks: PGD on cross-entropy and on the margin, in l1 APGD too; the worst
  index queries = 1000;  // of Square
  index draws = 10;      // of random noise
  std::vector<double> curve;  // radii, in pixel units, increasing; empty: default_curve()
  index batch_rows = 250;
  const MaskingProgress* resume = nullptr;  // goes on from there, to the report of checks without interruption
  /// Called after each radius of the curve and after Square, before progress, with what has been found so far
  /// (masking_state.hpp makes a StateDict of it).
  std::function<void(const MaskingProgress& so_far)> checkpoint;
  /// Called with what has been done: radii of the curve, then Square. May throw Interrupted.
  std::function<void(const std::string& what, index done, index total)> progress;
};

struct MaskingCheck {
  enum class Outcome { passed, alarm, skipped };
  std::string name;  // stable, for reports: "zero-gradients"
  Outcome outcome = Outcome::skipped;
  double value = 0;
  double threshold = 0;  // alarm where value is above it
  std::string measures;  // what the value is
  std::string meaning;   // what the outcome means, one sentence
};
std::string to_string(MaskingCheck::Outcome outcome);

/// Robust accuracy of the samples looked at.
struct CurvePoint {
  double eps = 0;
  double accuracy = 0;  // under the gradient attacks
  double noise = 0;     // under the worst of a few random perturbations of the same size
};

/// One step of PGD on cross-entropy from a random start, at the radius of the threat model.
struct TraceStep {
  double loss = 0;           // mean cross-entropy at the iterate
  index zero_gradients = 0;  // samples whose gradient was exactly 0
};

struct MaskingReport {
  std::vector<MaskingCheck> checks;
  std::vector<CurvePoint> curve;
  std::vector<TraceStep> trace;
  std::vector<index> rows;            // which samples were looked at
  std::vector<char> gradient_robust;  // of these, those that survive the gradient attacks at the threat model's radius
  index samples = 0;                  // looked at
  index attacked = 0;                 // of these, right on the clean inputs
  double clean = 0;                   // accuracy on the clean inputs
  double gradient = 0, square = 0, noise = 0;  // accuracies at the radius of the threat model

  index alarms() const;
  /// Two or three sentences for people: passed or not, which checks, and what follows.
  std::string verdict() const;
};

/// Where masking checks were interrupted. Of the report, what takes time is in it: curve, trace and gradient_robust of
/// the radii that are done, and square; and what tells one model and one set of samples from another.
struct MaskingProgress {
  MaskingReport report;
  index risen = 0;        // samples whose loss rose, once the threat model's radius is done
  double zero_share = 0;  // of the steps, those with a gradient of 0; likewise
  bool square_done = false;
};

/// Radii from 0 over the one of the threat model to the one whose ball covers the box around every input, increasing.
std::vector<double> default_curve(const ThreatModel& threat, index d);
/// The radius whose ball covers the box around every point of it: linf high - low, l2 that times sqrt(d), l1 times d.
double covering_radius(const ThreatModel& threat, index d);

/// What the checks cost: passes per sample looked at, at most. For estimates of time.
struct MaskingCost {
  index radii = 0;             // of the curve
  index passes_of_radius = 0;  // for each
  index passes_of_square = 0;
};
/// d: pixels
MaskingCost masking_cost(const MaskingOptions& options, index d);

/// x: N x D in the box   labels: N
///   cost: per sample about 2 * steps * (radii) gradient passes, `queries` and (radii) * draws forward passes
///   throws: ConfigError (threat model, labels, options; `resume` from another model or other data); NonFinite naming
///   the sample
MaskingReport check_masking(const Model& model, ConstView2D<float> x, const std::vector<int>& labels,
                            const MaskingOptions& options);

/// Checks on an evaluation itself, appended: accuracy at eps 0 against clean accuracy, and attacks without gradients of
/// the model (square, also within autoattack, noise and transfer) against those with gradients.
void add_report_checks(const EvaluateReport& report, MaskingReport& masking);

}  // namespace ntkrob
