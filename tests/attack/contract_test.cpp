/// The contract of attack.hpp, over every row of attacks.def and their variants.
#include <algorithm>
#include <cmath>

#include "kit/check.hpp"
#include "kit/small_models.hpp"
#include "ntkrob/attack/attack.hpp"
#include "ntkrob/model/forwarding.hpp"
#include "ntkrob/model/loss.hpp"
#include "ntkrob/model/metrics.hpp"

using namespace ntkrob;

namespace {

constexpr index kN = 24, kD = 30, kClasses = 4;

/// The attack with fewer steps where its defaults cost too much for a test over all threat models.
std::string cheap(const std::string& name) {
  if (name == "square") return "square(queries=150)";
  if (name == "cw") return "cw(iterations=25,search=3,c=0.1,lr=0.1)";
  return name;
}

std::vector<std::string> all_specs() {
  std::vector<std::string> specs;
  for (const auto& row : attack_help())
    if (row.first != "autoattack") specs.push_back(cheap(row.first));
  for (const char* more :
       {"apgd-ce(iterations=10,restarts=3,eot=2)", "apgd-t(iterations=7,targets=2,schedule=shrinking)",
        "fab(restarts=2,iterations=10)", "fab-t(restarts=2,iterations=10)"})
    specs.push_back(more);
  for (const char* more : {"fgsm(loss=margin)", "pgd-3", "pgd-7(loss=margin,restarts=3)", "pgd-5(loss=mse)",
                           "pgd-6(start=x,step=0.02,temperature=0.5)"})
    specs.push_back(more);
  return specs;
}

struct Case {
  kit::SineModel model{kD, 12, kClasses, 5};
  Matrix<float> x = kit::uniform_matrix(kN, kD, 6);
  std::vector<int> labels = predictions(all_logits(model, x.view()).view());
  Matrix<float> targets = centred_one_hot(labels, kClasses);

  Case() {
    for (index i = 0; i < kN; i += 2) x(i, i) = i % 4 == 0 ? 0.0f : 1.0f;
    labels = predictions(all_logits(model, x.view()).view());
    labels[3] = (labels[3] + 1) % kClasses;  // one sample is wrong from the start
    targets = centred_one_hot(labels, kClasses);
  }
  AttackBatch batch(index begin = 0, index n = kN) const {
    return {x.view().middle_rows(begin, n), labels.data() + begin, targets.view().middle_rows(begin, n), begin};
  }
};

const ThreatModel kThreats[] = {{Norm::linf, 0.05f}, {Norm::linf, 0.3f}, {Norm::l2, 0.4f},
                                {Norm::l2, 2.0f},    {Norm::l1, 1.0f},   {Norm::l1, 6.0f}};

/// All specs under all threat models; autoattack, which runs four of them, only where it ends early.
template <class Check>
void for_all(const Check& check) {
  for (const ThreatModel& threat : kThreats)
    for (const std::string& spec : all_specs()) check(spec, threat);
  for (const std::size_t t : {1, 3, 5}) check("autoattack", kThreats[t]);
  check("autoattack(version=plus)", kThreats[1]);
}

}  // namespace

TEST_CASE("every attack stays in ball and box exactly and reports what the model says there", "[attack]") {
  const Case c;
  for_all([&](const std::string& spec, const ThreatModel& threat) {
    INFO(spec << " " << to_string(threat.norm) << " eps " << threat.eps);
    Matrix<float> z(kN, kD), logits(kN, kClasses);
    const AttackResult result = make_attack(spec)->perturb(c.model, c.batch(), threat, 1, z);
    c.model.logits(z.view(), logits);
    const std::vector<int> predicted = predictions(logits.view());
    const std::vector<float> margin = margins(logits.view(), c.labels);

    for (index i = 0; i < kN; ++i) {
      const auto s = static_cast<std::size_t>(i);
      INFO("sample " << i);
      for (index j = 0; j < kD; ++j) {
        REQUIRE((z(i, j) >= 0 && z(i, j) <= 1));
        if (threat.norm == Norm::linf)
          REQUIRE(
              (z(i, j) >= std::max(c.x(i, j) - threat.eps, 0.0f) && z(i, j) <= std::min(c.x(i, j) + threat.eps, 1.0f)));
      }
      if (threat.norm != Norm::linf)
        REQUIRE(threat.distance(c.x.row(i), z.row(i), kD) <= static_cast<double>(threat.eps));
      CHECK(result.robust[s] == (predicted[s] == c.labels[s]));
      CHECK(result.queries[s] <= make_attack(spec)->passes(kClasses, threat));
      CHECK(result.margin[s] == margin[s]);
      CHECK(result.queries[s] >= 1);
    }
  });
}

TEST_CASE("every attack returns x bit for bit at eps 0", "[attack]") {
  const Case c;
  std::vector<std::string> specs = all_specs();
  specs.push_back("autoattack");
  for (const std::string& spec : specs)
    for (const Norm norm : {Norm::linf, Norm::l2, Norm::l1}) {
      INFO(spec);
      Matrix<float> z(kN, kD);
      const AttackResult result = make_attack(spec)->perturb(c.model, c.batch(), {norm, 0}, 1, z);
      NTKROB_CHECK_SAME(kit::compare(z.view(), c.x.view(), 0));
      CHECK(std::count(result.robust.begin(), result.robust.end(), 1) == kN - 1);
    }
}

TEST_CASE("every attack gives the same bytes again, and for every cut into batches", "[attack]") {
  const Case c;
  for_all([&](const std::string& spec, const ThreatModel& threat) {
    INFO(spec << " " << to_string(threat.norm) << " eps " << threat.eps);
    const auto attack = make_attack(spec);
    Matrix<float> whole(kN, kD), again(kN, kD), pieces(kN, kD), picked(2, kD);
    const AttackResult all = attack->perturb(c.model, c.batch(), threat, 9, whole);
    attack->perturb(c.model, c.batch(), threat, 9, again);
    NTKROB_CHECK_SAME(kit::compare(whole.view(), again.view(), 0));
    std::vector<float> margin;
    index zero_gradients = 0;
    for (index begin = 0; begin < kN; begin += 7) {
      const index n = std::min<index>(7, kN - begin);
      const AttackResult part =
          attack->perturb(c.model, c.batch(begin, n), threat, 9, pieces.view().middle_rows(begin, n));
      margin.insert(margin.end(), part.margin.begin(), part.margin.end());
      zero_gradients += part.zero_gradients;
    }
    NTKROB_CHECK_SAME(kit::compare(whole.view(), pieces.view(), 0));
    CHECK(margin == all.margin);
    CHECK(zero_gradients == all.zero_gradients);

    // Rows 20 and 5 picked out, named by their sample numbers.
    const index samples[] = {20, 5};
    Matrix<float> x(2, kD), targets(2, kClasses);
    std::vector<int> labels;
    for (index k = 0; k < 2; ++k) {
      std::copy(c.x.row(samples[k]), c.x.row(samples[k]) + kD, x.row(k));
      std::copy(c.targets.row(samples[k]), c.targets.row(samples[k]) + kClasses, targets.row(k));
      labels.push_back(c.labels[static_cast<std::size_t>(samples[k])]);
    }
    attack->perturb(c.model, {x.view(), labels.data(), targets.view(), 0, samples}, threat, 9, picked);
    for (index k = 0; k < 2; ++k)
      NTKROB_CHECK_SAME(kit::compare(picked.view().middle_rows(k, 1), whole.view().middle_rows(samples[k], 1), 0));
  });
}

namespace {

/// Counts the passes forward alone, and those with a way back.
class Counting : public ForwardingModel {
 public:
  using ForwardingModel::ForwardingModel;
  void logits(ConstView2D<float> x, View2D<float> out) const override {
    ++forward;
    ForwardingModel::logits(x, out);
  }
  void input_grad(ConstView2D<float> x, ConstView2D<float> c, View2D<float> dx) const override {
    ++back;
    ForwardingModel::input_grad(x, c, dx);
  }
  void logits_and_grad(ConstView2D<float> x, const CotangentFn& c, View2D<float> out, View2D<float> dx) const override {
    ++back;
    ForwardingModel::logits_and_grad(x, c, out, dx);
  }
  std::unique_ptr<Iterates> iterates(ConstView2D<float>) const override { return nullptr; }
  mutable index forward = 0, back = 0;
};

}  // namespace

TEST_CASE("every attack asks of the model what its nature says, and so do the parts of a sequence", "[attack]") {
  const Case c;
  const auto check = [&](const Attack& attack, const std::string& name) {
    INFO(name);
    const Counting model(c.model);
    Matrix<float> z(kN, kD);
    attack.perturb(model, c.batch(), kThreats[1], 3, z);
    CHECK((model.back > 0) == (attack.nature() == AttackNature::gradients));
    CHECK(model.forward + model.back > 0);
    const bool still = kit::compare(z.view(), c.x.view(), 0).text.empty();
    CHECK(still == (attack.nature() == AttackNature::inputs));
    CHECK(has_part(attack, attack.nature()));
  };
  std::vector<std::string> specs = all_specs();
  specs.push_back("autoattack(version=plus)");
  std::vector<AttackNature> seen;
  for (const std::string& spec : specs) {
    const auto attack = make_attack(spec);
    check(*attack, spec);
    for (const Attack* part : attack->parts()) check(*part, spec + ": " + part->name());
    seen.push_back(attack->nature());
  }
  for (const AttackNature nature :
       {AttackNature::inputs, AttackNature::noise, AttackNature::search, AttackNature::gradients})
    CHECK(std::count(seen.begin(), seen.end(), nature) > 0);
  CHECK(has_part(*make_attack("autoattack"), AttackNature::search));
  CHECK_FALSE(has_part(*make_attack("autoattack(version=rand)"), AttackNature::search));
  CHECK_FALSE(has_part(*make_attack("pgd"), AttackNature::noise));
}

TEST_CASE("another seed gives another random start, and start=x uses none", "[attack]") {
  const Case c;
  const auto differ = [&](const char* spec) {
    Matrix<float> one(kN, kD), two(kN, kD);
    make_attack(spec)->perturb(c.model, c.batch(), kThreats[1], 1, one);
    make_attack(spec)->perturb(c.model, c.batch(), kThreats[1], 2, two);
    return !kit::compare(one.view(), two.view(), 0).text.empty();
  };
  CHECK(differ("pgd-3"));
  CHECK_FALSE(differ("pgd-3(start=x)"));
}

TEST_CASE("fgsm and pgd reach the closed-form optimum of a linear model", "[attack]") {
  // Two classes: the margin is linear in x, so each component moves against it as far as ball and box allow.
  const index n = 20;
  const kit::LinearModel model(kD, 2, 3);
  Matrix<float> x = kit::uniform_matrix(n, kD, 4, 0, 1);
  const std::vector<int> labels = predictions(all_logits(model, x.view()).view());
  const std::vector<float> clean = margins(all_logits(model, x.view()).view(), labels);
  const AttackBatch batch{x.view(), labels.data(), {}, 0};
  const auto slope = [&](int y, index j) { return static_cast<double>(model.weight(y, j)) - model.weight(1 - y, j); };

  for (const char* spec : {"fgsm", "fgsm(loss=margin)", "pgd-40", "pgd-10(loss=margin)", "pgd-20(start=x)"})
    for (const double eps : {0.05, 0.2}) {
      INFO(spec << " linf eps " << eps);
      Matrix<float> z(n, kD);
      const AttackResult result = make_attack(spec)->perturb(model, batch, {Norm::linf, static_cast<float>(eps)}, 1, z);
      for (index i = 0; i < n; ++i) {
        const auto s = static_cast<std::size_t>(i);
        double optimum = clean[s];
        for (index j = 0; j < kD; ++j) {
          const double w = slope(labels[s], j);
          optimum -= std::abs(w) * std::min(eps, static_cast<double>(w > 0 ? x(i, j) : 1 - x(i, j)));
        }
        CHECK(result.margin[s] == Approx(optimum).margin(1e-5));
      }
    }
}

TEST_CASE("fgsm and pgd reach the closed-form l2 optimum of a linear model away from the box", "[attack]") {
  // The optimum is margin - eps ||w||. PGD turns towards w by the sine of the angle per step: within 3 %.
  const index n = 20;
  const kit::LinearModel model(kD, 2, 3);
  const Matrix<float> x = kit::uniform_matrix(n, kD, 4, 0.4, 0.6);
  const std::vector<int> labels = predictions(all_logits(model, x.view()).view());
  const std::vector<float> clean = margins(all_logits(model, x.view()).view(), labels);
  const AttackBatch batch{x.view(), labels.data(), {}, 0};
  for (const auto& [spec, slack] :
       {std::pair<const char*, double>{"fgsm", 1e-5}, {"pgd-40", 0.03}, {"pgd-40(start=x)", 1e-5}}) {
    INFO(spec << " l2");
    Matrix<float> z(n, kD);
    const AttackResult result = make_attack(spec)->perturb(model, batch, {Norm::l2, 0.3f}, 1, z);
    for (index i = 0; i < n; ++i) {
      const auto s = static_cast<std::size_t>(i);
      double norm = 0;
      for (index j = 0; j < kD; ++j)
        norm += std::pow(static_cast<double>(model.weight(labels[s], j)) - model.weight(1 - labels[s], j), 2);
      norm = std::sqrt(norm);
      const double gain = (clean[s] - result.margin[s]) / (0.3 * norm);
      CHECK(gain <= 1 + 1e-5);
      CHECK(gain >= 1 - slack);
    }
  }
}

TEST_CASE("pgd is not weaker than fgsm sample by sample on a linear model with many classes", "[attack]") {
  const kit::LinearModel model(kD, kClasses, 8);
  const Matrix<float> x = kit::uniform_matrix(200, kD, 4);
  const std::vector<int> labels = predictions(all_logits(model, x.view()).view());
  for (const float eps : {0.02f, 0.05f, 0.1f}) {
    Matrix<float> z(200, kD);
    const AttackBatch batch{x.view(), labels.data(), {}, 0};
    const AttackResult fgsm = make_attack("fgsm")->perturb(model, batch, {Norm::linf, eps}, 1, z);
    const AttackResult pgd = make_attack("pgd-40")->perturb(model, batch, {Norm::linf, eps}, 1, z);
    index weaker = 0, broken = 0;
    for (std::size_t i = 0; i < 200; ++i) {
      weaker += pgd.robust[i] && !fgsm.robust[i];
      broken += !fgsm.robust[i];
    }
    INFO("eps " << eps << ", broken by fgsm " << broken);
    CHECK(weaker == 0);
    CHECK(broken > 0);
  }
}

namespace {

/// Counts calls and remembers the smallest margin of every row over all logits it ever gave out.
class Recorder : public ForwardingModel {
 public:
  Recorder(const Model& inner, const std::vector<int>& labels)
      : ForwardingModel(inner), least(labels.size(), INFINITY), last(labels.size(), 0), labels_(labels) {}
  void logits(ConstView2D<float> x, View2D<float> out) const override {
    ++forward;
    ForwardingModel::logits(x, out);
    record(out);
  }
  void logits_and_grad(ConstView2D<float> x, const CotangentFn& c, View2D<float> out, View2D<float> dx) const override {
    ++fused;
    ForwardingModel::logits_and_grad(x, c, out, dx);
    record(out);
  }
  std::unique_ptr<Iterates> iterates(ConstView2D<float>) const override { return nullptr; }
  mutable int forward = 0, fused = 0;
  mutable std::vector<float> least, last;

 private:
  void record(ConstView2D<float> out) const {
    last = margins(out, labels_);
    for (std::size_t i = 0; i < last.size(); ++i) least[i] = std::min(least[i], last[i]);
  }
  const std::vector<int>& labels_;
};

}  // namespace

TEST_CASE("pgd-K costs K fused passes and one forward pass and returns the best visited iterate", "[attack]") {
  const Case c;
  const Recorder recorder(c.model, c.labels);
  Matrix<float> z(kN, kD);
  // Long steps, so that the last iterate is often not the best.
  const AttackResult result = make_attack("pgd-12(step=0.3)")->perturb(recorder, c.batch(), {Norm::linf, 0.3f}, 4, z);

  CHECK(recorder.fused == 12);
  CHECK(recorder.forward == 1);
  CHECK(result.margin == recorder.least);
  CHECK(result.margin != recorder.last);
  CHECK(result.queries == std::vector<int>(kN, 13));
}

TEST_CASE("restarts are spent on the samples that are still right, and only help", "[attack]") {
  const Case c;
  const ThreatModel threat{Norm::linf, 0.06f};
  Matrix<float> z(kN, kD);
  const AttackResult once = make_attack("pgd-4")->perturb(c.model, c.batch(), threat, 1, z);
  const AttackResult many = make_attack("pgd-4(restarts=6)")->perturb(c.model, c.batch(), threat, 1, z);
  int still_right = 0;
  for (std::size_t i = 0; i < once.robust.size(); ++i) {
    INFO("sample " << i);
    if (once.robust[i]) {
      ++still_right;
      CHECK(many.margin[i] <= once.margin[i]);
      CHECK(many.queries[i] > 5);
      CHECK(many.queries[i] <= 30);
      if (many.robust[i]) CHECK(many.queries[i] == 30);
    } else {
      CHECK(many.margin[i] == once.margin[i]);
      CHECK(many.queries[i] == 5);
    }
  }
  CHECK(still_right > 0);
  CHECK(still_right < kN);
}

namespace {

/// A right model behind a quantiser: its true gradient is 0 almost everywhere, which hides every gradient attack.
class Masked : public kit::LinearModel {
 public:
  using LinearModel::LinearModel;
  void logits(ConstView2D<float> x, View2D<float> out) const override {
    Matrix<float> rounded(x);
    for (index k = 0; k < rounded.size(); ++k) rounded.data()[k] = std::round(rounded.data()[k] * 4) / 4;
    LinearModel::logits(rounded.view(), out);
  }
  void input_grad(ConstView2D<float>, ConstView2D<float>, View2D<float> dx) const override {
    for (index i = 0; i < dx.rows; ++i)
      for (index j = 0; j < dx.cols; ++j) dx(i, j) = 0;
  }
};

}  // namespace

TEST_CASE("a masked gradient is counted sample by sample and step by step", "[attack]") {
  const Masked model(kD, kClasses, 3);
  const kit::LinearModel honest(kD, kClasses, 3);
  const Matrix<float> x = kit::uniform_matrix(kN, kD, 4);
  const std::vector<int> labels = predictions(all_logits(model, x.view()).view());
  const AttackBatch batch{x.view(), labels.data(), {}, 0};
  Matrix<float> z(kN, kD);
  const auto zeros = [&](const char* spec, const Model& m) {
    return make_attack(spec)->perturb(m, batch, {Norm::linf, 0.01f}, 1, z).zero_gradients;
  };

  CHECK(zeros("clean", model) == 0);
  CHECK(zeros("fgsm", model) == kN);
  CHECK(zeros("pgd-7(start=x)", model) == 7 * kN);
  CHECK(zeros("pgd-7", honest) == 0);
}

TEST_CASE("values that are not finite are refused by the sample's number", "[attack]") {
  Matrix<float> x = kit::uniform_matrix(kN, kD, 4), z(kN, kD);
  const std::vector<int> labels(kN, 1);
  const kit::NaNGradient model(kD, kClasses, 3);
  for (const char* spec : {"fgsm", "pgd-2"})
    CHECK_THROWS_WITH(make_attack(spec)->perturb(model, {x.view(), labels.data(), {}, 100}, {Norm::linf, 0.1f}, 1, z),
                      Catch::Contains("sample 102, component 1 is nan"));
  kit::LinearModel broken(kD, kClasses, 3);
  broken.bias(0, 2) = INFINITY;
  for (const char* spec : {"clean", "fgsm", "pgd-2"})
    CHECK_THROWS_WITH(make_attack(spec)->perturb(broken, {x.view(), labels.data(), {}, 100}, {Norm::linf, 0.1f}, 1, z),
                      Catch::Contains("sample 100, class 2 is inf"));
}

TEST_CASE("the inner pgd makes one fused pass per step and ends at the last iterate in the ball", "[attack]") {
  const Case c;
  for (const ThreatModel& threat : kThreats) {
    const Recorder recorder(c.model, c.labels);
    Matrix<float> z(kN, kD), parts(kN, kD), copied(kN, kD);
    pgd(recorder, c.batch(), threat, 5, 0, "ce", 1, Rng(3, "inner"), z);
    CHECK(recorder.fused == 5);
    CHECK(recorder.forward == 0);
    for (const index begin : {index{0}, index{10}})
      pgd(c.model, c.batch(begin, begin == 0 ? 10 : kN - 10), threat, 5, 0, "ce", 1, Rng(3, "inner"),
          parts.view().middle_rows(begin, begin == 0 ? 10 : kN - 10));
    NTKROB_CHECK_SAME(kit::compare(z.view(), parts.view(), 0));
    for (index i = 0; i < kN; ++i) {
      Matrix<float> p(z.view().middle_rows(i, 1));
      threat.project(c.x.row(i), p.data(), kD);
      NTKROB_CHECK_SAME(kit::compare(p.view(), z.view().middle_rows(i, 1), 0));
    }

    // It finds what it is for: the loss is larger than at x for most samples.
    const std::vector<float> before = margins(all_logits(c.model, c.x.view()).view(), c.labels);
    const std::vector<float> after = margins(all_logits(c.model, z.view()).view(), c.labels);
    int worse = 0;
    for (std::size_t i = 0; i < before.size(); ++i) worse += after[i] < before[i];
    CHECK(worse >= kN - 3);

    ThreatModel still = threat;
    still.eps = 0;
    pgd(c.model, c.batch(), still, 5, 0, "mse", 1, Rng(3, "inner"), copied);
    NTKROB_CHECK_SAME(kit::compare(copied.view(), c.x.view(), 0));
  }
  Matrix<float> z(kN, kD);
  CHECK_THROWS_AS(pgd(c.model, c.batch(), kThreats[0], 0, 0, "ce", 1, Rng(3, "inner"), z), ConfigError);
  CHECK_THROWS_AS(pgd(c.model, c.batch(), kThreats[0], 5, -1, "ce", 1, Rng(3, "inner"), z), ConfigError);
}
