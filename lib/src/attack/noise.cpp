/// Random noise: the worst of a few draws. What survives gradient attacks but not noise was never robust.
#include <cmath>

#include "attack/factory.hpp"
#include "attack/search.hpp"

namespace ntkrob {

namespace {

constexpr double kHalfNormalMean = 0.79788456080286535588;  // E|g| of a standard normal number: sqrt(2 / pi)

class Noise : public Attack {
 public:
  Noise(std::string name, bool gaussian, index draws) : name_(std::move(name)), gaussian_(gaussian), draws_(draws) {}
  std::string name() const override { return name_; }
  AttackNature nature() const override { return AttackNature::noise; }
  Constants constants() const override {
    return {{"draws", std::to_string(draws_)},
            {"noise", gaussian_ ? "normal, of expected size eps (linf: deviation eps / 2), projected on ball and box"
                                : "uniform in the ball, projected on the box"}};
  }

  AttackResult perturb(const Model& model, const AttackBatch& batch, const ThreatModel& threat, std::uint64_t seed,
                       View2D<float> adversarial) const override {
    check_attack_arguments(model, batch, threat, adversarial);
    BestIterate best(batch, model.classes(), adversarial);
    judge_inputs(model, batch, best);
    if (threat.eps == 0) return best.take(0);
    const Rng rng(seed, gaussian_ ? "attack/noise-gaussian" : "attack/noise-uniform");
    for (index draw = 0; draw < draws_; ++draw) {
      const Subset subset(batch, best.robust_rows());
      const AttackBatch part = subset.batch();
      Matrix<float> z(part.x), logits(z.rows(), model.classes());
      for_rows(model, z.rows(), [&](index k) {
        const Rng stream = rng.fork(static_cast<std::uint64_t>(part.sample(k))).fork(static_cast<std::uint64_t>(draw));
        if (gaussian_) {
          add_normal(threat, part.x.row(k), z.row(k), z.cols(), stream);
        } else {
          threat.random_start(part.x.row(k), z.row(k), z.cols(), stream);
        }
      });
      checked_logits(model, z.view(), logits, [&](index k) { return part.sample(k); });
      for_rows(model, z.rows(),
               [&](index k) { best.judge(subset.rows[static_cast<std::size_t>(k)], z.row(k), logits.row(k)); });
    }
    return best.take(0);
  }
  index passes(index, const ThreatModel&) const override { return 1 + draws_; }

 private:
  static void add_normal(const ThreatModel& threat, const float* x, float* z, index d, const Rng& rng) {
    const auto n = static_cast<double>(d);
    const double deviation = threat.norm == Norm::linf ? threat.eps / 2
                             : threat.norm == Norm::l2 ? threat.eps / std::sqrt(n)
                                                       : threat.eps / (n * kHalfNormalMean);
    for (index j = 0; j < d; ++j)
      z[j] = static_cast<float>(x[j] + deviation * rng.normal(static_cast<std::uint64_t>(j)));
    threat.project(x, z, d);
  }

  std::string name_;
  bool gaussian_;
  index draws_;
};

std::unique_ptr<Attack> make(const AttackSpec& spec, bool gaussian) {
  spec.refuse_count();
  index draws = 10;
  OptionReader(spec).integer("draws", draws, 1, kMostSteps).finish();
  return std::make_unique<Noise>(spec.full, gaussian, draws);
}

}  // namespace

std::unique_ptr<Attack> make_noise_uniform(const AttackSpec& spec) { return make(spec, false); }
std::unique_ptr<Attack> make_noise_gaussian(const AttackSpec& spec) { return make(spec, true); }

}  // namespace ntkrob
