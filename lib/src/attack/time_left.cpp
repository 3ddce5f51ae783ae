#include "ntkrob/attack/time_left.hpp"

#include "ntkrob/base/error.hpp"

namespace ntkrob {

namespace {

constexpr double kLeastSeconds = 0.2;  // of work behind, before anything is said about parts that have not run

}  // namespace

TimeLeft::TimeLeft(const std::vector<index>& passes) {
  for (const index count : passes) parts_.push_back({static_cast<double>(count), 0, 0});
}

void TimeLeft::add(std::size_t part, index samples, double seconds) {
  Part& p = parts_.at(part);
  p.samples += static_cast<double>(samples);
  p.seconds += seconds;
}

TimeLeft::Estimate TimeLeft::estimate(const std::vector<index>& samples_left) const {
  NTKROB_CHECK(samples_left.size() == parts_.size(), ShapeError, "time left: ", samples_left.size(),
               " parts, expected ", parts_.size());
  double behind = 0, passes = 0;
  for (const Part& p : parts_) {
    if (p.passes == 0) continue;
    behind += p.seconds;
    passes += p.samples * p.passes;
  }
  Estimate left;
  for (std::size_t k = 0; k < parts_.size(); ++k) {
    const Part& p = parts_[k];
    const auto samples = static_cast<double>(samples_left[k]);
    if (samples == 0) continue;
    if (p.samples > 0) {
      left.seconds += p.seconds / p.samples * samples;
      continue;
    }
    left.rough = true;
    left.known = left.known && p.passes > 0 && behind >= kLeastSeconds;
    if (left.known) left.seconds += behind / passes * p.passes * samples;
  }
  return left;
}

}  // namespace ntkrob
