#include "ntkrob/optim/optimizer.hpp"

#include <algorithm>
#include <cmath>

#include "kit/check.hpp"

using namespace ntkrob;

namespace {

template <class R>
Matrix<R> scalar(double value) {
  Matrix<R> m(1, 1);
  m(0, 0) = static_cast<R>(value);
  return m;
}

/// Gradient of 1/2 sum_j c_j (p_j - j)^2 with c = 1, 4, 9, ...
template <class R>
Matrix<R> quadratic_gradient(const Matrix<R>& p) {
  Matrix<R> g(p.rows(), p.cols());
  for (index j = 0; j < p.cols(); ++j) g(0, j) = static_cast<R>((j + 1) * (j + 1) * (p(0, j) - static_cast<double>(j)));
  return g;
}

}  // namespace

TEST_CASE("SGD follows the hand-computed momentum and weight decay steps", "[optim]") {
  Sgd<double> sgd({0.9, 0.1});
  Matrix<double> p = scalar<double>(2);

  // v = 1 + 0.1 * 2 = 1.2, p = 2 - 0.5 * 1.2 = 1.4
  sgd.step(p, scalar<double>(1), 0.5);
  CHECK(p(0, 0) == Approx(1.4).epsilon(1e-15));
  // v = 0.9 * 1.2 + (-1 + 0.14) = 0.22, p = 1.4 - 0.5 * 0.22 = 1.29
  sgd.step(p, scalar<double>(-1), 0.5);
  CHECK(p(0, 0) == Approx(1.29).epsilon(1e-15));
}

TEST_CASE("Adam follows the hand-computed bias-corrected steps", "[optim]") {
  Adam<double> adam;
  Matrix<double> p = scalar<double>(1);

  // m^ = g, v^ = g^2: the first step is lr g / (|g| + eps)
  adam.step(p, scalar<double>(0.5), 0.1);
  CHECK(p(0, 0) == Approx(1 - 0.1 * 0.5 / (0.5 + 1e-8)).epsilon(1e-14));
  // m = 0.9 * 0.05 - 0.1 = -0.055, m^ = -0.055 / 0.19; v = 0.999 * 0.00025 + 0.001 = 0.00124975, v^ = v / 0.001999
  const double before = p(0, 0);
  adam.step(p, scalar<double>(-1), 0.1);
  CHECK(p(0, 0) == Approx(before + 0.1 * (0.055 / 0.19) / (std::sqrt(0.00124975 / 0.001999) + 1e-8)).epsilon(1e-13));
}

TEMPLATE_TEST_CASE("SGD and Adam converge on a badly scaled quadratic", "[optim]", float, double) {
  Matrix<TestType> a(1, 5), b(1, 5), expected(1, 5);
  for (index j = 0; j < 5; ++j) expected(0, j) = static_cast<TestType>(j);
  Sgd<TestType> sgd({0.9, 0});
  Adam<TestType> adam;
  for (int t = 0; t < 600; ++t) {
    sgd.step(a, quadratic_gradient(a).view(), 0.02);
    adam.step(b, quadratic_gradient(b).view(), 0.1 * (1 - t / 600.0));
  }

  NTKROB_CHECK_SAME(kit::compare(a.view(), expected.view(), 1e-5));
  NTKROB_CHECK_SAME(kit::compare(b.view(), expected.view(), 1e-3));
}

namespace {

template <class Optimiser, class R>
void check_resume() {
  Matrix<R> straight(1, 7), resumed(1, 7);
  Optimiser one, first;
  for (int t = 0; t < 12; ++t) one.step(straight, quadratic_gradient(straight).view(), 0.03);
  for (int t = 0; t < 5; ++t) first.step(resumed, quadratic_gradient(resumed).view(), 0.03);
  StateDict state;
  first.save(state, "optim");
  Optimiser second;
  second.restore(state, "optim", 1, 7);
  for (int t = 5; t < 12; ++t) second.step(resumed, quadratic_gradient(resumed).view(), 0.03);

  NTKROB_CHECK_SAME(kit::compare(straight.view(), resumed.view(), 0));
  Optimiser other;
  CHECK_THROWS_AS(other.restore(state, "optim", 1, 8), IoError);
  CHECK_THROWS_AS(other.restore(state, "elsewhere", 1, 7), IoError);
}

template <class R>
struct MomentumSgd : Sgd<R> {
  MomentumSgd() : Sgd<R>({0.9, 0.01}) {}
};

}  // namespace

TEMPLATE_TEST_CASE("a restored optimiser continues bit-identically", "[optim]", float, double) {
  check_resume<Adam<TestType>, TestType>();
  check_resume<MomentumSgd<TestType>, TestType>();
}

TEMPLATE_TEST_CASE("an optimiser saved before its first step restores as new", "[optim]", float, double) {
  StateDict state;
  Adam<TestType>().save(state, "a");
  Sgd<TestType>().save(state, "s");
  Adam<TestType> adam;
  Sgd<TestType> sgd;
  Matrix<TestType> p = scalar<TestType>(1), q = scalar<TestType>(1);
  adam.step(p, p.view(), 0.1);
  adam.restore(state, "a", 1, 1);
  sgd.restore(state, "s", 1, 1);

  p = scalar<TestType>(1);
  adam.step(p, scalar<TestType>(1).view(), 0.1);
  sgd.step(q, scalar<TestType>(1).view(), 0.1);
  CHECK(p(0, 0) == Approx(0.9));
  CHECK(q(0, 0) == Approx(0.9));
}

TEMPLATE_TEST_CASE("an Adam step in parts has the bits of a whole one, in any order of the parts", "[optim]", float,
                   double) {
  const index rows = 11, cols = 7;
  Matrix<TestType> whole(rows, cols), parts(rows, cols), g(rows, cols);
  Adam<TestType> a, b;
  for (index t = 0; t < 4; ++t) {
    for (index k = 0; k < g.size(); ++k) g.data()[k] = static_cast<TestType>(std::sin(3.0 * k + 5.0 * t));
    a.step(whole, g.view(), 0.1);
    b.begin_step(rows, cols, 0.1);
    for (const index first : {8, 0, 4}) {
      const index n = std::min<index>(4, rows - first);
      b.step_rows(first, parts.view().middle_rows(first, n), g.view().middle_rows(first, n));
    }
    NTKROB_CHECK_SAME(kit::compare(parts.view(), whole.view(), 0));
  }
  CHECK(whole(10, 6) != 0);
}

TEST_CASE("an Adam step in parts refuses rows that it does not have", "[optim]") {
  Adam<float> adam;
  Matrix<float> p(4, 3);
  CHECK_THROWS_AS(adam.step_rows(0, p, p.view()), ShapeError);
  adam.begin_step(6, 3, 0.1);
  CHECK_THROWS_AS(adam.step_rows(3, p, p.view()), ShapeError);
  CHECK_THROWS_AS(adam.step_rows(-1, p, p.view()), ShapeError);
  CHECK_THROWS_AS(adam.begin_step(6, 4, 0.1), ShapeError);
}

TEST_CASE("optimisers refuse another shape than before", "[optim]") {
  Matrix<float> p(2, 3), g(2, 3), wrong(3, 2);
  Adam<float> adam;
  Sgd<float> sgd;
  CHECK_THROWS_AS(adam.step(p, wrong.view(), 0.1), ShapeError);
  adam.step(p, g.view(), 0.1);
  sgd.step(p, g.view(), 0.1);
  CHECK_THROWS_AS(adam.step(wrong, wrong.view(), 0.1), ShapeError);
  CHECK_THROWS_AS(sgd.step(wrong, wrong.view(), 0.1), ShapeError);
}

TEST_CASE("schedules have the documented factors", "[optim]") {
  const Schedule constant = Schedule::parse("constant"), cosine = Schedule::parse("cosine");
  for (index t = 0; t < 10; ++t) CHECK(constant.factor(t, 10) == 1);
  CHECK(cosine.factor(0, 10) == 1);
  CHECK(cosine.factor(5, 10) == Approx(0.5));
  CHECK(cosine.factor(9, 10) == Approx(0.5 * (1 + std::cos(0.9 * 3.14159265358979))));

  // 5 % of 100 steps: 0.2, 0.4, ... 1, then half a cosine over the other 95
  const Schedule cycle = Schedule::parse("one-cycle");
  for (index t = 0; t < 5; ++t) CHECK(cycle.factor(t, 100) == Approx(0.2 * static_cast<double>(t + 1)));
  CHECK(cycle.factor(5, 100) == 1);
  CHECK(cycle.factor(24, 100) == Approx(0.5 * (1 + std::cos(0.2 * 3.14159265358979))));
  CHECK(cycle.factor(99, 100) < 1e-3);
  CHECK(Schedule::parse("one-cycle(warmup=0.5)").factor(0, 4) == Approx(0.5));
  CHECK(Schedule::parse("one-cycle(0)").factor(0, 4) == 1);
  CHECK(cycle.factor(0, 1) == 1);

  const Schedule step = Schedule::parse("step(every=0.25,factor=1e-1)");
  const double expected[] = {1, 1, 0.1, 0.1, 0.01, 0.01, 0.001, 0.001};
  for (index t = 0; t < 8; ++t) CHECK(step.factor(t, 8) == Approx(expected[t]));
}

TEST_CASE("a wrong schedule is refused with the list of schedules", "[optim]") {
  for (const char* text : {"", "linear", "cosine(2)", "one-cycle(warmup=1)", "one-cycle(width=0.1)", "one_cycle",
                           "step(every=0)", "step(factor=2)", "step(0.1,0.1,0.1)", "cosine-cosine", "cosine:3"}) {
    INFO(text);
    CHECK_THROWS_AS(Schedule::parse(text), ConfigError);
  }
  CHECK_THROWS_WITH(Schedule::parse("linear"), Catch::Contains("one-cycle(warmup=0.05)"));
  CHECK_THROWS_AS(Schedule::parse("cosine").factor(10, 10), ConfigError);
}
