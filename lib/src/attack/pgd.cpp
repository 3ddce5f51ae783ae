/// PGD: projected steepest ascent from a random point of the ball. Madry, Makelov, Schmidt, Tsipras, Vladu, "Towards
/// deep learning models resistant to adversarial attacks", ICLR 2018, arXiv 1706.06083.
#include <algorithm>
#include <numeric>

#include "attack/factory.hpp"
#include "attack/search.hpp"
#include "ntkrob/base/spec_text.hpp"

namespace ntkrob {

namespace {

constexpr index kDefaultSteps = 40;
constexpr double kDefaultReach = 2.5;  // steps times step size, in units of eps

float step_size(const ThreatModel& threat, index steps, double step) {
  return static_cast<float>(step > 0 ? step : kDefaultReach * threat.eps / static_cast<double>(steps));
}

template <class Stream>
std::vector<RandomStream> streams(index n, const Stream& stream) {
  std::vector<RandomStream> all;
  all.reserve(static_cast<std::size_t>(n));
  for (index i = 0; i < n; ++i) all.push_back(stream(i).stream());
  return all;
}

class Pgd : public Attack {
 public:
  Pgd(std::string name, index steps, AttackOptions options)
      : name_(std::move(name)), steps_(steps), options_(std::move(options)) {}
  std::string name() const override { return name_; }
  AttackNature nature() const override { return AttackNature::gradients; }
  std::vector<std::pair<std::string, std::string>> constants() const override {
    return {{"steps", std::to_string(steps_)},
            {"step", options_.step > 0 ? format_number(options_.step)
                                       : format_number(kDefaultReach) + " eps / " + std::to_string(steps_)},
            {"loss", options_.loss},
            {"temperature", format_number(options_.temperature)},
            {"restarts", std::to_string(options_.restarts)},
            {"start", options_.random_start ? "random" : "x"}};
  }

  AttackResult perturb(const Model& model, const AttackBatch& batch, const ThreatModel& threat, std::uint64_t seed,
                       View2D<float> adversarial) const override {
    check_attack_arguments(model, batch, threat, adversarial);
    const Rng rng(seed, "attack/pgd");
    const float step = step_size(threat, steps_, options_.step);
    BestIterate best(batch, model.classes(), adversarial);
    index zero_gradients = 0;

    std::vector<index> active(static_cast<std::size_t>(batch.x.rows));
    std::iota(active.begin(), active.end(), index{0});
    for (index restart = 0; restart < options_.restarts && !active.empty(); ++restart) {
      const Subset subset(batch, active);
      const AttackBatch part = subset.batch();
      GradientPass pass(model, part, options_.loss, options_.temperature);
      const auto stream = [&](index k) {
        return rng.fork(static_cast<std::uint64_t>(part.sample(k))).fork(static_cast<std::uint64_t>(restart));
      };
      if (const std::unique_ptr<Iterates> points = model.iterates(part.x)) {
        if (options_.random_start) points->start_at_random(threat.ball(), streams(part.x.rows, stream));
        ascend_points(*points, pass, threat, steps_, step, subset.rows, model.classes(), best, adversarial);
        zero_gradients += pass.zero_gradients();
        active = best.robust_rows();
        continue;
      }
      Matrix<float> z(part.x);
      Matrix<float> logits(z.rows(), model.classes());
      Matrix<float> gradient(z.rows(), z.cols());
      if (options_.random_start)
        for_rows(model, z.rows(), [&](index k) { threat.random_start(part.x.row(k), z.row(k), z.cols(), stream(k)); });
      const auto judge = [&](index k) {
        best.judge(subset.rows[static_cast<std::size_t>(k)], z.row(k), logits.row(k));
      };
      // The pass of step t gives the logits that judge iterate t; the last iterate needs a forward pass of its own.
      for (index t = 0; t < steps_; ++t) {
        pass.run(z.view(), logits, gradient, [&](index k) {
          judge(k);
          threat.ascend(gradient.row(k), z.row(k), z.cols(), step);
          threat.project(part.x.row(k), z.row(k), z.cols());
        });
      }
      checked_logits(model, z.view(), logits, [&](index k) { return part.sample(k); });
      for_rows(model, z.rows(), judge);
      zero_gradients += pass.zero_gradients();
      active.erase(std::remove_if(active.begin(), active.end(), [&](index row) { return !best.robust(row); }),
                   active.end());
    }
    return best.take(zero_gradients);
  }
  index passes(index, const ThreatModel&) const override { return options_.restarts * (steps_ + 1); }

 private:
  std::string name_;
  index steps_;
  AttackOptions options_;
};

}  // namespace

std::unique_ptr<Attack> make_pgd(const AttackSpec& spec) {
  AttackOptions options = spec.read_options({"loss", "temperature", "restarts", "step", "start"});
  const index steps = spec.count > 0 ? spec.count : kDefaultSteps;
  return std::make_unique<Pgd>(spec.full, steps, std::move(options));
}

void pgd(const Model& model, const AttackBatch& batch, const ThreatModel& threat, index steps, double step,
         const std::string& loss, double temperature, const Rng& rng, View2D<float> adversarial) {
  check_attack_arguments(model, batch, threat, adversarial);
  NTKROB_CHECK(steps >= 1, ConfigError, "pgd: ", steps, " steps, must be 1 or more");
  NTKROB_CHECK(step >= 0, ConfigError, "pgd: step is ", step, ", must be 0 (default) or more");
  GradientPass pass(model, batch, loss, temperature);
  const index n = batch.x.rows, d = batch.x.cols;
  const auto stream = [&](index i) { return rng.fork(static_cast<std::uint64_t>(batch.sample(i))); };
  const float size = step_size(threat, steps, step);
  if (const std::unique_ptr<Iterates> points = threat.eps > 0 ? model.iterates(batch.x) : nullptr) {
    Matrix<float> logits(n, model.classes());
    points->start_at_random(threat.ball(), streams(n, stream));
    for (index t = 0; t < steps; ++t) {
      pass.run(*points, logits);
      points->ascend(threat.ball(), size);
    }
    pass.finish(*points);
    points->read(adversarial);
    return;
  }
  for_rows(model, n, [&](index i) { threat.random_start(batch.x.row(i), adversarial.row(i), d, stream(i)); });
  if (threat.eps == 0) return;
  Matrix<float> logits(n, model.classes());
  Matrix<float> gradient(n, d);
  for (index t = 0; t < steps; ++t) {
    pass.run(adversarial, logits, gradient, [&](index i) {
      threat.ascend(gradient.row(i), adversarial.row(i), d, size);
      threat.project(batch.x.row(i), adversarial.row(i), d);
    });
  }
}

}  // namespace ntkrob
