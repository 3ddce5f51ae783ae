/// Linearised decision boundaries at many points at once: what FAB and DeepFool step on.
#pragma once

#include <algorithm>
#include <functional>
#include <vector>

#include "attack/dlr.hpp"
#include "attack/rows.hpp"
#include "attack/search.hpp"

namespace ntkrob {

/// The boundary { p : value + slope . (p - z) = 0 } between the label and one other class, seen from z.
struct Boundary {
  double value = 0;              // f_other - f_label at z
  const float* slope = nullptr;  // its gradient at z, D
};

/// For every active track the nearest of `boundaries` linearised boundaries, in the norm of the threat model and
/// without regard to the box: one fused pass of active tracks times boundaries.
class BoundaryPass {
 public:
  /// batch: one row per track; active: the track of each point, in the order of the points. Both must outlive the
  /// object.
  BoundaryPass(const Model& model, const AttackBatch& batch, Norm norm, index boundaries,
               const std::vector<index>& active)
      : rivals(static_cast<std::size_t>(batch.x.rows * boundaries)),
        model_(model),
        norm_(norm),
        boundaries_(boundaries),
        active_(active),
        wide_(boundaries > 1 ? batch.x.rows * boundaries : 0, batch.x.cols),
        gradient_(batch.x.rows * boundaries, batch.x.cols),
        logits_(batch.x.rows * boundaries, model.classes()),
        pass_(
            model, batch.x.rows * boundaries,
            [this, &batch](index first, ConstView2D<float> logits, double* loss, View2D<float> cotangent) {
              for (index i = 0; i < logits.rows; ++i) {
                const index track = track_of(first + i);
                const int rival = rivals[static_cast<std::size_t>(track * boundaries_ + (first + i) % boundaries_)];
                loss[i] = targeted_margin(logits.row(i), logits.cols, batch.labels[track], rival, cotangent.row(i));
              }
            },
            [this, &batch](index i) { return batch.sample(track_of(i)); }) {}

  /// step(k, boundary) for every active point k, on the workers of the model. step may change z_k.   z: active x D
  void run(View2D<float> z, const std::function<void(index, const Boundary&)>& step) {
    const index n = z.rows * boundaries_;
    const View2D<float> g = gradient_.view().middle_rows(0, n), f = logits_.view().middle_rows(0, n);
    const auto serve = [&](index k) { step(k, nearest(k)); };
    if (boundaries_ == 1) return pass_.run(z, f, g, serve);
    for_rows(model_, n, [&](index i) { std::copy_n(z.row(i / boundaries_), z.cols, wide_.row(i)); });
    pass_.run(wide_.view().middle_rows(0, n), f, g, [](index) {});
    for_rows(model_, z.rows, serve);
  }

  index zero_gradients() const { return pass_.zero_gradients(); }

  std::vector<int> rivals;  // per track, `boundaries` classes; to be set before run()

 private:
  index track_of(index i) const { return active_[static_cast<std::size_t>(i / boundaries_)]; }

  Boundary nearest(index k) const {
    constexpr double kTinyGradient = 1e-12;
    index chosen = k * boundaries_;
    double least = 0;
    for (index i = chosen; i < (k + 1) * boundaries_ && boundaries_ > 1; ++i) {
      const double slope = dual_norm_of(norm_, gradient_.row(i), gradient_.cols());
      const double distance = std::abs(pass_.loss(i)) / (kTinyGradient + slope);
      if (i == k * boundaries_ || distance < least) {
        chosen = i;
        least = distance;
      }
    }
    return {pass_.loss(chosen), gradient_.row(chosen)};
  }

  const Model& model_;
  Norm norm_;
  index boundaries_;
  const std::vector<index>& active_;
  Matrix<float> wide_;  // every point as often as it has boundaries, where that is more than once
  Matrix<float> gradient_, logits_;
  GradientPass pass_;
};

}  // namespace ntkrob
