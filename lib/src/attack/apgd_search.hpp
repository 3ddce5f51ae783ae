/// One run of Auto-PGD on a set of tracks: projected gradient ascent with momentum and a step size that is halved,
/// going back to the best point, at checkpoints where the loss has stopped to rise. Croce & Hein, "Reliable evaluation
/// of adversarial robustness with an ensemble of diverse parameter-free attacks", ICML 2020, arXiv 2003.01690,
/// algorithm 1; for l1 the sparse steps of Croce & Hein, "Mind the box", ICML 2021, arXiv 2103.01208, algorithm 1.
#pragma once

#include <vector>

#include "attack/dlr.hpp"
#include "attack/search.hpp"

namespace ntkrob {

/// What a run searches with; published constants.
struct ApgdSettings {
  index iterations = 100;
  double rho = 0.75;         // a checkpoint halves the step where fewer steps than this share have raised the loss
  index eot = 1;             // gradients averaged per iteration, for models whose output is random
  LogitLoss loss = nullptr;  // null: cross-entropy
  std::vector<double> radii{
      1};  // stages, each from the best point of the one before, in balls of these sizes times eps
};

/// Tracks: one row per search. Rows of the same sample stand together, `group` of them; as soon as one of them has
/// found an adversarial point, all of the group stop.
struct Tracks {
  const AttackBatch& batch;
  const int* rivals;  // the target class of each row; unused by losses without target
  index group;
};

/// z: the start points in the first ball, N x D; overwritten.   best: takes every point of the last stage
/// returns: the number of gradients that were exactly 0   throws: NonFinite naming the sample
index apgd_search(const Model& model, const Tracks& tracks, const ThreatModel& threat, const ApgdSettings& settings,
                  View2D<float> z, BestIterate& best);

}  // namespace ntkrob
