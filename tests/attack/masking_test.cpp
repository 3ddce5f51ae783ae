#include "ntkrob/attack/masking.hpp"

#include <cmath>
#include <map>
#include <set>

#include "kit/check.hpp"
#include "kit/small_models.hpp"
#include "ntkrob/data/strokes.hpp"
#include "ntkrob/krr/machine.hpp"
#include "ntkrob/model/forwarding.hpp"
#include "ntkrob/model/metrics.hpp"
#include "ntkrob/nn/trainer.hpp"
#include "ntkrob/runtime/runtime.hpp"

using namespace ntkrob;

namespace {

using Alarms = std::set<std::string>;

Alarms alarms_of(const MaskingReport& report) {
  Alarms names;
  for (const MaskingCheck& check : report.checks)
    if (check.outcome == MaskingCheck::Outcome::alarm) names.insert(check.name);
  return names;
}

std::string describe(const MaskingReport& report) {
  std::string lines = report.verdict() + "\n";
  for (const MaskingCheck& check : report.checks)
    lines += text(check.name, " ", to_string(check.outcome), " ", check.value, " (", check.threshold, ")\n");
  for (const CurvePoint& point : report.curve) lines += text("eps ", point.eps, " -> ", point.accuracy, "\n");
  return lines;
}

/// A real net and a real kernel machine on drawn digits, made once.
struct Fixture {
  Dataset data = make_strokes(600, 60, 3);
  Matrix<float> test = data.images("test");
  std::unique_ptr<Backend> backend = make_backend("cpu", 1);
  Net net{"mlp:48", data.shape, 10, Initialisation::he, 1, *backend};
  std::unique_ptr<BasicKernelMachine<float>> machine;

  Fixture() {
    const Matrix<float> x = data.images("train");
    Targets targets{data.train.labels, centred_one_hot(data.train.labels, 10)};
    TrainOptions options;
    options.steps = 300;
    options.loss = "ce";
    train(net, x, targets, options);
    KernelOptions kernel;
    kernel.shape = data.shape;
    machine = std::make_unique<BasicKernelMachine<float>>(Kernel(KernelSpec::parse("fc:2"), *backend, kernel),
                                                          data.shape, x.view().middle_rows(0, 200),
                                                          targets.values.view().middle_rows(0, 200));
  }
  static const Fixture& get() {
    static const Fixture fixture;
    return fixture;
  }
  MaskingReport check(const Model& model, Norm norm = Norm::linf, float eps = 0.08f,
                      const std::vector<double>& curve = {}) const {
    MaskingOptions options;
    options.curve = curve;
    options.threat = {norm, eps};
    options.samples = 40;
    options.queries = 500;
    return check_masking(model, test.view(), data.test.labels, options);
  }
};

/// The net with a fault: what is done to its logits, and their derivative.
class Planted : public ForwardingModel {
 public:
  using ForwardingModel::ForwardingModel;
  // From what the wrapper makes of the other two.
  void logits_and_grad(ConstView2D<float> x, const CotangentFn& c, View2D<float> out, View2D<float> dx) const override {
    Model::logits_and_grad(x, c, out, dx);
  }
  std::unique_ptr<Iterates> iterates(ConstView2D<float>) const override { return nullptr; }
};

class Scaled : public Planted {
 public:
  Scaled(const Model& inner, float factor) : Planted(inner), factor_(factor) {}
  void logits(ConstView2D<float> x, View2D<float> out) const override {
    inner().logits(x, out);
    for (index i = 0; i < out.rows; ++i)
      for (index k = 0; k < out.cols; ++k) out(i, k) *= factor_;
  }
  void input_grad(ConstView2D<float> x, ConstView2D<float> c, View2D<float> dx) const override {
    inner().input_grad(x, c, dx);
    for (index i = 0; i < dx.rows; ++i)
      for (index j = 0; j < dx.cols; ++j) dx(i, j) *= factor_;
  }

 private:
  float factor_;
};

/// Inputs rounded to a few levels. The true gradient of rounding is 0 almost everywhere.
class Quantised : public Planted {
 public:
  using Planted::Planted;
  void logits(ConstView2D<float> x, View2D<float> out) const override {
    Matrix<float> rounded(x);
    for (index k = 0; k < rounded.size(); ++k) rounded.data()[k] = std::round(rounded.data()[k] * 8) / 8;
    inner().logits(rounded.view(), out);
  }
  void input_grad(ConstView2D<float>, ConstView2D<float>, View2D<float> dx) const override {
    for (index i = 0; i < dx.rows; ++i)
      for (index j = 0; j < dx.cols; ++j) dx(i, j) = 0;
  }
};

/// A gradient that is finite, not 0 and points nowhere: a defence that shatters gradients.
class Shattered : public Planted {
 public:
  using Planted::Planted;
  void input_grad(ConstView2D<float> x, ConstView2D<float>, View2D<float> dx) const override {
    for (index i = 0; i < dx.rows; ++i)
      for (index j = 0; j < dx.cols; ++j) {
        const auto key = static_cast<std::uint64_t>(std::lround(1e6 * x(i, j)) + 7919 * j);
        dx(i, j) = static_cast<float>(Rng(key, "shattered").normal(0));
      }
  }
};

class Probabilities : public Planted {
 public:
  using Planted::Planted;
  void logits(ConstView2D<float> x, View2D<float> out) const override {
    inner().logits(x, out);
    for (index i = 0; i < out.rows; ++i) softmax(out.row(i), out.cols);
  }
  void input_grad(ConstView2D<float> x, ConstView2D<float> c, View2D<float> dx) const override {
    Matrix<float> p(x.rows, classes()), through(x.rows, classes());
    logits(x, p);
    for (index i = 0; i < x.rows; ++i) {
      float sum = 0;
      for (index k = 0; k < p.cols(); ++k) sum += p(i, k) * c(i, k);
      for (index k = 0; k < p.cols(); ++k) through(i, k) = p(i, k) * (c(i, k) - sum);
    }
    inner().input_grad(x, through.view(), dx);
  }

 private:
  static void softmax(float* f, index n) {
    const float top = *std::max_element(f, f + n);
    float sum = 0;
    for (index k = 0; k < n; ++k) sum += f[k] = std::exp(f[k] - top);
    for (index k = 0; k < n; ++k) f[k] /= sum;
  }
};

class Random : public Planted {
 public:
  using Planted::Planted;
  void logits(ConstView2D<float> x, View2D<float> out) const override {
    inner().logits(x, out);
    const Rng rng = Rng(5, "random output").fork(calls_++);
    for (index i = 0; i < out.rows; ++i)
      for (index k = 0; k < out.cols; ++k)
        out(i, k) += 0.5f * static_cast<float>(rng.normal(static_cast<std::uint64_t>(i * out.cols + k)));
  }

 private:
  mutable std::uint64_t calls_ = 0;
};

}  // namespace

TEST_CASE("an honest net and an honest kernel machine raise no alarm in any norm", "[masking]") {
  const Fixture& f = Fixture::get();
  const Model* const models[] = {&f.net, f.machine.get()};
  for (const Model* model : models) {
    // A whole curve in one norm; in the others 0, the radius of the threat model and the one that covers the box.
    const MaskingReport linf = f.check(*model), l2 = f.check(*model, Norm::l2, 1.0f, {0}),
                        l1 = f.check(*model, Norm::l1, 6, {0});
    INFO(describe(linf) << describe(l2) << describe(l1));
    CHECK(alarms_of(l1) == Alarms{});
    CHECK(alarms_of(linf) == Alarms{});
    CHECK(alarms_of(l2) == Alarms{});
    CHECK(linf.clean > 0.8);
    CHECK(linf.gradient < linf.clean);
    CHECK(linf.curve.front().accuracy == linf.clean);
    CHECK(linf.curve.back().eps == 1);
    CHECK(l1.curve.size() == 3);
    CHECK(linf.verdict().find("No sign") == 0);
    REQUIRE(linf.trace.size() == 21);
    CHECK(linf.trace.back().loss > linf.trace.front().loss);
  }
}

TEST_CASE("every planted fault trips the checks that are meant for it", "[masking]") {
  const Fixture& f = Fixture::get();
  const Scaled scaled(f.net, 1e4f);
  const Quantised quantised(f.net);
  const Shattered shattered(f.net);
  const Probabilities probabilities(f.net);
  const Random random(f.net);
  const std::map<std::string, std::pair<const Model*, Alarms>> planted{
      {"logits x 1e4", {&scaled, {"zero-gradients", "loss-rises"}}},
      {"quantised inputs", {&quantised, {"zero-gradients", "loss-rises", "square-weaker"}}},
      {"shattered gradients", {&shattered, {"square-weaker"}}},
      {"probabilities", {&probabilities, {"logits"}}},
      {"random output", {&random, {"fixed-output"}}}};
  for (const auto& [name, fault] : planted) {
    const MaskingReport report = f.check(*fault.first);
    const Alarms found = alarms_of(report);
    INFO(name << "\n" << describe(report));
    for (const std::string& expected : fault.second) {
      INFO("expected " << expected);
      CHECK(found.count(expected) == 1);
    }
    CHECK(report.verdict().find("ALARM") == 0);
    CHECK(report.alarms() == static_cast<index>(found.size()));
  }
}

TEST_CASE("the checks depend on the seed alone, not on the batch size", "[masking]") {
  const Fixture& f = Fixture::get();
  MaskingOptions options;
  options.threat = {Norm::linf, 0.08f};
  options.samples = 12;
  options.queries = 50;
  options.curve = {0.02};
  const MaskingReport expected = check_masking(f.net, f.test.view(), f.data.test.labels, options);
  options.batch_rows = 5;
  const MaskingReport report = check_masking(f.net, f.test.view(), f.data.test.labels, options);
  REQUIRE(report.curve.size() == expected.curve.size());
  for (std::size_t k = 0; k < report.curve.size(); ++k) CHECK(report.curve[k].accuracy == expected.curve[k].accuracy);
  CHECK(report.square == expected.square);
  CHECK(report.noise == expected.noise);
  CHECK(expected.curve.size() == 3);  // 0.02, the radius of the threat model, the covering radius
}

TEST_CASE("checks that have nothing to attack are skipped and say so", "[masking]") {
  const Fixture& f = Fixture::get();
  std::vector<int> wrong = predictions(all_logits(f.net, f.test.view()).view());
  for (int& label : wrong) label = (label + 1) % 10;
  MaskingOptions options;
  options.threat = {Norm::linf, 0.08f};
  const MaskingReport report = check_masking(f.net, f.test.view(), wrong, options);
  INFO(describe(report));
  CHECK(report.attacked == 0);
  CHECK(report.alarms() == 0);
  for (const MaskingCheck& check : report.checks)
    CHECK((check.outcome == MaskingCheck::Outcome::skipped) ==
          (check.name != "fixed-output" && check.name != "logits"));
}

TEST_CASE("the curve goes from 0 to the covering radius and refuses radii beyond", "[masking]") {
  CHECK(default_curve({Norm::linf, 0.1f}, 784).front() == 0);
  CHECK(default_curve({Norm::linf, 0.1f}, 784).back() == 1);
  CHECK(default_curve({Norm::l2, 1}, 784).back() == Approx(28));
  CHECK(default_curve({Norm::linf, 0.75f}, 784) == std::vector<double>{0, 0.375, 0.75, 1});
  CHECK(covering_radius({Norm::linf, 0.1f, -1, 1}, 9) == 2);
  const Fixture& f = Fixture::get();
  MaskingOptions options;
  options.threat = {Norm::linf, 0.1f};
  options.curve = {8};
  CHECK_THROWS_WITH(check_masking(f.net, f.test.view(), f.data.test.labels, options),
                    Catch::Contains("radius 8") && Catch::Contains("0 to 1"));
}

TEST_CASE("a report in which square or a transfer wins over gradients is an alarm, and so is a changed eps 0",
          "[masking]") {
  EvaluateReport report;
  report.clean = report.eps0 = 0.9;
  report.predicted.assign(100, 0);
  const auto attack = [](const char* name, int robust) {
    AttackReport one;
    one.name = name;
    one.nature = make_listed_attack(name)->nature();
    if (!transfer_spec(name).empty()) one.source_robust.assign(100, 0);
    one.robust.assign(100, 0);
    std::fill_n(one.robust.begin(), robust, char{1});
    return one;
  };
  MaskingReport before;
  const auto alarms = [&] {
    MaskingReport masking = before;
    add_report_checks(report, masking);
    return alarms_of(masking);
  };
  report.attacks = {attack("clean", 90), attack("pgd-40", 50), attack("square", 60)};
  CHECK(alarms() == Alarms{});
  report.attacks[2] = attack("square", 30);
  CHECK(alarms() == Alarms{"black-box-weaker"});
  report.attacks[2] = attack("transfer(pgd-40)", 30);
  CHECK(alarms() == Alarms{"black-box-weaker"});
  // What an attack is called decides nothing.
  report.attacks[2].name = "pgd-40";
  CHECK(alarms() == Alarms{"black-box-weaker"});
  // The gradient attacks of the checks break those samples too: the list was weak, not the gradient.
  before.rows = {10, 20, 30, 40};
  before.gradient_robust = {1, 1, 0, 0};
  CHECK(alarms() == Alarms{});
  before.gradient_robust = {1, 1, 1, 0};
  CHECK(alarms() == Alarms{"black-box-weaker"});
  before = MaskingReport();
  report.attacks = {attack("autoattack", 50)};
  report.attacks[0].parts = {{"apgd-ce", 90, 60, 0, 0}, {"square", 60, 50, 0, 0, AttackNature::search}};
  CHECK(alarms() == Alarms{"black-box-weaker"});
  report.attacks[0].parts[1] = {"square", 51, 50, 0, 0, AttackNature::search};
  CHECK(alarms() == Alarms{});
  // A transfer is measured by the gradient attacks of the sequence as well.
  report.attacks.push_back(attack("transfer(autoattack)", 52));
  CHECK(alarms() == Alarms{});
  report.attacks[1] = attack("transfer(autoattack)", 45);
  CHECK(alarms() == Alarms{"black-box-weaker"});
  report.attacks.pop_back();
  report.eps0 = 0.89;
  CHECK(alarms() == Alarms{"eps-0"});
}
