/// DeepFool: steps to the nearest linearised decision boundary until it is crossed. Moosavi-Dezfooli, Fawzi, Frossard,
/// CVPR 2016, arXiv 1511.04599, algorithm 2; the steps stay in the box. A reference that is cheap and weak.
#include <algorithm>
#include <numeric>

#include "attack/boundary_pass.hpp"
#include "attack/factory.hpp"
#include "attack/hyperplane.hpp"
#include "ntkrob/base/spec_text.hpp"
#include "ntkrob/model/metrics.hpp"

namespace ntkrob {

namespace {

struct DeepFoolOptions {
  index iterations = 50;
  index classes = 10;  // of the label and its strongest rivals
  double overshoot = 0.02;
};

class DeepFool : public Attack {
 public:
  DeepFool(std::string name, DeepFoolOptions options) : name_(std::move(name)), options_(options) {}
  std::string name() const override { return name_; }
  AttackNature nature() const override { return AttackNature::gradients; }
  Constants constants() const override {
    return {{"iterations", std::to_string(options_.iterations)},
            {"classes", std::to_string(options_.classes)},
            {"overshoot", format_number(options_.overshoot)},
            {"result", "the crossing, or its projection on the ball where it lies outside"}};
  }

  AttackResult perturb(const Model& model, const AttackBatch& batch, const ThreatModel& threat, std::uint64_t,
                       View2D<float> adversarial) const override {
    check_attack_arguments(model, batch, threat, adversarial);
    BestIterate best(batch, model.classes(), adversarial);
    const Matrix<float> clean = judge_inputs(model, batch, best);
    if (threat.eps == 0) return best.take(0);
    const index boundaries = this->boundaries(model.classes());
    index zero_gradients = 0;
    for_track_chunks(best.robust_rows(), 1, [&](std::vector<index> rows) {
      zero_gradients += search(model, Subset(batch, std::move(rows)), clean, threat, boundaries, best);
    });
    return best.take(zero_gradients);
  }
  index passes(index classes, const ThreatModel&) const override {
    return 1 + options_.iterations * (boundaries(classes) + 2);
  }

 private:
  index boundaries(index classes) const { return std::min(options_.classes, classes) - 1; }

  index search(const Model& model, const Subset& subset, const Matrix<float>& clean, const ThreatModel& threat,
               index boundaries, BestIterate& best) const {
    const AttackBatch part = subset.batch();
    const index d = part.x.cols, classes = model.classes();
    Matrix<float> z(part.x), logits(z.rows(), classes);
    std::vector<index> active(subset.rows.size());
    std::iota(active.begin(), active.end(), index{0});
    const auto row_of = [&](index track) { return subset.rows[static_cast<std::size_t>(track)]; };
    BoundaryPass pass(model, part, threat.norm, boundaries, active);
    for (index track = 0; track < z.rows(); ++track)
      strongest_rivals(clean.row(row_of(track)), classes, part.labels[track], boundaries,
                       pass.rivals.data() + track * boundaries);

    const auto overshoot = static_cast<float>(1 + options_.overshoot);
    // The candidate of a track: beyond z as seen from x, in ball and box.
    Matrix<float> candidate(part.x);
    for (index it = 0; it < options_.iterations && !active.empty(); ++it) {
      const auto n = static_cast<index>(active.size());
      const View2D<float> points = z.view().middle_rows(0, n), f = logits.view().middle_rows(0, n);
      const View2D<float> out = candidate.view().middle_rows(0, n);
      const auto x_of = [&](index k) { return part.x.row(active[static_cast<std::size_t>(k)]); };
      pass.run(points, [&](index k, const Boundary& boundary) {
        std::vector<float> shift(static_cast<std::size_t>(d));
        shift_to_hyperplane(threat.norm, points.row(k), boundary.slope, boundary.value, d, threat.low, threat.high,
                            shift.data());
        const float* x = x_of(k);
        for (index j = 0; j < d; ++j) {
          points(k, j) = std::min(std::max(points(k, j) + shift[static_cast<std::size_t>(j)], threat.low), threat.high);
          out(k, j) = x[j] + overshoot * (points(k, j) - x[j]);
        }
        threat.project(x, out.row(k), d);
        for (index i = 0; i < boundaries; ++i) best.spend(row_of(active[static_cast<std::size_t>(k)]));
      });
      const auto sample_of = [&](index k) { return part.sample(active[static_cast<std::size_t>(k)]); };
      checked_logits(model, out, f, sample_of);
      for_rows(model, n,
               [&](index k) { best.judge(row_of(active[static_cast<std::size_t>(k)]), out.row(k), f.row(k)); });
      // The search is over where the point itself, in the ball or not, has crossed.
      for_rows(model, n, [&](index k) {
        const float* x = x_of(k);
        for (index j = 0; j < d; ++j)
          out(k, j) = std::min(std::max(x[j] + overshoot * (points(k, j) - x[j]), threat.low), threat.high);
      });
      checked_logits(model, out, f, sample_of);
      index kept = 0;
      for (index k = 0; k < n; ++k) {
        const index track = active[static_cast<std::size_t>(k)];
        best.spend(row_of(track));
        if (!best.robust(row_of(track)) || predicted_class(f.row(k), classes) != part.labels[track]) continue;
        active[static_cast<std::size_t>(kept)] = track;
        std::copy_n(points.row(k), d, points.row(kept++));
      }
      active.resize(static_cast<std::size_t>(kept));
    }
    return pass.zero_gradients();
  }

  std::string name_;
  DeepFoolOptions options_;
};

}  // namespace

std::unique_ptr<Attack> make_deepfool(const AttackSpec& spec) {
  spec.refuse_count();
  DeepFoolOptions options;
  OptionReader(spec)
      .integer("iterations", options.iterations, 1, kMostSteps)
      .integer("classes", options.classes, 2, kMostSteps)
      .number("overshoot", options.overshoot, 0, kNoLimit)
      .finish();
  return std::make_unique<DeepFool>(spec.full, options);
}

}  // namespace ntkrob
