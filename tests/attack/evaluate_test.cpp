#include "ntkrob/attack/evaluate.hpp"

#include <cmath>

#include "attack/evaluate_case.hpp"
#include "kit/check.hpp"
#include "ntkrob/model/loss.hpp"

using namespace ntkrob;

namespace {

constexpr index kN = 60, kD = 30, kClasses = 4;

struct Case : attack_test::EvaluateCase {
  Case() : EvaluateCase(kN, kD, 12) { options.attacks = {"clean", "fgsm", "pgd-10(loss=margin)"}; }
};

}  // namespace

TEST_CASE("evaluate reports per-sample verdicts, their fractions and the worst case", "[attack]") {
  const Case c;
  const EvaluateReport report = c.run();

  CHECK(report.clean == 54.0 / 60);
  CHECK(report.eps0 == report.clean);
  REQUIRE(report.attacks.size() == 3);
  CHECK(report.attacks[0].accuracy == report.clean);
  CHECK(report.attacks[1].accuracy < report.clean);
  CHECK(report.attacks[2].accuracy > 0);
  int worst = 0;
  for (std::size_t i = 0; i < kN; ++i) {
    const bool right = report.predicted[i] == c.labels[i];
    CHECK(right == (i % 10 != 0));
    bool all = right;
    for (const AttackReport& attack : report.attacks) {
      INFO(attack.name << " sample " << i);
      all = all && attack.robust[i];
      if (!right) CHECK((attack.robust[i] == 0 && attack.queries[i] == 0 && attack.margin[i] < 0));
      if (right) CHECK(attack.queries[i] == (attack.name == "clean" ? 1 : attack.name == "fgsm" ? 2 : 11));
      CHECK(attack.robust[i] == (attack.margin[i] > 0));
      CHECK(attack.robust[i] == (attack.predicted[i] == c.labels[i]));
      if (!right || attack.name == "clean") CHECK(attack.predicted[i] == report.predicted[i]);
    }
    worst += all;
  }
  CHECK(report.worst_case == worst / 60.0);
  CHECK(report.worst_case <= report.attacks[2].accuracy);
}

TEST_CASE("evaluate does not depend on the batch size", "[attack]") {
  Case c;
  const EvaluateReport expected = c.run();
  for (const index batch : {1, 7, 60, 1000}) {
    c.options.batch_rows = batch;
    const EvaluateReport report = c.run();
    for (std::size_t k = 0; k < 3; ++k) {
      CHECK(report.attacks[k].margin == expected.attacks[k].margin);
      CHECK(report.attacks[k].robust == expected.attacks[k].robust);
      CHECK(report.attacks[k].predicted == expected.attacks[k].predicted);
      CHECK(report.attacks[k].queries == expected.attacks[k].queries);
    }
  }
}

TEST_CASE("progress counts the attacked samples and may interrupt", "[attack]") {
  Case c;
  std::vector<std::string> seen;
  c.options.progress = [&](const std::string& attack, index done, index total) {
    seen.push_back(text(attack, " ", done, "/", total));
  };
  c.options.attacks = {"fgsm"};
  c.run();
  CHECK(seen == std::vector<std::string>{"fgsm 16/54", "fgsm 32/54", "fgsm 48/54", "fgsm 54/54"});

  seen.clear();
  c.options.progress = {};
  c.options.batch_rows = 40;
  c.options.attacks = {"fgsm", "autoattack(version=rand)"};
  c.options.stage = [&](const EvaluateStage& next) {
    seen.push_back(text(next.attack, " ", next.name, " ", next.part, "/", next.parts, " ", next.part_name.substr(0, 8),
                        " ", next.batch, " after ", next.done, "/", next.total));
  };
  c.run();
  CHECK(seen == std::vector<std::string>{"0 fgsm 0/1  40 after 0/54", "0 fgsm 0/1  14 after 40/54",
                                         "1 autoattack(version=rand) 0/2 apgd-ce( 40 after 0/54",
                                         "1 autoattack(version=rand) 1/2 apgd-dlr 40 after 0/54",
                                         "1 autoattack(version=rand) 0/2 apgd-ce( 14 after 40/54",
                                         "1 autoattack(version=rand) 1/2 apgd-dlr 14 after 40/54"});
  c.options.stage = {};
  c.options.attacks = {"fgsm"};

  c.options.progress = [](const std::string&, index, index) { throw Interrupted("stopped"); };
  CHECK_THROWS_AS(c.run(), Interrupted);
}

TEST_CASE("evaluate refuses wrong data by index and value, before any work", "[attack]") {
  Case c;
  c.x(7, 2) = 1.5f;
  CHECK_THROWS_WITH(c.run(), Catch::Contains("input 7, component 2 is 1.5"));
  c.x(7, 2) = NAN;
  CHECK_THROWS_AS(c.run(), ConfigError);
  c.x(7, 2) = 0.5f;
  c.labels[9] = 4;
  CHECK_THROWS_WITH(c.run(), Catch::Contains("label 9 is 4"));
  c.labels[9] = 0;
  c.options.threat.eps = 8;
  CHECK_THROWS_WITH(c.run(), Catch::Contains("8/255"));
  c.options.threat.eps = 0.1f;
  c.options.attacks = {"clean", "pgd-40", "tgv"};
  CHECK_THROWS_WITH(c.run(), Catch::Contains("unknown attack \"tgv\""));
  c.options.attacks = {};
  CHECK_THROWS_AS(c.run(), ConfigError);
  c.options.attacks = {"pgd-2(loss=mse)"};
  CHECK_THROWS_WITH(c.run(), Catch::Contains("target"));
  const Matrix<float> targets = centred_one_hot(c.labels, kClasses);
  CHECK_NOTHROW(evaluate(c.model, c.x.view(), c.labels, targets.view(), c.options));
  CHECK_THROWS_AS(evaluate(c.model, c.x.view(), c.labels, Matrix<float>(kN, 3).view(), c.options), ShapeError);
  c.labels.pop_back();
  CHECK_THROWS_AS(c.run(), ShapeError);
}

namespace {

/// Its fused pass gives the logits of another class order: an attack would judge another model than logits() is.
class Inconsistent : public kit::SineModel {
 public:
  using SineModel::SineModel;
  void logits_and_grad(ConstView2D<float> x, const CotangentFn& c, View2D<float> out, View2D<float> dx) const override {
    Model::logits_and_grad(x, c, out, dx);
    if (out.rows > 4) std::swap(out(4, 0), out(4, predicted_class(out.row(4), out.cols)));
  }
};

class Masked : public kit::SineModel {
 public:
  using SineModel::SineModel;
  void input_grad(ConstView2D<float>, ConstView2D<float>, View2D<float> dx) const override {
    for (index i = 0; i < dx.rows; ++i)
      for (index j = 0; j < dx.cols; ++j) dx(i, j) = 0;
  }
};

}  // namespace

TEST_CASE("the eps 0 self test catches a model whose fused pass is another model", "[attack]") {
  const Case c;
  const Inconsistent model(kD, 12, kClasses, 5);
  CHECK_THROWS_AS(evaluate(model, c.x.view(), c.labels, {}, c.options), NumericalError);
  CHECK_THROWS_WITH(evaluate(model, c.x.view(), c.labels, {}, c.options), Catch::Contains("eps = 0 self test"));
}

TEST_CASE("evaluate passes on the zero-gradient count of a masked model", "[attack]") {
  const Case c;
  const Masked masked(kD, 12, kClasses, 5);
  const EvaluateReport report = evaluate(masked, c.x.view(), c.labels, {}, c.options);
  CHECK(report.attacks[0].zero_gradients == 0);
  CHECK(report.attacks[1].zero_gradients == 54);
  CHECK(report.attacks[2].zero_gradients == 540);
  CHECK(c.run().attacks[2].zero_gradients == 0);
}

TEST_CASE("the analytic input gradient of the nonlinear test model is right in double", "[attack]") {
  // The attacks above are judged on this model, so its gradient is pinned here against the logits in double.
  const kit::SineModel model(kD, 12, kClasses, 5);
  const Matrix<float> xf = kit::uniform_matrix(1, kD, 2);
  Matrix<double> x(1, kD), dx(1, kD);
  convert(xf.view(), x.view());
  for (index k = 0; k < kClasses; ++k) {
    Matrix<float> c(1, kClasses), dxf(1, kD);
    c(0, k) = 1;
    model.input_grad(xf.view(), c, dxf);
    convert(dxf.view(), dx.view());
    NTKROB_CHECK_SAME(
        kit::check_gradient([&](ConstView2D<double> p) { return model.logit(p, k); }, dx.view(), x.view(), 1e-6));
  }
}
