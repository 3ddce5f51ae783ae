/// Records of a run: one row of numbers per step, read by the log, the line of progress and the curves of reports.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ntkrob/base/view.hpp"

namespace ntkrob {

/// What a number in a row means.
struct Column {
  enum class Kind { number, fraction };  // a fraction is shown in percent
  std::string name;                      // as in the head of a log: "gradient_norm"
  Kind kind = Kind::number;
  bool shown = false;  // in the line of progress
  bool curve = false;  // kept with the result, and drawn in reports
};

/// A step. A number that was not measured in it is absent, never NaN.
struct Row {
  index step = 0;                             // steps done, counted from 1
  std::vector<std::optional<double>> values;  // as many as columns
  double seconds = 0;                         // what the step took; no part of any result
};

}  // namespace ntkrob
