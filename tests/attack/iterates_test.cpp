/// Attacks on models that keep the points: the same results as with points of the attack's own.
#include "ntkrob/model/iterates.hpp"

#include <algorithm>
#include <cmath>

#include "kit/check.hpp"
#include "kit/small_models.hpp"
#include "ntkrob/attack/attack.hpp"
#include "ntkrob/model/metrics.hpp"

using namespace ntkrob;

namespace {

constexpr index kN = 90, kD = 20, kClasses = 4;

/// Keeps points out of reach of the attack, and does with them what a device would. Gradients of the rows in `flat` are
/// 0, those of the rows in `broken` are not finite.
class Keeping : public kit::SineModel {
 public:
  explicit Keeping(bool keeps) : SineModel(kD, 12, kClasses, 5), keeps_(keeps) {}
  void input_grad(ConstView2D<float> x, ConstView2D<float> c, View2D<float> dx) const override {
    SineModel::input_grad(x, c, dx);
    for (index i = 0; i < x.rows; ++i)
      for (const float mark : flat)
        if (x(i, 0) == mark) std::fill(dx.row(i), dx.row(i) + kD, 0.0f);
    for (const index i : broken) dx(i, 3) = INFINITY;
  }
  std::unique_ptr<Iterates> iterates(ConstView2D<float> x) const override;
  std::vector<float> flat;  // their first component
  std::vector<index> broken;
  mutable int made = 0;

 private:
  bool keeps_;
};

class Kept final : public Iterates {
 public:
  Kept(const Keeping& model, ConstView2D<float> x)
      : model_(model),
        x_(x),
        z_(x),
        gradient_(x.rows, x.cols),
        kept_(x.rows, x.cols),
        zeros_(static_cast<std::size_t>(x.rows)) {}
  void start_at_centres() override { z_ = x_; }
  void start_at_random(const Ball& ball, const std::vector<RandomStream>& streams) override {
    REQUIRE(static_cast<index>(streams.size()) == x_.rows());
    for (index i = 0; i < x_.rows(); ++i) {
      const RandomStream& stream = streams[static_cast<std::size_t>(i)];
      for (index j = 0; j < kD; ++j) {
        const auto k = static_cast<std::uint64_t>(j);
        z_(i, j) = ball::RandomStart::at_linf(ball, x_(i, j), RandomStream::symmetric(stream.block(k / 4).word[k % 4]));
      }
      if (ball.norm != Norm::linf) {
        ball::RandomStart start(ball);
        double sum = start.first(stream, kD);
        for (index j = 0; j < kD; ++j) sum += start.share(start.offset(stream, j));
        start.close(stream, kD, sum);
        for (index j = 0; j < kD; ++j) z_(i, j) = start.at(x_(i, j), start.offset(stream, j));
      }
      threat(ball).project(x_.row(i), z_.row(i), kD);
    }
  }
  void logits(View2D<float> out) override { model_.logits(z_.view(), out); }
  void gradient(const CotangentFn& cotangent, View2D<float> out) override {
    model_.logits_and_grad(z_.view(), cotangent, out, gradient_);
  }
  void ascend(const Ball& ball, float step) override {
    for (index i = 0; i < z_.rows(); ++i) {
      index& count = zeros_[static_cast<std::size_t>(i)];
      const float* g = gradient_.row(i);
      if (!std::all_of(g, g + kD, [](float v) { return std::isfinite(v); })) {
        count = -1;
        continue;
      }
      if (count >= 0) count += std::all_of(g, g + kD, [](float v) { return v == 0; });
      threat(ball).ascend(g, z_.row(i), kD, step);
      threat(ball).project(x_.row(i), z_.row(i), kD);
    }
  }
  std::vector<index> zero_gradients() const override { return zeros_; }
  void keep(const std::vector<index>& rows) override {
    for (const index i : rows) std::copy_n(z_.row(i), kD, kept_.row(i));
  }
  void read(View2D<float> z) const override { convert(z_.view(), z); }
  void read_kept(View2D<float> z) const override { convert(kept_.view(), z); }

 private:
  static ThreatModel threat(const Ball& b) { return {b.norm, b.eps, b.low, b.high}; }
  const Keeping& model_;
  Matrix<float> x_, z_, gradient_, kept_;
  std::vector<index> zeros_;
};

std::unique_ptr<Iterates> Keeping::iterates(ConstView2D<float> x) const {
  if (!keeps_) return nullptr;
  ++made;
  return std::make_unique<Kept>(*this, x);
}

struct Problem {
  Matrix<float> x = kit::uniform_matrix(kN, kD, 6);
  std::vector<int> labels = predictions(all_logits(Keeping(false), x.view()).view());
  AttackBatch batch() const { return {x.view(), labels.data(), {}, 1000}; }
};

}  // namespace

TEST_CASE("attacks find the same where the model keeps the points", "[attack]") {
  Problem problem;
  problem.labels[3] = (problem.labels[3] + 1) % kClasses;  // wrong from the start
  const ThreatModel threat = GENERATE(ThreatModel{Norm::linf, 0.1f}, ThreatModel{Norm::l2, 0.5f},
                                      ThreatModel{Norm::l1, 1.5f}, ThreatModel{Norm::linf, 0});
  Keeping alone(false), keeping(true);
  alone.flat = keeping.flat = {problem.x(7, 0), problem.x(8, 0)};
  for (const char* spec :
       {"fgsm", "fgsm(loss=margin)", "pgd-5", "pgd-3(start=x,step=0.01)", "pgd-4(restarts=3,loss=margin)"}) {
    CAPTURE(spec, to_string(threat.norm), threat.eps);
    Matrix<float> expected(kN, kD), found(kN, kD);
    const AttackResult there = make_attack(spec)->perturb(alone, problem.batch(), threat, 9, expected);
    const int before = keeping.made;
    const AttackResult here = make_attack(spec)->perturb(keeping, problem.batch(), threat, 9, found);
    CHECK(keeping.made > before);
    NTKROB_CHECK_SAME(kit::compare(found.view(), expected.view(), 0));
    CHECK(here.robust == there.robust);
    CHECK(here.margin == there.margin);
    CHECK(here.queries == there.queries);
    CHECK(here.zero_gradients == there.zero_gradients);
  }
  Matrix<float> expected(kN, kD), found(kN, kD);
  pgd(alone, problem.batch(), threat, 4, 0, "ce", 1, Rng(2, "test"), expected);
  pgd(keeping, problem.batch(), threat, 4, 0, "ce", 1, Rng(2, "test"), found);
  NTKROB_CHECK_SAME(kit::compare(found.view(), expected.view(), 0));
}

TEST_CASE("gradients of zeros at kept points are counted, and one that is not finite names the sample", "[attack]") {
  const Problem problem;
  Keeping model(true);
  model.flat = {problem.x(7, 0), problem.x(20, 0)};
  Matrix<float> z(kN, kD);
  const auto fgsm = make_attack("fgsm");
  CHECK(fgsm->perturb(model, problem.batch(), {Norm::linf, 0.1f}, 1, z).zero_gradients == 2);

  model.broken = {70, 41};
  const auto message = Catch::Contains("input gradient of sample 1041");
  for (const char* spec : {"fgsm", "pgd-2"})
    CHECK_THROWS_WITH(make_attack(spec)->perturb(model, problem.batch(), {Norm::l2, 0.1f}, 1, z), message);
  CHECK_THROWS_WITH(pgd(model, problem.batch(), {Norm::linf, 0.1f}, 2, 0, "ce", 1, Rng(2, "test"), z), message);
}
