/// Square: random search with windows that shrink, on the margin, without gradients. Andriushchenko, Croce, Flammarion,
/// Hein, ECCV 2020, arXiv 1912.00049; constants as in AutoAttack. Every sample draws its own windows, where the
/// published code shares one per query in a batch, so that results do not depend on the batch.
#include <algorithm>
#include <numeric>

#include "attack/factory.hpp"
#include "attack/search.hpp"
#include "attack/square_moves.hpp"
#include "ntkrob/base/spec_text.hpp"
#include "ntkrob/model/metrics.hpp"

namespace ntkrob {

namespace {

struct SquareOptions {
  index queries = 5000;
  index restarts = 1;
  double p_init = 0.8;
};

class Square : public Attack {
 public:
  Square(std::string name, SquareOptions options) : name_(std::move(name)), options_(options) {}
  std::string name() const override { return name_; }
  AttackNature nature() const override { return AttackNature::search; }
  Constants constants() const override {
    return {{"queries", std::to_string(options_.queries)},
            {"restarts", std::to_string(options_.restarts)},
            {"p_init", format_number(options_.p_init)},
            {"schedule", "p halved after 10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000 queries"},
            {"loss", "margin"},
            {"windows", "drawn per sample"}};
  }

  AttackResult perturb(const Model& model, const AttackBatch& batch, const ThreatModel& threat, std::uint64_t seed,
                       View2D<float> adversarial) const override {
    check_attack_arguments(model, batch, threat, adversarial);
    BestIterate best(batch, model.classes(), adversarial);
    judge_inputs(model, batch, best);
    if (threat.eps == 0) return best.take(0);
    const Rng rng(seed, "attack/square");
    for (index restart = 0; restart < options_.restarts; ++restart)
      for_track_chunks(best.robust_rows(), 1, [&](std::vector<index> rows) {
        search(model, Subset(batch, std::move(rows)), threat, rng, restart, best);
      });
    return best.take(0);
  }
  index passes(index, const ThreatModel&) const override { return 1 + options_.restarts * (1 + options_.queries); }

 private:
  void search(const Model& model, const Subset& subset, const ThreatModel& threat, const Rng& rng, index restart,
              BestIterate& best) const {
    const AttackBatch part = subset.batch();
    const index n_all = part.x.rows, d = part.x.cols, classes = model.classes();
    Matrix<float> z(part.x), candidate(part.x), found(part.x), logits(n_all, classes);
    std::vector<float> margin(static_cast<std::size_t>(n_all));  // at z, per track
    std::vector<index> active(static_cast<std::size_t>(n_all));
    std::iota(active.begin(), active.end(), index{0});
    std::vector<Rng> streams;
    for (const index sample : subset.samples)
      streams.push_back(rng.fork(static_cast<std::uint64_t>(sample)).fork(static_cast<std::uint64_t>(restart)));
    BestIterate local(part, classes, found);
    SquareMoves moves(threat, model.input_shape());

    // Query 0 is the start, which is taken whatever its margin; the others are taken where they lower it.
    for (index query = 0; query <= options_.queries && !active.empty(); ++query) {
      const auto n = static_cast<index>(active.size());
      const auto track = [&](index k) { return static_cast<std::size_t>(active[static_cast<std::size_t>(k)]); };
      const bool start = query == 0;
      if (!start) moves.resize(square_share(options_.p_init, query - 1));
      for_rows(model, n, [&](index k) {
        const float* x = part.x.row(active[static_cast<std::size_t>(k)]);
        const Rng draws = streams[track(k)].fork(static_cast<std::uint64_t>(query));
        if (start) {
          moves.start(x, candidate.row(k), draws);
        } else {
          moves.propose(x, z.row(k), candidate.row(k), draws);
        }
      });
      const View2D<float> f = logits.view().middle_rows(0, n);
      checked_logits(model, candidate.view().middle_rows(0, n), f, [&](index k) { return subset.samples[track(k)]; });
      for_rows(model, n, [&](index k) {
        const int y = subset.labels[track(k)];
        local.judge(active[static_cast<std::size_t>(k)], candidate.row(k), f.row(k));
        const float now = f(k, y) - f(k, strongest_rival(f.row(k), classes, y));
        if (!start && !(now < margin[track(k)])) return;
        margin[track(k)] = now;
        std::copy_n(candidate.row(k), d, z.row(k));
      });
      drop_broken(local, 1, active, z);
    }
    for (index k = 0; k < n_all; ++k) best.merge(subset.rows[static_cast<std::size_t>(k)], local, k);
  }

  std::string name_;
  SquareOptions options_;
};

}  // namespace

std::unique_ptr<Attack> make_square(const AttackSpec& spec) {
  spec.refuse_count();
  SquareOptions options;
  OptionReader(spec)
      .integer("queries", options.queries, 1, kMostSteps)
      .integer("restarts", options.restarts, 1, kMostRestarts)
      .number("p_init", options.p_init, 0, 1)
      .finish();
  return std::make_unique<Square>(spec.full, options);
}

}  // namespace ntkrob
