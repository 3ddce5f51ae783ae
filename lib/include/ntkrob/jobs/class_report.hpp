/// Accuracy per class, and which class is taken for which: what an average over classes hides.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "ntkrob/base/view.hpp"

namespace ntkrob::jobs {

struct EvaluateOutcome;

/// (true class, predicted class) -> samples; pairs that do not occur are absent.
using Confusion = std::map<std::pair<index, index>, index>;

struct ClassResult {
  index label = 0;
  index samples = 0;
  index clean = 0;       // of these, right on clean inputs
  index worst_case = 0;  // and under every attack
  // The class that wrong ones are most often taken for, the lower of equals, and how many are; -1: none is wrong.
  index taken_for = -1, taken = 0;        // on clean inputs
  index attacked_for = -1, attacked = 0;  // under attack
};

struct ClassReport {
  index classes = 0;                 // of the model
  std::vector<std::string> names;    // as the data have them, or none
  std::vector<ClassResult> results;  // of each class, in order; some may have no samples
  Confusion clean, worst_case;
  bool under_attack = false;  // whether there is a worst case

  /// Share of the samples that are right on clean inputs.
  double accuracy() const;
};

/// part / all; 0 of nothing.
double share(index part, index all);

/// Counts of clean predictions.   names: or none; classes: of the model, more than any label or prediction
ClassReport class_report(const std::vector<int>& labels, const std::vector<int>& predicted, index classes,
                         const std::vector<std::string>& names);
/// And under the worst case: a sample that some attack breaks counts as what the model sees in the input of the attack
/// that leaves the lowest margin.
ClassReport class_report(const EvaluateOutcome& outcome);

/// Classes that have samples, the worst first: by accuracy in the worst case, then clean, then by number.
std::vector<ClassResult> worst_first(const ClassReport& report);

}  // namespace ntkrob::jobs
