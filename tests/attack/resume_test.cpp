#include "attack/evaluate_case.hpp"
#include "kit/check.hpp"
#include "ntkrob/attack/evaluate_state.hpp"
#include "ntkrob/attack/masking_state.hpp"
#include "ntkrob/attack/time_left.hpp"

using namespace ntkrob;

namespace {

constexpr index kN = 24, kD = 16;

struct Case : attack_test::EvaluateCase {
  kit::SineModel other{kD, 6, kClasses, 6};

  Case() : EvaluateCase(kN, kD, 6) {
    options.attacks = {"fgsm", "transfer(pgd-5(loss=margin))", "autoattack(version=rand)"};
    options.batch_rows = 8;
    options.source = &other;
    options.examples = 9;
  }
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
    CHECK(p.predicted == q.predicted);
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

TEST_CASE("an evaluation resumed after any batch or part of a sequence ends with the report of an uninterrupted one",
          "[attack]") {
  Case c;
  std::vector<StateDict> states;
  c.options.checkpoint = [&](const EvaluateProgress& so_far) { states.push_back(evaluation_state(c.options, so_far)); };
  const EvaluateReport whole = c.run();
  REQUIRE(states.size() == 12);  // 21 samples in batches of 8, two attacks, and a sequence of two parts
  c.options.checkpoint = {};

  for (const StateDict& state : states) {
    const EvaluateProgress progress = restore_evaluation(state, c.options);
    c.options.resume = &progress;
    check_same(c.run(), whole);
  }
}

TEST_CASE("a resumed evaluation runs only what is missing", "[attack]") {
  Case c;
  std::vector<std::string> stages;
  c.options.stage = [&](const EvaluateStage& next) {
    stages.push_back(text(next.name, " ", next.part, " after ", next.done));
  };
  StateDict state;
  std::size_t saved = 0, before = 0;
  // The ninth is after the first part of the sequence on the second batch.
  c.options.checkpoint = [&](const EvaluateProgress& so_far) {
    if (++saved != 9) return;
    state = evaluation_state(c.options, so_far);
    before = stages.size();
  };
  c.run();
  const std::vector<std::string> expected(stages.begin() + static_cast<std::ptrdiff_t>(before), stages.end());
  REQUIRE(expected.front() == "autoattack(version=rand) 1 after 8");
  const EvaluateProgress progress = restore_evaluation(state, c.options);
  c.options.resume = &progress;
  c.options.checkpoint = {};
  stages.clear();
  c.run();
  CHECK(stages == expected);
}

TEST_CASE("a state refuses other options, another model, other data, and entries that do not fit", "[attack]") {
  Case c;
  StateDict state;
  c.options.checkpoint = [&](const EvaluateProgress& so_far) {
    if (!so_far.batch.parts.empty()) state = evaluation_state(c.options, so_far);
  };
  c.run();
  c.options.checkpoint = {};

  EvaluateOptions eps = c.options;
  eps.threat.eps = 0.07f;
  CHECK_THROWS_WITH(restore_evaluation(state, eps), Catch::Contains("eps=0.06") && Catch::Contains("eps=0.07"));
  EvaluateOptions attacks = c.options;
  attacks.attacks.pop_back();
  CHECK_THROWS_WITH(restore_evaluation(state, attacks), Catch::Contains("had attacks="));

  const EvaluateProgress progress = restore_evaluation(state, c.options);
  c.options.resume = &progress;
  CHECK_THROWS_WITH(evaluate(c.other, c.x.view(), c.labels, {}, c.options), Catch::Contains("another model"));
  c.options.source = &c.model;
  CHECK_THROWS_WITH(c.run(), Catch::Contains("another model"));
  c.options.source = &c.other;
  EvaluateProgress cut = progress;
  cut.batch.robust.pop_back();
  c.options.resume = &cut;
  CHECK_THROWS_WITH(c.run(), Catch::Contains("batch/samples\" is 4") && Catch::Contains("must be 5"));

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
    Matrix<float> logits(1, Case::kClasses);
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
  const Noisy noisy(kD, 6, Case::kClasses, 5);
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

namespace {

void check_same(const MaskingReport& a, const MaskingReport& b) {
  REQUIRE(a.checks.size() == b.checks.size());
  for (std::size_t k = 0; k < a.checks.size(); ++k) {
    INFO(a.checks[k].name);
    CHECK(a.checks[k].name == b.checks[k].name);
    CHECK(a.checks[k].outcome == b.checks[k].outcome);
    CHECK(a.checks[k].value == b.checks[k].value);
  }
  REQUIRE(a.curve.size() == b.curve.size());
  for (std::size_t k = 0; k < a.curve.size(); ++k) {
    INFO("radius " << a.curve[k].eps);
    CHECK(a.curve[k].eps == b.curve[k].eps);
    CHECK(a.curve[k].accuracy == b.curve[k].accuracy);
    CHECK(a.curve[k].noise == b.curve[k].noise);
  }
  REQUIRE(a.trace.size() == b.trace.size());
  for (std::size_t t = 0; t < a.trace.size(); ++t) {
    INFO("step " << t);
    CHECK(a.trace[t].loss == b.trace[t].loss);
    CHECK(a.trace[t].zero_gradients == b.trace[t].zero_gradients);
  }
  CHECK(a.rows == b.rows);
  CHECK(a.gradient_robust == b.gradient_robust);
  CHECK(a.clean == b.clean);
  CHECK(a.gradient == b.gradient);
  CHECK(a.square == b.square);
  CHECK(a.noise == b.noise);
}

}  // namespace

TEST_CASE("masking checks resumed after any radius or Square end with the report of uninterrupted ones", "[masking]") {
  const Case c;
  MaskingOptions options;
  options.threat = {Norm::linf, 0.2f};
  options.samples = 20;
  options.steps = 5;
  options.queries = 50;
  options.curve = {0, 0.03, 0.3};
  std::vector<StateDict> states;
  options.checkpoint = [&](const MaskingProgress& so_far) {
    states.emplace_back();
    save_masking(options, so_far, states.back());
  };
  std::vector<std::string> steps;
  options.progress = [&](const std::string& what, index done, index total) {
    steps.push_back(text(what, " ", done, "/", total));
  };
  const auto run = [&] { return check_masking(c.model, c.x.view(), c.labels, options); };
  const MaskingReport whole = run();
  // The radii asked for, the one of the threat model, the covering one, and Square.
  const std::vector<std::string> expected{"accuracy over eps 1/6", "accuracy over eps 2/6", "accuracy over eps 3/6",
                                          "accuracy over eps 4/6", "accuracy over eps 5/6", "square 6/6"};
  CHECK(steps == expected);
  CHECK(whole.gradient < whole.clean);
  REQUIRE(states.size() == 6);
  CHECK(!has_masking(StateDict()));
  options.checkpoint = {};

  for (std::size_t done = 1; done <= states.size(); ++done) {
    INFO("after " << done << " of 6 steps");
    REQUIRE(has_masking(states[done - 1]));
    const MaskingProgress progress = restore_masking(states[done - 1], options);
    options.resume = &progress;
    steps.clear();
    check_same(run(), whole);
    CHECK(steps == std::vector<std::string>(expected.begin() + static_cast<std::ptrdiff_t>(done), expected.end()));
  }

  MaskingOptions other = options;
  other.curve = {0, 0.03};
  CHECK_THROWS_WITH(restore_masking(states[2], other),
                    Catch::Contains("curve=0,0.03,0.3") && Catch::Contains("curve=0,0.03;"));
  const MaskingProgress progress = restore_masking(states[2], options);
  options.resume = &progress;
  std::vector<int> shifted = c.labels;
  for (int& label : shifted) label = (label + 1) % Case::kClasses;
  CHECK_THROWS_WITH(check_masking(c.model, c.x.view(), shifted, options),
                    Catch::Contains("another model or other data"));
}

TEST_CASE("time left goes by the pace of a part, or roughly by that of all others where it has not run", "[attack]") {
  TimeLeft time({10, 20, 0});
  const auto seconds = [&](const std::vector<index>& left) { return time.estimate(left).seconds; };
  CHECK(seconds({0, 0, 0}) == 0);
  CHECK(!time.estimate({5, 0, 0}).known);  // nothing has run yet
  time.add(0, 4, 2);
  CHECK(seconds({6, 0, 0}) == Approx(3));
  CHECK(!time.estimate({6, 0, 0}).rough);
  CHECK(seconds({6, 2, 0}) == Approx(3 + 2.0 / 40 * 20 * 2));
  CHECK(time.estimate({6, 2, 0}).rough);
  CHECK(!time.estimate({6, 2, 1}).known);  // what the last part costs is not
  time.add(1, 1, 3);
  CHECK(seconds({6, 2, 0}) == Approx(3 + 6));
  CHECK(!time.estimate({6, 2, 0}).rough);
  time.add(2, 2, 1);
  CHECK(seconds({0, 0, 4}) == Approx(2));
  CHECK_THROWS_AS(time.estimate({1, 2}), ShapeError);
}
