/// APGD with cross-entropy, the difference loss ratio (DLR) and targeted DLR: the white-box part of AutoAttack. Croce &
/// Hein, ICML 2020, arXiv 2003.01690; in l1, ICML 2021, arXiv 2103.01208. Constants of the authors' published code.
#include <algorithm>

#include "attack/apgd_search.hpp"
#include "attack/factory.hpp"
#include "ntkrob/base/spec_text.hpp"
#include "ntkrob/model/metrics.hpp"

namespace ntkrob {

namespace {

enum class Kind { cross_entropy, dlr, targeted };

struct ApgdOptions {
  index iterations = 100;
  index restarts = 0;  // 0: 1, but 5 in l1 where there is no target
  index targets = 0;   // 0: 9, but 5 in l1
  index eot = 1;
  double rho = 0.75;
  std::string schedule;  // "", "single" or "shrinking"; "": shrinking in l1
};

class Apgd : public Attack {
 public:
  Apgd(std::string name, Kind kind, ApgdOptions options)
      : name_(std::move(name)), kind_(kind), options_(std::move(options)) {}
  std::string name() const override { return name_; }
  AttackNature nature() const override { return AttackNature::gradients; }
  Constants constants() const override { return list(Norm::linf); }
  Constants constants(index classes, const ThreatModel& threat) const override {
    Constants result = list(threat.norm);
    if (kind_ == Kind::targeted) result.emplace_back("targets used", std::to_string(targets(classes, threat.norm)));
    if (const std::string substitute = substitute_name(classes); !substitute.empty())
      result.emplace_back("substitute", substitute);
    return result;
  }

  AttackResult perturb(const Model& model, const AttackBatch& batch, const ThreatModel& threat, std::uint64_t seed,
                       View2D<float> adversarial) const override {
    check_attack_arguments(model, batch, threat, adversarial);
    BestIterate best(batch, model.classes(), adversarial);
    const Matrix<float> clean = judge_inputs(model, batch, best);
    if (threat.eps == 0) return best.take(0);

    const Rng rng(seed, "attack/apgd/" + loss_name());
    const ApgdSettings settings = this->settings(model.classes(), threat.norm);
    const index group = this->group(model.classes(), threat.norm);
    index zero_gradients = 0;
    for (index restart = 0; restart < restarts(threat.norm); ++restart)
      for_track_chunks(best.robust_rows(), group, [&](std::vector<index> rows) {
        const Subset subset(batch, std::move(rows));
        const AttackBatch part = subset.batch();
        std::vector<int> rivals(subset.rows.size(), -1);
        Matrix<float> z(part.x);
        for_rows(model, z.rows(), [&](index k) {
          const index row = subset.rows[static_cast<std::size_t>(k)];
          if (kind_ == Kind::targeted && k % group == 0)
            strongest_rivals(clean.row(row), model.classes(), part.labels[k], group, rivals.data() + k);
          const Rng keyed = rng.fork(static_cast<std::uint64_t>(part.sample(k)))
                                .fork(static_cast<std::uint64_t>(restart))
                                .fork(static_cast<std::uint64_t>(k % group));
          start(threat, settings, part.x.row(k), z.row(k), z.cols(), keyed);
        });
        Matrix<float> found(part.x);
        BestIterate local(part, model.classes(), found);
        zero_gradients += apgd_search(model, {part, rivals.data(), group}, threat, settings, z, local);
        for (index k = 0; k < z.rows(); ++k) best.merge(subset.rows[static_cast<std::size_t>(k)], local, k);
      });
    return best.take(zero_gradients);
  }
  index passes(index classes, const ThreatModel& threat) const override {
    return 1 + restarts(threat.norm) * group(classes, threat.norm) * (options_.iterations * options_.eot + 1);
  }

 private:
  index restarts(Norm norm) const {
    return options_.restarts > 0 ? options_.restarts : norm == Norm::l1 && kind_ != Kind::targeted ? 5 : 1;
  }
  index asked_targets(Norm norm) const { return options_.targets > 0 ? options_.targets : norm == Norm::l1 ? 5 : 9; }
  index targets(index classes, Norm norm) const { return std::min(asked_targets(norm), classes - 1); }
  /// Tracks per sample.
  index group(index classes, Norm norm) const { return kind_ == Kind::targeted ? targets(classes, norm) : 1; }
  bool shrinking(Norm norm) const {
    return options_.schedule.empty() ? norm == Norm::l1 : options_.schedule == "shrinking";
  }

  std::string loss_name() const {
    return kind_ == Kind::cross_entropy ? "ce" : kind_ == Kind::dlr ? "dlr" : "targeted dlr";
  }
  /// With two classes all that DLR divides by is gone; the difference that it divides is left.
  std::string substitute_name(index classes) const {
    if (kind_ == Kind::dlr && classes < kDlrClasses)
      return text("margin: dlr needs ", kDlrClasses, " classes, the model has ", classes);
    if (kind_ == Kind::targeted && classes < kTargetedDlrClasses)
      return text("targeted margin: targeted dlr needs ", kTargetedDlrClasses, " classes, the model has ", classes);
    return {};
  }
  static double margin(const float* f, index classes, int y, int, float* cotangent) {
    return targeted_margin(f, classes, y, static_cast<int>(strongest_rival(f, classes, y)), cotangent);
  }

  ApgdSettings settings(index classes, Norm norm) const {
    ApgdSettings result;
    result.iterations = options_.iterations;
    result.rho = options_.rho;
    result.eot = options_.eot;
    if (kind_ == Kind::dlr) result.loss = classes < kDlrClasses ? margin : dlr;
    if (kind_ == Kind::targeted) result.loss = classes < kTargetedDlrClasses ? targeted_margin : targeted_dlr;
    if (shrinking(norm)) result.radii = {3, 2, 1};
    return result;
  }

  /// A random point of the first ball. l1: Gaussian noise projected on it, which leaves few components changed.
  static void start(const ThreatModel& threat, const ApgdSettings& settings, const float* x, float* z, index d,
                    const Rng& rng) {
    ThreatModel ball = threat;
    ball.eps = static_cast<float>(settings.radii.front() * threat.eps);
    if (threat.norm != Norm::l1) return ball.random_start(x, z, d, rng);
    for (index j = 0; j < d; ++j) z[j] = static_cast<float>(x[j] + rng.normal(static_cast<std::uint64_t>(j)));
    ball.project(x, z, d);
  }

  Constants list(Norm norm) const {
    Constants result{{"loss", loss_name()},
                     {"iterations", std::to_string(options_.iterations)},
                     {"restarts", std::to_string(restarts(norm))}};
    if (kind_ == Kind::targeted) result.emplace_back("targets", std::to_string(asked_targets(norm)));
    result.emplace_back("start", norm == Norm::l1 ? "random, Gaussian" : "random");
    if (norm != Norm::l1) {
      result.emplace_back("first step", "2 eps");
      result.emplace_back("rho", format_number(options_.rho));
      result.emplace_back("momentum", "0.75");
      result.emplace_back("windows", "0.22, shrinking by 0.03 to 0.06 of the iterations");
    } else {
      result.emplace_back("first step", "eps");
      result.emplace_back("windows", "0.04 of the iterations");
      result.emplace_back("sparsity", "0.2 at first, then the support of the best point / 1.5");
    }
    result.emplace_back("schedule", shrinking(norm) ? "3 eps, 2 eps, eps: 30, 30, 40 % of the iterations" : "eps");
    result.emplace_back("eot", std::to_string(options_.eot));
    return result;
  }

  std::string name_;
  Kind kind_;
  ApgdOptions options_;
};

std::unique_ptr<Attack> make_apgd(const AttackSpec& spec, Kind kind) {
  spec.refuse_count();
  ApgdOptions options;
  OptionReader(spec)
      .search(options.iterations, options.restarts, kind == Kind::targeted ? &options.targets : nullptr)
      .number("rho", options.rho, 0, 1)
      .integer("eot", options.eot, 1, kMostSteps)
      .choice("schedule", options.schedule, {"single", "shrinking"})
      .finish();
  return std::make_unique<Apgd>(spec.full, kind, std::move(options));
}

}  // namespace

std::unique_ptr<Attack> make_apgd_ce(const AttackSpec& spec) { return make_apgd(spec, Kind::cross_entropy); }
std::unique_ptr<Attack> make_apgd_dlr(const AttackSpec& spec) { return make_apgd(spec, Kind::dlr); }
std::unique_ptr<Attack> make_apgd_t(const AttackSpec& spec) { return make_apgd(spec, Kind::targeted); }

}  // namespace ntkrob
