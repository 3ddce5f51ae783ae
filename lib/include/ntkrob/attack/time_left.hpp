/// TimeLeft: how long an evaluation will go on, estimated from what it has taken so far. For people, never for results.
///
/// The work is a list of parts (attacks, parts of sequences, masking checks), each of which runs on batches of samples.
/// A part that has run before goes on at its own pace. One that has not goes at the mean pace of all others for each
/// pass over the model that it may need, which is too slow where it breaks most samples early and too fast where it
/// does much besides passes.
#pragma once

#include <vector>

#include "ntkrob/base/view.hpp"

namespace ntkrob {

class TimeLeft {
 public:
  struct Estimate {
    bool known = true;   // false: too little has run, or what a part costs is not known
    bool rough = false;  // there are parts that have not run
    double seconds = 0;
  };
  /// passes: of each part per sample, at most; 0: not known.
  explicit TimeLeft(const std::vector<index>& passes);
  /// The part has taken so long for so many samples.
  void add(std::size_t part, index samples, double seconds);
  /// For samples_left[p] samples of each part p.
  Estimate estimate(const std::vector<index>& samples_left) const;

 private:
  struct Part {
    double passes = 0, samples = 0, seconds = 0;
  };
  std::vector<Part> parts_;
};

}  // namespace ntkrob
