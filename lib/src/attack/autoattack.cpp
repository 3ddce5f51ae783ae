/// AutoAttack: a fixed sequence of attacks, each on the samples that those before it left right. Croce & Hein, ICML
/// 2020, arXiv 2003.01690; versions and order of the authors' published code.
#include <chrono>

#include "attack/factory.hpp"
#include "attack/search.hpp"

namespace ntkrob {

namespace {

struct Version {
  const char* name;
  std::vector<const char*> sequence;
};

const std::vector<Version>& versions() {
  static const std::vector<Version> table{
      {"standard", {"apgd-ce", "apgd-t", "fab-t", "square"}},
      {"plus",
       {"apgd-ce(restarts=5,schedule=single)", "apgd-dlr(restarts=5,schedule=single)", "fab(restarts=5)", "square",
        "apgd-t(targets=9,schedule=single)", "fab-t"}},
      {"rand", {"apgd-ce(restarts=1,eot=20,schedule=single)", "apgd-dlr(restarts=1,eot=20,schedule=single)"}}};
  return table;
}

class AutoAttack : public Attack {
 public:
  AutoAttack(std::string name, const Version& version) : name_(std::move(name)), version_(version) {
    for (const char* spec : version.sequence) attacks_.push_back(make_attack(spec));
  }
  std::string name() const override { return name_; }
  AttackNature nature() const override { return AttackNature::gradients; }
  Constants constants() const override {
    return collect([](const Attack& attack) { return attack.constants(); });
  }
  Constants constants(index classes, const ThreatModel& threat) const override {
    return collect([&](const Attack& attack) { return attack.constants(classes, threat); });
  }

  AttackResult perturb(const Model& model, const AttackBatch& batch, const ThreatModel& threat, std::uint64_t seed,
                       View2D<float> adversarial) const override {
    AttackResult result;
    for (std::size_t p = 0; p < attacks_.size(); ++p) perturb_part(model, batch, threat, seed, result, adversarial);
    return result;
  }

  std::vector<const Attack*> parts() const override {
    std::vector<const Attack*> result;
    for (const std::unique_ptr<Attack>& attack : attacks_) result.push_back(attack.get());
    return result;
  }
  void perturb_part(const Model& model, const AttackBatch& batch, const ThreatModel& threat, std::uint64_t seed,
                    AttackResult& so_far, View2D<float> adversarial) const override {
    check_attack_arguments(model, batch, threat, adversarial);
    const auto start = std::chrono::steady_clock::now();
    const Attack& attack = *attacks_.at(so_far.parts.size());
    const bool first = so_far.parts.empty();
    index zero_gradients = so_far.zero_gradients;
    BestIterate best(batch, model.classes(), adversarial, std::move(so_far));
    if (first) judge_inputs(model, batch, best);
    AttackPart part;
    part.name = attack.name();
    part.nature = attack.nature();
    const Subset subset(batch, best.robust_rows());
    part.attacked = static_cast<index>(subset.rows.size());
    if (part.attacked > 0) {
      Matrix<float> found(part.attacked, batch.x.cols);
      const AttackResult result = attack.perturb(model, subset.batch(), threat, seed, found);
      for (index k = 0; k < part.attacked; ++k) {
        best.merge(subset.rows[static_cast<std::size_t>(k)], result, k, found.row(k));
        part.robust += result.robust[static_cast<std::size_t>(k)];
      }
      part.zero_gradients = result.zero_gradients;
      zero_gradients += result.zero_gradients;
    }
    part.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    so_far = best.take(zero_gradients);
    so_far.parts.push_back(std::move(part));
  }
  index passes(index classes, const ThreatModel& threat) const override {
    index sum = 1;
    for (const std::unique_ptr<Attack>& attack : attacks_) sum += attack->passes(classes, threat);
    return sum;
  }

 private:
  template <class ConstantsOf>
  Constants collect(const ConstantsOf& constants_of) const {
    Constants result{{"version", version_.name}};
    for (const std::unique_ptr<Attack>& attack : attacks_)
      for (const auto& [key, value] : constants_of(*attack)) result.emplace_back(attack->name() + " " + key, value);
    return result;
  }

  std::string name_;
  const Version& version_;
  std::vector<std::unique_ptr<Attack>> attacks_;
};

}  // namespace

std::unique_ptr<Attack> make_autoattack(const AttackSpec& spec) {
  spec.refuse_count();
  std::string chosen = "standard";
  std::vector<std::string> names;
  for (const Version& version : versions()) names.emplace_back(version.name);
  OptionReader(spec).choice("version", chosen, names).finish();
  for (const Version& version : versions())
    if (chosen == version.name) return std::make_unique<AutoAttack>(spec.full, version);
  return nullptr;  // unreachable: choice() refuses other names
}

}  // namespace ntkrob
