/// "clean": no perturbation. It makes the accuracy on clean inputs a row of every report.
#include "attack/factory.hpp"
#include "attack/search.hpp"

namespace ntkrob {

namespace {

class Clean : public Attack {
 public:
  std::string name() const override { return "clean"; }
  AttackNature nature() const override { return AttackNature::inputs; }
  std::vector<std::pair<std::string, std::string>> constants() const override { return {}; }

  AttackResult perturb(const Model& model, const AttackBatch& batch, const ThreatModel& threat, std::uint64_t,
                       View2D<float> adversarial) const override {
    check_attack_arguments(model, batch, threat, adversarial);
    BestIterate best(batch, model.classes(), adversarial);
    judge_inputs(model, batch, best);
    return best.take(0);
  }
  index passes(index, const ThreatModel&) const override { return 1; }
};

}  // namespace

std::unique_ptr<Attack> make_clean(const AttackSpec& spec) {
  spec.refuse_count();
  spec.read_options({});
  return std::make_unique<Clean>();
}

}  // namespace ntkrob
