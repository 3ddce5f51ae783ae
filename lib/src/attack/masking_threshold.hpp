/// The threshold that both kinds of masking checks share: those that run attacks of their own (masking.cpp) and those
/// that read a report (masking_report.cpp).
#pragma once

namespace ntkrob {

/// By which share of the samples attacks without gradients may be ahead of those with.
constexpr double kMostBehind = 0.02;

}  // namespace ntkrob
