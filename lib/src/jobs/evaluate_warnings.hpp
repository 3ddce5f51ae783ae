/// Warnings about inputs of evaluate that are likely mistakes.
#pragma once

#include "ntkrob/jobs/evaluate.hpp"

namespace ntkrob::jobs {

/// Warns where eps covers half of the box or more (eps in units of 0..255), and where all pixels are nearly 0.
void warn_about_inputs(const ThreatModel& threat, ConstView2D<float> x, Listener& listener);
/// Warns where the model knows no more than the frequencies of the classes, or where the split has one class only: then
/// every accuracy is that of always answering it, or less, and no sign of a mistake.   labels: of the samples judged
void warn_about_accuracy(const EvaluateJob& job, double clean, const std::vector<int>& labels, const Dataset& data,
                         Listener& listener);

}  // namespace ntkrob::jobs
