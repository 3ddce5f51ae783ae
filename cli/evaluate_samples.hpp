/// Which samples evaluate judges, and warnings about inputs that are likely mistakes.
#pragma once

#include "evaluate_job.hpp"

namespace ntkrob::cli {

/// Rows of the split, increasing: all, the first n, or n of balanced classes drawn by the seed.
///   throws: ConfigError where there are fewer, naming both numbers
std::vector<index> choose_samples(const EvaluateJob& job, const Split& split, index classes);

/// Warns where eps covers half of the box or more (eps in units of 0..255), and where all pixels are nearly 0.
void warn_about_inputs(const ThreatModel& threat, ConstView2D<float> x, Console& console);
/// Warns where the model knows no more than the frequencies of the classes.
void warn_about_accuracy(double clean, const std::vector<int>& labels, index classes, Console& console);

}  // namespace ntkrob::cli
