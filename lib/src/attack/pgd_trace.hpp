/// Plain PGD that remembers its way, for the masking checks: no tricks that could hide a gradient that does not work.
#pragma once

#include <string>
#include <vector>

#include "ntkrob/attack/masking.hpp"

namespace ntkrob {

struct PgdTrace {
  std::vector<char> robust;      // per sample, at the worst iterate for the model
  std::vector<TraceStep> steps;  // mean loss at each of steps + 1 iterates; the last has no gradient
  index risen = 0;               // samples whose loss was larger at the end than at the start
};

/// `steps` steps of 2.5 eps / steps from a random point of the ball.   loss: ce | margin
PgdTrace trace_pgd(const Model& model, const AttackBatch& batch, const ThreatModel& threat, index steps,
                   const std::string& loss, const Rng& rng);

}  // namespace ntkrob
