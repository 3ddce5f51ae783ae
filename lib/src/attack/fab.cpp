/// FAB and FAB-T: the smallest adversarial perturbation, by projections on linearised decision boundaries inside the
/// box, pulled towards x. Croce & Hein, "Minimally distorted adversarial examples with a fast adaptive boundary
/// attack", ICML 2020, arXiv 1907.02044, algorithm 1. Here a search ends as soon as a point lies in the ball.
#include <algorithm>
#include <numeric>

#include "attack/boundary_pass.hpp"
#include "attack/factory.hpp"
#include "attack/hyperplane.hpp"
#include "ntkrob/base/multiversion.hpp"
#include "ntkrob/base/spec_text.hpp"
#include "ntkrob/model/metrics.hpp"

namespace ntkrob {

namespace {

struct FabOptions {
  index iterations = 100;
  index restarts = 1;
  index targets = 9;
  double alpha_max = 0.1;  // most weight of the step from x
  double eta = 1.05;       // how far steps go beyond the boundary
  double beta = 0.9;       // an adversarial point is drawn this far from x
};

constexpr double kLeastDistance = 1e-8;  // keeps the weights defined where a point is on its boundary

/// z = (z + eta shift) (1 - alpha) + (x + eta shift_x) alpha, in the box.
NTKROB_MULTIVERSION void blend(const float* x, const float* shift, const float* shift_x, index d, float eta,
                               float alpha, float low, float high, float* z) {
  for (index j = 0; j < d; ++j) {
    const float value = (z[j] + eta * shift[j]) * (1 - alpha) + (x[j] + eta * shift_x[j]) * alpha;
    z[j] = std::min(std::max(value, low), high);
  }
}

class Fab : public Attack {
 public:
  Fab(std::string name, bool targeted, FabOptions options)
      : name_(std::move(name)), targeted_(targeted), options_(options) {}
  std::string name() const override { return name_; }
  AttackNature nature() const override { return AttackNature::gradients; }
  Constants constants() const override {
    Constants result{{"iterations", std::to_string(options_.iterations)},
                     {"restarts", std::to_string(options_.restarts)},
                     {"alpha_max", format_number(options_.alpha_max)},
                     {"eta", format_number(options_.eta)},
                     {"beta", format_number(options_.beta)},
                     {"start", "x, then random in the ball of eps / 2"}};
    if (targeted_) result.emplace_back("targets", std::to_string(options_.targets));
    return result;
  }
  Constants constants(index classes, const ThreatModel&) const override {
    Constants result = constants();
    if (targeted_) result.emplace_back("targets used", std::to_string(targets(classes)));
    return result;
  }

  AttackResult perturb(const Model& model, const AttackBatch& batch, const ThreatModel& threat, std::uint64_t seed,
                       View2D<float> adversarial) const override {
    check_attack_arguments(model, batch, threat, adversarial);
    BestIterate best(batch, model.classes(), adversarial);
    const Matrix<float> clean = judge_inputs(model, batch, best);
    if (threat.eps == 0) return best.take(0);

    const Rng rng(seed, targeted_ ? "attack/fab-t" : "attack/fab");
    const index classes = model.classes(), group = this->group(classes), boundaries = this->boundaries(classes);
    index zero_gradients = 0;
    for (index restart = 0; restart < options_.restarts; ++restart)
      for_track_chunks(best.robust_rows(), group, [&](std::vector<index> rows) {
        const Subset subset(batch, std::move(rows));
        Search search(options_, model, subset, threat, group, boundaries);
        for_rows(model, subset.x.rows(), [&](index k) {
          const index row = subset.rows[static_cast<std::size_t>(k)];
          if (k % group == 0)
            strongest_rivals(clean.row(row), classes, subset.labels[static_cast<std::size_t>(k)], group * boundaries,
                             search.pass.rivals.data() + k * boundaries);
          if (restart == 0) return;
          ThreatModel half = threat;
          half.eps = threat.eps / 2;
          half.random_start(subset.x.row(k), search.z.row(k), subset.x.cols(),
                            rng.fork(static_cast<std::uint64_t>(subset.samples[static_cast<std::size_t>(k)]))
                                .fork(static_cast<std::uint64_t>(restart))
                                .fork(static_cast<std::uint64_t>(k % group)));
        });
        search.run();
        zero_gradients += search.pass.zero_gradients();
        for (index k = 0; k < subset.x.rows(); ++k)
          best.merge(subset.rows[static_cast<std::size_t>(k)], search.best, k);
      });
    return best.take(zero_gradients);
  }
  index passes(index classes, const ThreatModel&) const override {
    return 1 + options_.restarts * group(classes) * options_.iterations * (boundaries(classes) + 1);
  }

 private:
  index targets(index classes) const { return std::min(options_.targets, classes - 1); }
  /// Tracks per sample, and the boundaries of which each approaches the nearest.
  index group(index classes) const { return targeted_ ? targets(classes) : 1; }
  index boundaries(index classes) const { return targeted_ ? 1 : classes - 1; }

  /// The tracks of one chunk: `group` per sample, each with `boundaries` classes of which it approaches the nearest.
  struct Search {
    Search(const FabOptions& options_, const Model& model_, const Subset& subset, const ThreatModel& threat_,
           index group_, index boundaries_)
        : options(options_),
          model(model_),
          batch(subset.batch()),
          threat(threat_),
          group(group_),
          boundaries(boundaries_),
          z(subset.x),
          found(subset.x),
          best(batch, model_.classes(), found),
          active(subset.rows.size()),
          pass(model_, batch, threat_.norm, boundaries_, active) {
      std::iota(active.begin(), active.end(), index{0});
    }

    void run() {
      Matrix<float> logits(z.rows(), model.classes());
      for (index it = 0; it < options.iterations && !active.empty(); ++it) {
        const auto n = static_cast<index>(active.size());
        const View2D<float> points = z.view().middle_rows(0, n), f = logits.view().middle_rows(0, n);
        pass.run(points, [&](index k, const Boundary& boundary) { step(k, boundary); });
        checked_logits(model, points, f, [&](index k) { return batch.sample(active[static_cast<std::size_t>(k)]); });
        for_rows(model, n, [&](index k) { judge(k, f.row(k)); });
        drop_broken(best, group, active, z);
      }
    }

    /// Active point k goes to its boundary and beyond, partly from x.
    void step(index k, const Boundary& boundary) {
      const index track = active[static_cast<std::size_t>(k)], d = z.cols();
      for (index i = 0; i < boundaries; ++i) best.spend(track);
      const float *x = batch.x.row(track), *w = boundary.slope;
      const double value_at_x = boundary.value + dot(w, x, d) - dot(w, z.row(k), d);
      std::vector<float> shift(static_cast<std::size_t>(2 * d));
      float *from_z = shift.data(), *from_x = shift.data() + d;
      shift_to_hyperplane(threat.norm, z.row(k), w, boundary.value, d, threat.low, threat.high, from_z);
      shift_to_hyperplane(threat.norm, x, w, value_at_x, d, threat.low, threat.high, from_x);
      const double a = std::max(norm_of(threat.norm, from_z, d), kLeastDistance);
      const double b = std::max(norm_of(threat.norm, from_x, d), kLeastDistance);
      const double alpha = std::min(a / (a + b), options.alpha_max);
      blend(x, from_z, from_x, d, static_cast<float>(options.eta), static_cast<float>(alpha), threat.low, threat.high,
            z.row(k));
    }

    /// Only points of the ball count; one that is adversarial further out is drawn towards x.
    void judge(index k, const float* logits) {
      const index track = active[static_cast<std::size_t>(k)], d = z.cols();
      const float* x = batch.x.row(track);
      if (threat.contains(x, z.row(k), d)) {
        best.judge(track, z.row(k), logits);
      } else {
        best.spend(track);
      }
      if (predicted_class(logits, model.classes()) == batch.labels[track] || !best.robust(track)) return;
      const auto beta = static_cast<float>(options.beta);
      for (index j = 0; j < d; ++j) z(k, j) = x[j] + (z(k, j) - x[j]) * beta;
    }

    const FabOptions& options;
    const Model& model;
    const AttackBatch batch;
    const ThreatModel& threat;
    index group, boundaries;
    Matrix<float> z;            // the active points, together
    Matrix<float> found;        // per track: the best point of the ball
    BestIterate best;           // over tracks
    std::vector<index> active;  // tracks that go on, in order
    BoundaryPass pass;
  };

  std::string name_;
  bool targeted_;
  FabOptions options_;
};

std::unique_ptr<Attack> make(const AttackSpec& spec, bool targeted) {
  spec.refuse_count();
  FabOptions options;
  OptionReader(spec)
      .search(options.iterations, options.restarts, targeted ? &options.targets : nullptr)
      .number("alpha_max", options.alpha_max, 0, 1)
      .number("eta", options.eta, 0, kNoLimit)
      .number("beta", options.beta, 0, 1)
      .finish();
  return std::make_unique<Fab>(spec.full, targeted, options);
}

}  // namespace

std::unique_ptr<Attack> make_fab(const AttackSpec& spec) { return make(spec, false); }
std::unique_ptr<Attack> make_fab_t(const AttackSpec& spec) { return make(spec, true); }

}  // namespace ntkrob
