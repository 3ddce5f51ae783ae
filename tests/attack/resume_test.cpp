#include "kit/check.hpp"
#include "kit/small_models.hpp"
#include "ntkrob/attack/evaluate_state.hpp"
#include "ntkrob/model/metrics.hpp"

using namespace ntkrob;

namespace {

constexpr index kN = 50, kD = 16, kClasses = 4;

struct Case {
  kit::SineModel model{kD, 6, kClasses, 5};
  kit::SineModel other{kD, 6, kClasses, 6};
  Matrix<float> x = kit::uniform_matrix(kN, kD, 6);
  std::vector<int> labels = predictions(all_logits(model, x.view()).view());
  EvaluateOptions options;

  Case() {
    for (std::size_t i = 0; i < kN; i += 10) labels[i] = (labels[i] + 1) % kClasses;
    options.attacks = {"fgsm", "transfer(pgd-5(loss=margin))", "autoattack(version=rand)"};
    options.threat = {Norm::linf, 0.06f};
    options.batch_rows = 16;
    options.source = &other;
    options.examples = 9;
  }
  EvaluateReport run() const { return evaluate(model, x.view(), labels, {}, options); }
};

void check_same(const EvaluateReport& a, const EvaluateReport& b) {
  CHECK(a.predicted == b.predicted);
  CHECK(a.worst_case == b.worst_case);
  CHECK(a.eps0 == b.eps0);
  REQUIRE(a.attacks.size() == b.attacks.size());
  for (std::size_t k = 0; k < a.attacks.size(); ++k) {
    const AttackReport &p = a.attacks[k], &q = b.attacks[k];
    INFO(p.name);
    CHECK(p.name == q.name);
    CHECK(p.constants == q.constants);
    CHECK(p.accuracy == q.accuracy);
    CHECK(p.mean_margin == q.mean_margin);
    CHECK(p.zero_gradients == q.zero_gradients);
    CHECK(p.changed == q.changed);
    CHECK(p.robust == q.robust);
    CHECK(p.margin == q.margin);
    CHECK(p.queries == q.queries);
    CHECK(p.distance == q.distance);
    CHECK(p.source_robust == q.source_robust);
    REQUIRE(p.parts.size() == q.parts.size());
    for (std::size_t i = 0; i < p.parts.size(); ++i) {
      CHECK(p.parts[i].name == q.parts[i].name);
      CHECK(p.parts[i].attacked == q.parts[i].attacked);
      CHECK(p.parts[i].robust == q.parts[i].robust);
      CHECK(p.parts[i].zero_gradients == q.parts[i].zero_gradients);
    }
  }
  CHECK(a.examples.samples == b.examples.samples);
  CHECK(a.examples.attacks == b.examples.attacks);
  NTKROB_CHECK_SAME(kit::compare(a.examples.inputs.view(), b.examples.inputs.view(), 0));
}

}  // namespace

TEST_CASE("an evaluation resumed after any batch ends with the report of an uninterrupted one", "[attack]") {
  Case c;
  std::vector<StateDict> states;
  c.options.checkpoint = [&](const EvaluateReport& so_far, index done) {
    states.push_back(evaluation_state(c.options, so_far, done));
  };
  const EvaluateReport whole = c.run();
  REQUIRE(states.size() == 9);  // 45 samples in batches of 16, three attacks
  c.options.checkpoint = {};

  for (const StateDict& state : states) {
    const EvaluateProgress progress = restore_evaluation(state, c.options);
    c.options.resume = &progress;
    check_same(c.run(), whole);
  }
}

TEST_CASE("a resumed evaluation runs only what is missing", "[attack]") {
  Case c;
  StateDict state;
  int batches = 0;
  c.options.checkpoint = [&](const EvaluateReport& so_far, index done) {
    if (++batches == 4) state = evaluation_state(c.options, so_far, done);
  };
  c.run();
  const EvaluateProgress progress = restore_evaluation(state, c.options);
  c.options.resume = &progress;
  batches = 0;
  c.options.checkpoint = [&](const EvaluateReport&, index) { ++batches; };
  c.run();
  CHECK(batches == 5);
}

TEST_CASE("a state refuses other options, another model, other data, and entries that do not fit", "[attack]") {
  Case c;
  StateDict state;
  c.options.checkpoint = [&](const EvaluateReport& so_far, index done) {
    state = evaluation_state(c.options, so_far, done);
  };
  c.run();
  c.options.checkpoint = {};

  EvaluateOptions eps = c.options;
  eps.threat.eps = 0.07f;
  CHECK_THROWS_WITH(restore_evaluation(state, eps), Catch::Contains("--eps 0.06") && Catch::Contains("--eps 0.07"));
  EvaluateOptions attacks = c.options;
  attacks.attacks.pop_back();
  CHECK_THROWS_WITH(restore_evaluation(state, attacks), Catch::Contains("--attacks"));

  const EvaluateProgress progress = restore_evaluation(state, c.options);
  c.options.resume = &progress;
  CHECK_THROWS_WITH(evaluate(c.other, c.x.view(), c.labels, {}, c.options), Catch::Contains("another model"));
  c.options.source = &c.model;
  CHECK_THROWS_WITH(c.run(), Catch::Contains("another model"));

  state.set("attack1/margin", NdArray<float>{{3}, {1, 2, 3}});
  CHECK_THROWS_WITH(restore_evaluation(state, c.options), Catch::Contains("attack1/margin") && Catch::Contains("3"));
}

TEST_CASE("a transferred attack is found on the source and judged on the model", "[attack]") {
  Case c;
  c.options.attacks = {"transfer(pgd-5(loss=margin))", "pgd-5(loss=margin)"};
  const EvaluateReport report = c.run();
  const AttackReport &transfer = report.attacks[0], &direct = report.attacks[1];
  CHECK(transfer.name == "transfer(pgd-5(loss=margin))");
  CHECK(transfer.accuracy > direct.accuracy);
  REQUIRE(transfer.source_robust.size() == kN);
  CHECK(direct.source_robust.empty());

  // From the model to itself nothing is lost.
  c.options.source = &c.model;
  const EvaluateReport same = c.run();
  CHECK(same.attacks[0].robust == same.attacks[1].robust);
  CHECK(same.attacks[0].margin == same.attacks[1].margin);
  CHECK(same.attacks[0].source_robust == same.attacks[1].robust);

  c.options.source = nullptr;
  CHECK_THROWS_WITH(c.run(), Catch::Contains("needs a source"));
  c.options.attacks = {"transfer()"};
  CHECK_THROWS_WITH(c.run(), Catch::Contains("transfer(ATTACK)"));
  const kit::SineModel small(kD, 6, 3, 6);
  c.options.source = &small;
  c.options.attacks = {"transfer(fgsm)"};
  CHECK_THROWS_WITH(c.run(), Catch::Contains("has 3 classes"));
}

TEST_CASE("examples are the strongest adversarial input of each kept sample", "[attack]") {
  const Case c;
  const EvaluateReport report = c.run();
  REQUIRE(report.examples.samples.size() == 9);
  for (std::size_t k = 0; k < 9; ++k) {
    const auto i = static_cast<std::size_t>(report.examples.samples[k]);
    const auto by = static_cast<std::size_t>(report.examples.attacks[k]);
    INFO("sample " << i << " by attack " << by);
    Matrix<float> logits(1, kClasses);
    c.model.logits(report.examples.inputs.view().middle_rows(static_cast<index>(k), 1), logits);
    CHECK(margins(logits.view(), {c.labels[i]})[0] == report.attacks[by].margin[i]);
    for (const AttackReport& attack : report.attacks)
      CHECK((attack.robust[i] > report.attacks[by].robust[i] || attack.margin[i] >= report.attacks[by].margin[i]));
    CHECK(report.attacks[by].distance[i] == c.options.threat.distance(c.x.row(static_cast<index>(i)),
                                                                      report.examples.inputs.row(static_cast<index>(k)),
                                                                      kD));
  }
}

namespace {

class Noisy : public kit::SineModel {
 public:
  using SineModel::SineModel;
  void logits(ConstView2D<float> x, View2D<float> out) const override {
    SineModel::logits(x, out);
    const Rng rng = Rng(5, "noisy").fork(calls_++);
    for (index i = 0; i < out.rows; ++i)
      for (index k = 0; k < out.cols; ++k)
        out(i, k) += static_cast<float>(rng.normal(static_cast<std::uint64_t>(i * 9 + k)));
  }

 private:
  mutable std::uint64_t calls_ = 0;
};

}  // namespace

TEST_CASE("a model with random output is evaluated, and the report says so", "[attack]") {
  Case c;
  c.options.attacks = {"autoattack(version=rand)"};
  const Noisy noisy(kD, 6, kClasses, 5);
  CHECK(evaluate(noisy, c.x.view(), c.labels, {}, c.options).randomised);
  CHECK(!c.run().randomised);
}

TEST_CASE("inputs outside the box name the likely mistake", "[attack]") {
  Case c;
  Matrix<float> bytes(c.x), normalised(c.x);
  for (index k = 0; k < c.x.size(); ++k) {
    bytes.data()[k] = std::round(255 * c.x.data()[k]);
    normalised.data()[k] = (c.x.data()[k] - 0.5f) / 0.25f;
  }
  CHECK_THROWS_WITH(evaluate(c.model, bytes.view(), c.labels, {}, c.options),
                    Catch::Contains("look like bytes") && Catch::Contains("divide them by 255"));
  CHECK_THROWS_WITH(evaluate(c.model, normalised.view(), c.labels, {}, c.options),
                    Catch::Contains("look normalised") && Catch::Contains("inside the model"));
}
