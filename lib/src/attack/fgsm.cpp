/// FGSM: one step of steepest ascent of size eps from x. Goodfellow, Shlens, Szegedy, "Explaining and harnessing
/// adversarial examples", ICLR 2015, arXiv 1412.6572.
#include "attack/factory.hpp"
#include "attack/search.hpp"
#include "ntkrob/base/spec_text.hpp"

namespace ntkrob {

namespace {

class Fgsm : public Attack {
 public:
  Fgsm(std::string name, AttackOptions options) : name_(std::move(name)), options_(std::move(options)) {}
  std::string name() const override { return name_; }
  AttackNature nature() const override { return AttackNature::gradients; }
  std::vector<std::pair<std::string, std::string>> constants() const override {
    return {
        {"loss", options_.loss}, {"temperature", format_number(options_.temperature)}, {"step", "eps"}, {"start", "x"}};
  }

  AttackResult perturb(const Model& model, const AttackBatch& batch, const ThreatModel& threat, std::uint64_t,
                       View2D<float> adversarial) const override {
    check_attack_arguments(model, batch, threat, adversarial);
    GradientPass pass(model, batch, options_.loss, options_.temperature);
    BestIterate best(batch, model.classes(), adversarial);
    if (const std::unique_ptr<Iterates> points = model.iterates(batch.x)) {
      ascend_points(*points, pass, threat, 1, threat.eps, best.robust_rows(), model.classes(), best, adversarial);
      return best.take(pass.zero_gradients());
    }
    Matrix<float> logits(batch.x.rows, model.classes());
    Matrix<float> gradient(batch.x.rows, batch.x.cols);
    Matrix<float> z(batch.x);

    const auto judge = [&](index i) { best.judge(i, z.row(i), logits.row(i)); };
    pass.run(z.view(), logits, gradient, [&](index i) {
      judge(i);
      threat.ascend(gradient.row(i), z.row(i), z.cols(), threat.eps);
      threat.project(batch.x.row(i), z.row(i), z.cols());
    });
    checked_logits(model, z.view(), logits, [&](index i) { return batch.sample(i); });
    for_rows(model, z.rows(), judge);
    return best.take(pass.zero_gradients());
  }
  index passes(index, const ThreatModel&) const override { return 2; }

 private:
  std::string name_;
  AttackOptions options_;
};

}  // namespace

std::unique_ptr<Attack> make_fgsm(const AttackSpec& spec) {
  spec.refuse_count();
  return std::make_unique<Fgsm>(spec.full, spec.read_options({"loss", "temperature"}));
}

}  // namespace ntkrob
