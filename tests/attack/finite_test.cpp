/// Logits that are not finite are refused by whoever takes them on, once: in every pass of every attack, in training
/// and in evaluations; of a kernel machine, of a net and of a Model of a user's own.
#include <algorithm>
#include <cmath>
#include <limits>

#include "kit/check.hpp"
#include "kit/small_models.hpp"
#include "ntkrob/attack/evaluate.hpp"
#include "ntkrob/attack/masking.hpp"
#include "ntkrob/krr/machine.hpp"
#include "ntkrob/model/forwarding.hpp"
#include "ntkrob/model/loss.hpp"
#include "ntkrob/model/metrics.hpp"
#include "ntkrob/nn/net.hpp"
#include "ntkrob/nn/trainer.hpp"
#include "ntkrob/runtime/runtime.hpp"

using namespace ntkrob;
using Catch::Matchers::Contains;

namespace {

constexpr index kN = 16, kD = 30, kClasses = 4;

/// One number of one pass is not finite; which pass, is counted from 0 over forward and gradient passes together.
class Faulty : public ForwardingModel {
 public:
  Faulty(const Model& inner, index pass, float value) : ForwardingModel(inner), pass_(pass), value_(value) {}
  void logits(ConstView2D<float> x, View2D<float> out) const override {
    ForwardingModel::logits(x, out);
    if (out.rows == 0) return;  // a pass over nobody
    if (made++ == pass_) out(out.rows - 1, kClasses - 1) = value_;
  }
  void logits_and_grad(ConstView2D<float> x, const CotangentFn& c, View2D<float> out, View2D<float> dx) const override {
    Model::logits_and_grad(x, c, out, dx);
  }
  std::unique_ptr<Iterates> iterates(ConstView2D<float>) const override { return nullptr; }
  mutable index made = 0;

 private:
  index pass_;
  float value_;
};

struct Case {
  kit::SineModel model{kD, 12, kClasses, 5};
  Matrix<float> x = kit::uniform_matrix(kN, kD, 6);
  std::vector<int> labels = predictions(all_logits(model, x.view()).view());
  Matrix<float> targets = centred_one_hot(labels, kClasses);
  AttackBatch batch() const { return {x.view(), labels.data(), targets.view(), 1000}; }
};

std::string cheap(const std::string& name) {
  if (name == "autoattack") return "autoattack(version=rand)";  // two searches of 2000 passes
  if (name == "square") return "square(queries=20)";
  if (name == "cw") return "cw(iterations=5,search=2)";
  if (name == "pgd") return "pgd-4";
  if (name == "deepfool") return "deepfool(iterations=3)";
  return name == "noise-uniform" || name == "noise-gaussian" || name == "clean" || name == "fgsm"
             ? name
             : name + "(iterations=4)";
}

/// f(x) = K(x, S) alpha with coefficients that are finite, and outputs that are not.
class Overflowing : public BasicKernelExpansion<float> {
 public:
  explicit Overflowing(Backend& backend, const char* kernel = "fc:2", ImageShape shape = {1, 1, kD})
      : BasicKernelExpansion<float>(Kernel(KernelSpec::parse(kernel), backend, options(shape)), shape) {
    begin_fit(kit::uniform_matrix(9, kD, 1).view(), kit::uniform_matrix(9, kClasses, 2, -1, 1).view());
    Matrix<double> alpha(9, kClasses);
    for (index k = 0; k < alpha.size(); ++k) alpha.data()[k] = 3e38;
    end_fit(alpha.view());
  }

 private:
  static KernelOptions options(ImageShape shape) {
    KernelOptions result;
    result.shape = shape;
    return result;
  }
};

Net overflowing_net(Backend& backend) {
  Net net("mlp:8", {1, 1, kD}, kClasses, Initialisation::he, 3, backend);
  Matrix<float>& weight = net.layers().back().weight;
  std::fill_n(weight.data(), weight.size(), 3e38f);
  return net;
}

}  // namespace

TEST_CASE("every attack refuses logits that are not finite, in whichever pass, and names the sample", "[attack]") {
  const Case c;
  std::vector<std::string> specs{"apgd-ce(iterations=4,eot=2)", "pgd-3(loss=mse)", "pgd-2(loss=margin)"};
  for (const auto& row : attack_help()) specs.push_back(cheap(row.first));
  for (const ThreatModel& threat : {ThreatModel{Norm::linf, 0.1f}, ThreatModel{Norm::l1, 2.0f}})
    for (const std::string& spec : specs) {
      const auto attack = make_attack(spec);
      Matrix<float> z(kN, kD);
      const Faulty sound(c.model, -1, 0);
      attack->perturb(sound, c.batch(), threat, 1, z);
      REQUIRE(sound.made > 0);
      // All passes of a short attack; of a long one those at both ends.
      constexpr index kEnd = 8;
      for (index pass = 0; pass < sound.made;
           pass = pass == kEnd && sound.made > 3 * kEnd ? sound.made - kEnd : pass + 1) {
        INFO(spec << " in " << to_string(threat.norm) << ", pass " << pass << " of " << sound.made);
        const Faulty faulty(c.model, pass, pass % 2 == 0 ? std::nanf("") : -INFINITY);
        CHECK_THROWS_WITH(attack->perturb(faulty, c.batch(), threat, 1, z), Contains("sample 10"));
        CHECK_THROWS_AS(attack->perturb(Faulty(c.model, pass, INFINITY), c.batch(), threat, 1, z), NonFinite);
      }
    }
}

TEST_CASE("logits of a machine or a net that are not finite are refused in attacks and in evaluations", "[attack]") {
  const Case c;
  const auto backend = make_backend("cpu", 2);
  const Overflowing machine(*backend), on_images(*backend, "conv(3)-relu-flatten-dense", {5, 6, 1});
  const Net net = overflowing_net(*backend);
  const kit::SineModel sine(kD, 12, kClasses, 5);
  const Faulty own(sine, 0, std::nanf(""));
  for (const Model* model : std::initializer_list<const Model*>{&machine, &on_images, &net, &own}) {
    INFO("model " << (model == &machine     ? "machine"
                      : model == &on_images ? "on images"
                      : model == &net       ? "net"
                                            : "own"));
    own.made = 0;
    const AttackBatch batch = c.batch();
    Matrix<float> z(kN, kD);
    const ThreatModel threat{Norm::linf, 0.1f};
    CHECK_THROWS_AS(pgd(*model, batch, threat, 2, 0, "ce", 1, Rng(1, "test"), z), NonFinite);
    own.made = 0;
    CHECK_THROWS_AS(make_attack("pgd-2")->perturb(*model, batch, threat, 1, z), NonFinite);
    own.made = 0;
    CHECK_THROWS_AS(make_attack("apgd-ce(iterations=2)")->perturb(*model, batch, threat, 1, z), NonFinite);
    own.made = 0;
    CHECK_THROWS_AS(accuracy(*model, c.x.view(), c.labels), NonFinite);
    own.made = 0;
    EvaluateOptions options;
    options.attacks = {"clean"};
    options.threat = threat;
    CHECK_THROWS_AS(evaluate(*model, c.x.view(), c.labels, {}, options), NonFinite);
    own.made = 0;
    MaskingOptions checks;
    checks.threat = threat;
    CHECK_THROWS_AS(check_masking(*model, c.x.view(), c.labels, checks), NonFinite);
  }
}

TEST_CASE("an output that is not finite is refused in training and in the gradient of a support set", "[attack]") {
  const Case c;
  const auto backend = make_backend("cpu", 2);
  for (const char* loss : {"ce", "mse"}) {
    INFO(loss);
    Net net = overflowing_net(*backend);
    Targets targets;
    targets.labels = c.labels;
    targets.values = c.targets;
    TrainOptions options;
    options.loss = loss;
    options.steps = 2;
    options.batch = 8;
    CHECK_THROWS_AS(train(net, c.x.view(), targets, options), NonFinite);

    // The labels are finite and so are the coefficients; at the images that are asked for the sum overflows.
    Matrix<float> support = kit::uniform_matrix(6, kD, 1), labels(6, kClasses), far(kN, kD);
    for (index k = 0; k < labels.size(); ++k) labels.data()[k] = 2e38f;
    for (index k = 0; k < far.size(); ++k) far.data()[k] = 50;
    const KernelMachine machine(Kernel(KernelSpec::parse("fc:1"), *backend), {1, 1, kD}, support.view(), labels.view());
    const auto made = make_loss(loss);
    std::vector<double> values(static_cast<std::size_t>(kN));
    Matrix<float> out(kN, kClasses), dsupport(6, kD), dlabels(6, kClasses);
    CHECK_THROWS_AS(machine.support_grad(
                        far.view(),
                        [&](index first, ConstView2D<float> f, View2D<float> g) {
                          made->evaluate(f, c.labels.data() + first, c.targets.view().middle_rows(first, f.rows),
                                         values.data() + first, g);
                        },
                        out.view(), dsupport.view(), dlabels.view()),
                    NonFinite);
  }
}
