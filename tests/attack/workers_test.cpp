/// Attacks on the workers of a model: the same bytes for any number of them, errors from the lowest sample.
#include <algorithm>
#include <cmath>

#include "kit/check.hpp"
#include "kit/small_models.hpp"
#include "ntkrob/attack/attack.hpp"
#include "ntkrob/base/parallel.hpp"
#include "ntkrob/model/metrics.hpp"

using namespace ntkrob;

namespace {

constexpr index kN = 150, kD = 20, kClasses = 4;  // several chunks of rows, the last one not full

/// A model that lends workers. Gradients of the rows in `broken` are not finite, those of the rows in `flat` are 0.
class Pooled : public kit::SineModel {
 public:
  explicit Pooled(int workers) : SineModel(kD, 12, kClasses, 5), pool_(workers) {}
  void input_grad(ConstView2D<float> x, ConstView2D<float> c, View2D<float> dx) const override {
    SineModel::input_grad(x, c, dx);
    for (const index i : broken) dx(i, 3) = INFINITY;
    for (const index i : flat) std::fill(dx.row(i), dx.row(i) + kD, 0.0f);
  }
  void for_each(index n, const std::function<void(index)>& task) const override {
    ++lent;
    pool_.for_each(n, [&](index i, int) { task(i); });
  }
  std::vector<index> broken, flat;
  mutable int lent = 0;

 private:
  mutable WorkerPool pool_;
};

struct Run {
  Matrix<float> adversarial{kN, kD};
  AttackResult result;
};

}  // namespace

TEST_CASE("attacks give the same bytes with the workers of any model", "[attack]") {
  const kit::SineModel alone(kD, 12, kClasses, 5);
  const Matrix<float> x = kit::uniform_matrix(kN, kD, 6);
  const std::vector<int> labels = predictions(all_logits(alone, x.view()).view());
  const AttackBatch batch{x.view(), labels.data(), {}, 0};
  const ThreatModel threat =
      GENERATE(ThreatModel{Norm::linf, 0.1f}, ThreatModel{Norm::l2, 0.5f}, ThreatModel{Norm::l1, 1.5f});

  for (const char* spec : {"clean", "fgsm", "pgd-5(restarts=3)", "apgd-ce(iterations=12)",
                           "apgd-dlr(iterations=5,eot=3)", "apgd-t(iterations=12)", "fab(iterations=4)",
                           "fab-t(iterations=6)", "square(queries=40)", "cw(iterations=6,search=2,c=1,lr=0.1)",
                           "deepfool(iterations=4)", "noise-uniform(draws=3)", "noise-gaussian(draws=3)"}) {
    Run expected;
    expected.result = make_attack(spec)->perturb(alone, batch, threat, 9, expected.adversarial);
    for (const int workers : {1, 2, 3}) {
      CAPTURE(spec, workers, to_string(threat.norm));
      const Pooled model(workers);
      Run run;
      run.result = make_attack(spec)->perturb(model, batch, threat, 9, run.adversarial);
      NTKROB_CHECK_SAME(kit::compare(run.adversarial.view(), expected.adversarial.view(), 0));
      CHECK(run.result.robust == expected.result.robust);
      CHECK(run.result.margin == expected.result.margin);
      CHECK(run.result.queries == expected.result.queries);
      CHECK(model.lent > 0);
    }
  }

  Matrix<float> expected(kN, kD);
  pgd(alone, batch, threat, 4, 0, "margin", 1, Rng(2, "test"), expected);
  for (const int workers : {1, 2, 3}) {
    CAPTURE(workers, to_string(threat.norm));
    const Pooled model(workers);
    Matrix<float> z(kN, kD);
    pgd(model, batch, threat, 4, 0, "margin", 1, Rng(2, "test"), z);
    NTKROB_CHECK_SAME(kit::compare(z.view(), expected.view(), 0));
    CHECK(model.lent == 5);  // the random starts, then once per step
  }
}

TEST_CASE("of several bad gradients the one of the lowest sample is named, for any number of workers", "[attack]") {
  const Matrix<float> x = kit::uniform_matrix(kN, kD, 6);
  const std::vector<int> labels(kN, 1);
  const AttackBatch batch{x.view(), labels.data(), {}, 1000};
  for (const int workers : {1, 2, 3}) {
    CAPTURE(workers);
    Pooled model(workers);
    model.broken = {149, 70, 41, 40, 133};
    Matrix<float> z(kN, kD);
    const auto message = Catch::Contains("sample 1040, component 3 is inf");
    for (const char* spec : {"fgsm", "pgd-2"})
      CHECK_THROWS_WITH(make_attack(spec)->perturb(model, batch, {Norm::linf, 0.1f}, 1, z), message);
    CHECK_THROWS_WITH(pgd(model, batch, {Norm::linf, 0.1f}, 2, 0, "ce", 1, Rng(2, "test"), z), message);
  }
}

TEST_CASE("zero gradients are all counted by any number of workers", "[attack]") {
  const Matrix<float> x = kit::uniform_matrix(kN, kD, 6);
  const std::vector<int> labels(kN, 1);
  for (const int workers : {1, 2, 3}) {
    Pooled model(workers);
    for (index i = 0; i < kN; i += 2) model.flat.push_back(i);
    Matrix<float> z(kN, kD);
    const AttackResult result =
        make_attack("pgd-4")->perturb(model, {x.view(), labels.data(), {}, 0}, {Norm::linf, 0.1f}, 1, z);
    CHECK(result.zero_gradients == 4 * kN / 2);
  }
}
