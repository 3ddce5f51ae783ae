/// What APGD, FAB, Square, AutoAttack, DeepFool, CW and noise claim beyond the contract of every attack.
#include <algorithm>
#include <cmath>

#include "attack/dlr.hpp"
#include "attack/square_moves.hpp"
#include "kit/check.hpp"
#include "kit/small_models.hpp"
#include "ntkrob/attack/attack.hpp"
#include "ntkrob/attack/evaluate.hpp"
#include "ntkrob/model/metrics.hpp"

using namespace ntkrob;

namespace {

constexpr index kN = 40, kD = 30;

/// A model with labels that are its own predictions.
struct Case {
  explicit Case(index classes) : model(kD, 12, classes, 5) {}
  AttackBatch batch() const { return {x.view(), labels.data(), {}, 0}; }
  AttackResult run(const std::string& spec, const ThreatModel& threat) const {
    Matrix<float> z(kN, kD);
    return make_attack(spec)->perturb(model, batch(), threat, 1, z);
  }
  index robust(const std::string& spec, const ThreatModel& threat) const {
    const AttackResult result = run(spec, threat);
    return std::count(result.robust.begin(), result.robust.end(), char{1});
  }

  kit::SineModel model;
  Matrix<float> x = kit::uniform_matrix(kN, kD, 6);
  std::vector<int> labels = predictions(all_logits(model, x.view()).view());
};

std::string constant(const std::vector<std::pair<std::string, std::string>>& constants, const std::string& key) {
  for (const auto& [k, v] : constants)
    if (k == key) return v;
  return "absent";
}

const ThreatModel kThreats[] = {{Norm::linf, 0.04f}, {Norm::l2, 0.15f}, {Norm::l1, 0.7f}};

}  // namespace

TEST_CASE("the derivatives of the difference losses agree with differences", "[attack]") {
  for (const auto& [loss, classes] : {std::pair<LogitLoss, index>{dlr, 3},
                                      {dlr, 7},
                                      {targeted_dlr, 4},
                                      {targeted_dlr, 9},
                                      {targeted_margin, 2},
                                      {targeted_margin, 6}})
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      // Far from ties, where the losses have kinks.
      Matrix<float> f(1, classes);
      const std::vector<index> order = Rng(seed, "logits").permutation(classes);
      for (index j = 0; j < classes; ++j)
        f(0, j) =
            static_cast<float>(order[static_cast<std::size_t>(j)]) + kit::uniform_matrix(1, 1, seed, 0, 0.5)(0, 0);
      const int y = static_cast<int>(seed % static_cast<std::uint64_t>(classes));
      const int rival = static_cast<int>((seed + 1) % static_cast<std::uint64_t>(classes));
      Matrix<float> cotangent(1, classes), unused(1, classes);
      loss(f.data(), classes, y, rival, cotangent.data());
      for (index j = 0; j < classes; ++j) {
        Matrix<float> up = f, down = f;
        up(0, j) += 1.0f / 1024;
        down(0, j) -= 1.0f / 1024;
        const double slope =
            (loss(up.data(), classes, y, rival, unused.data()) - loss(down.data(), classes, y, rival, unused.data())) *
            512;
        INFO("classes " << classes << " seed " << seed << " logit " << j);
        CHECK(cotangent(0, j) == Approx(slope).epsilon(2e-2).margin(2e-3));
      }
    }
}

TEST_CASE("the difference loss ratio does not change with scale and shift of the logits, and ties stay finite",
          "[attack]") {
  const float f[] = {1, 4, -2, 3}, g[] = {7, 13, 1, 11}, tied[] = {2, 2, 2, 2};
  float c[4];
  CHECK(dlr(f, 4, 1, -1, c) == Approx(-1.0 / 3));  // (3 - 4) / (4 - 1)
  CHECK(dlr(f, 4, 1, -1, c) == Approx(dlr(g, 4, 1, -1, c)));
  CHECK(targeted_dlr(f, 4, 1, 0, c) == Approx(-3 / 4.5));  // (1 - 4) / (4 - (1 - 2) / 2)
  CHECK(targeted_dlr(f, 4, 1, 0, c) == Approx(targeted_dlr(g, 4, 1, 0, c)));
  CHECK(dlr(f, 4, 0, -1, c) > 0);  // wrong already
  for (const LogitLoss loss : {dlr, targeted_dlr}) {
    CHECK(std::isfinite(loss(tied, 4, 1, 2, c)));
    CHECK(std::all_of(c, c + 4, [](float v) { return std::isfinite(v); }));
  }
  int rivals[3];
  strongest_rivals(f, 4, 1, 3, rivals);
  CHECK((rivals[0] == 3 && rivals[1] == 0 && rivals[2] == 2));
  strongest_rivals(f, 4, 2, 2, rivals);
  CHECK((rivals[0] == 1 && rivals[1] == 3));
  strongest_rivals(tied, 4, 0, 3, rivals);
  CHECK((rivals[0] == 1 && rivals[1] == 2 && rivals[2] == 3));
}

TEST_CASE("the attacks of autoattack break at least what pgd-40 breaks, in every norm", "[attack]") {
  const Case c(6);
  for (const ThreatModel& threat : kThreats) {
    INFO(to_string(threat.norm));
    const index pgd = c.robust("pgd-40", threat);
    CHECK(pgd > 5);
    CHECK(pgd < kN - 5);
    for (const char* spec : {"apgd-ce", "apgd-dlr", "apgd-t", "fab-t", "fab"}) {
      INFO(spec << " against pgd-40: " << pgd);
      CHECK(c.robust(spec, threat) <= pgd + 1);
    }
    const index strongest = c.robust("apgd-t", threat), square = c.robust("square(queries=500)", threat);
    // Square sees no gradients; in 30 dimensions it still gets near, and noise does not.
    CHECK(square <= pgd + kN / 3);
    CHECK(c.robust("noise-uniform", threat) > square);
    CHECK(c.robust("noise-gaussian", threat) > square);
    CHECK(c.robust("deepfool", threat) >= strongest);
    CHECK(c.robust("deepfool", threat) < kN);
  }
  CHECK(c.robust("autoattack", kThreats[0]) <= c.robust("apgd-ce", kThreats[0]));
}

TEST_CASE("apgd-t and fab-t find the exact boundary of a linear model", "[attack]") {
  // Away from the box the distance to class j is (f_y - f_j) / ||w_y - w_j|| in the dual norm.
  const index classes = 5;
  const kit::LinearModel model(kD, classes, 3);
  const Matrix<float> x = kit::uniform_matrix(kN, kD, 4, 0.45, 0.55);
  const Matrix<float> f = all_logits(model, x.view());
  const std::vector<int> labels = predictions(f.view());
  for (const Norm norm : {Norm::linf, Norm::l2, Norm::l1}) {
    std::vector<double> distance(kN, INFINITY);
    for (index i = 0; i < kN; ++i)
      for (index k = 0; k < classes; ++k) {
        const int y = labels[static_cast<std::size_t>(i)];
        if (k == y) continue;
        double dual = 0;
        for (index j = 0; j < kD; ++j) {
          const double w = std::abs(static_cast<double>(model.weight(y, j)) - model.weight(k, j));
          dual = norm == Norm::linf ? dual + w : norm == Norm::l2 ? dual + w * w : std::max(dual, w);
        }
        double& d = distance[static_cast<std::size_t>(i)];
        d = std::min(d, (static_cast<double>(f(i, y)) - f(i, k)) / (norm == Norm::l2 ? std::sqrt(dual) : dual));
      }
    std::vector<double> sorted = distance;
    std::sort(sorted.begin(), sorted.end());
    const auto eps = static_cast<float>(sorted[kN / 2]);
    REQUIRE(eps < 0.45f);  // the box is out of reach
    for (const char* spec : {"apgd-t", "fab-t", "fab", "deepfool", "cw(iterations=300)"}) {
      if (norm != Norm::l2 && std::string(spec).substr(0, 2) == "cw") continue;
      Matrix<float> z(kN, kD);
      const AttackResult result =
          make_attack(spec)->perturb(model, {x.view(), labels.data(), {}, 0}, {norm, eps}, 1, z);
      for (std::size_t i = 0; i < kN; ++i) {
        INFO(spec << " " << to_string(norm) << " sample " << i << ": boundary at " << distance[i] << ", eps " << eps);
        // The sparse steps of l1 end less close.
        if (distance[i] < (norm == Norm::l1 ? 0.9 : 0.97) * eps) CHECK_FALSE(result.robust[i]);
        if (distance[i] > 1.0001 * eps) CHECK(result.robust[i]);
      }
    }
  }
}

TEST_CASE("models of few classes get a substitute that the report names", "[attack]") {
  for (const index classes : {2, 3, 4}) {
    const Case c(classes);
    INFO(classes << " classes");
    const auto substitute = [&](const char* spec) {
      return constant(make_attack(spec)->constants(classes, kThreats[0]), "substitute");
    };
    CHECK((substitute("apgd-dlr") != "absent") == (classes < 3));
    CHECK((substitute("apgd-t") != "absent") == (classes < 4));
    CHECK(substitute("apgd-ce") == "absent");
    CHECK(constant(make_attack("autoattack")->constants(classes, kThreats[0]), "apgd-t targets used") ==
          std::to_string(classes - 1));
    for (const ThreatModel& threat : kThreats) {
      const index pgd = c.robust("pgd-40", threat);
      for (const char* spec : {"apgd-dlr", "apgd-t", "fab-t"}) {
        INFO(spec << " " << to_string(threat.norm) << ", pgd-40 leaves " << pgd);
        CHECK(c.robust(spec, threat) <= pgd + 1);
      }
    }
  }
}

TEST_CASE("autoattack hands on what is still right and reports its parts", "[attack]") {
  const Case c(6);
  EvaluateOptions options;
  options.attacks = {"autoattack", "apgd-ce", "autoattack(version=rand)"};
  options.threat = kThreats[0];
  options.batch_rows = 16;
  const EvaluateReport report = evaluate(c.model, c.x.view(), c.labels, {}, options);
  const AttackReport& all = report.attacks[0];
  REQUIRE(all.parts.size() == 4);
  const char* const names[] = {"apgd-ce", "apgd-t", "fab-t", "square"};
  index left = kN;
  for (std::size_t p = 0; p < 4; ++p) {
    CHECK(all.parts[p].name == names[p]);
    CHECK(all.parts[p].attacked == left);
    CHECK(all.parts[p].robust <= left);
    left = all.parts[p].robust;
  }
  CHECK(left == std::count(all.robust.begin(), all.robust.end(), char{1}));
  CHECK(left > 0);
  // The first part is the attack itself, keyed by the same seed and samples.
  CHECK(all.parts[0].robust == std::count(report.attacks[1].robust.begin(), report.attacks[1].robust.end(), char{1}));
  CHECK(report.attacks[1].parts.empty());
  CHECK(report.attacks[2].parts.size() == 2);
  CHECK(constant(all.constants, "version") == "standard");
  CHECK(constant(all.constants, "square queries") == "5000");
  CHECK(constant(all.constants, "apgd-ce restarts") == "1");
  const auto l1 = make_attack("autoattack")->constants(6, kThreats[2]);
  CHECK(constant(l1, "apgd-ce restarts") == "5");
  CHECK(constant(l1, "apgd-t targets") == "5");
  CHECK(constant(l1, "apgd-t schedule").find("3 eps") == 0);
}

namespace {

/// The same numbers as an image of another shape.
class Shaped : public kit::SineModel {
 public:
  explicit Shaped(ImageShape shape) : SineModel(shape.size(), 12, 4, 5), shape_(shape) {}
  ImageShape input_shape() const override { return shape_; }

 private:
  ImageShape shape_;
};

}  // namespace

TEST_CASE("square stays in ball and box and lowers the margin on images of every shape", "[attack]") {
  for (const ImageShape shape : {ImageShape{6, 6, 1}, {5, 4, 3}, {1, 1, 31}, {1, 29, 1}, {13, 1, 2}, {3, 11, 1}}) {
    const Shaped model(shape);
    const Matrix<float> x = kit::uniform_matrix(20, shape.size(), 6);
    const std::vector<int> labels = predictions(all_logits(model, x.view()).view());
    const std::vector<float> clean = margins(all_logits(model, x.view()).view(), labels);
    for (const ThreatModel& threat : kThreats) {
      INFO(shape.height << " x " << shape.width << " x " << shape.channels << " " << to_string(threat.norm));
      Matrix<float> z(20, shape.size());
      const AttackResult result =
          make_attack("square(queries=300)")->perturb(model, {x.view(), labels.data(), {}, 0}, threat, 1, z);
      int lower = 0;
      for (index i = 0; i < 20; ++i) {
        CHECK(threat.contains(x.row(i), z.row(i), shape.size()));
        lower += result.margin[static_cast<std::size_t>(i)] < clean[static_cast<std::size_t>(i)];
      }
      CHECK(lower >= 18);
    }
  }
}

TEST_CASE("the windows of square follow the published schedule", "[attack]") {
  const ImageShape mnist{28, 28, 1};
  for (const auto& [query, share] : {std::pair<index, double>{0, 0.8},
                                     {10, 0.8},
                                     {11, 0.4},
                                     {50, 0.4},
                                     {51, 0.2},
                                     {201, 0.1},
                                     {501, 0.05},
                                     {1001, 0.025},
                                     {2001, 0.0125},
                                     {4001, 0.00625},
                                     {6001, 0.003125},
                                     {8001, 0.0015625}}) {
    INFO("query " << query);
    CHECK(square_share(0.8, query) == share);
  }
  CHECK(window_size(Norm::linf, mnist, 0.8).height == 25);
  CHECK(window_size(Norm::linf, mnist, 0.8 / 512).width == 1);
  CHECK(window_size(Norm::l2, mnist, 0.05).height == 7);  // 6.26, then odd
  CHECK(window_size(Norm::l2, mnist, 0.8 / 512).width == 3);
  const WindowSize flat = window_size(Norm::linf, {1, 784, 1}, 0.05);
  CHECK((flat.height == 1 && flat.width == 39));
}

TEST_CASE("every gradient attack refuses a gradient that is not finite by the sample's number", "[attack]") {
  const kit::NaNGradient model(kD, 4, 3);
  const Matrix<float> x = kit::uniform_matrix(8, kD, 4);
  const std::vector<int> labels = predictions(all_logits(model, x.view()).view());
  const index samples[] = {70, 11, 42, 5, 6, 7, 8, 9};
  Matrix<float> z(8, kD);
  for (const char* spec : {"apgd-ce", "apgd-dlr", "cw", "autoattack"})
    CHECK_THROWS_WITH(make_attack(spec)->perturb(model, {x.view(), labels.data(), {}, 0, samples}, kThreats[0], 1, z),
                      Catch::Contains("sample 42, component 1 is nan"));
  // Here a sample has several rows: row 2 belongs to the first.
  for (const char* spec : {"apgd-t", "fab", "deepfool", "fab-t"})
    CHECK_THROWS_WITH(make_attack(spec)->perturb(model, {x.view(), labels.data(), {}, 0, samples}, kThreats[0], 1, z),
                      Catch::Contains("sample 70, component 1 is nan"));
}

TEST_CASE("apgd spends its iterations and stops at the first success", "[attack]") {
  const Case c(6);
  const AttackResult result = c.run("apgd-ce(iterations=20)", kThreats[0]);
  for (std::size_t i = 0; i < kN; ++i) {
    if (result.robust[i]) CHECK(result.queries[i] == 22);  // the input, the start and 20 steps
    if (!result.robust[i]) CHECK(result.queries[i] <= 22);
  }
  const AttackResult averaged = c.run("apgd-ce(iterations=20,eot=3)", kThreats[0]);
  for (std::size_t i = 0; i < kN; ++i)
    if (averaged.robust[i]) CHECK(averaged.queries[i] == 22 + 20 * 2);
  // Without random output an average of gradients is the gradient, up to rounding.
  CHECK(std::count(averaged.robust.begin(), averaged.robust.end(), char{1}) ==
        std::count(result.robust.begin(), result.robust.end(), char{1}));
}
