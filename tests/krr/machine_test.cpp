#include "ntkrob/krr/machine.hpp"

#include <cstring>

#include "kit/check.hpp"
#include "krr/random_matrix.hpp"
#include "ntkrob/base/random.hpp"
#include "ntkrob/model/loss.hpp"
#include "ntkrob/runtime/runtime.hpp"

namespace ntkrob {
namespace {

constexpr index kN = 7, kD = 5, kC = 3, kB = 6;

Backend& backend() {
  static const std::unique_ptr<Backend> instance = make_backend("cpu", 2);
  return *instance;
}

Kernel make_kernel(const std::string& spec, std::size_t budget = 0) {
  return Kernel(KernelSpec::parse(spec), backend(), KernelOptions{Output::ntk, budget});
}

using Machine64 = BasicKernelMachine<double>;

Machine64 make_machine(const std::string& spec, ConstView2D<double> s, ConstView2D<double> y, Ridge ridge,
                       Factor factor = Factor::float64) {
  return Machine64(make_kernel(spec), ImageShape{1, 1, s.cols}, s, y, ridge, {}, factor);
}

Matrix<double> outputs(const Machine64& machine, ConstView2D<double> x) {
  Matrix<double> f(x.rows, machine.classes());
  machine.kernel().apply(x, machine.support(), Pairing::cross, machine.coefficients(), f.view());
  return f;
}

struct Outer {
  std::string loss;
  std::vector<int> labels{0, 1, 2, 1, 0, 2};
  /// Sum over the batch of the loss, in float64; g (if given) = its derivative.
  double value(ConstView2D<double> f, View2D<double> g) const {
    double total = 0;
    for (index i = 0; i < f.rows; ++i) {
      const index y = labels[static_cast<std::size_t>(i)];
      double normaliser = 0;
      for (index j = 0; j < f.cols; ++j) normaliser += std::exp(f(i, j));
      if (loss == "ce") total += std::log(normaliser) - f(i, y);
      for (index j = 0; j < f.cols; ++j) {
        const double target = j == y ? 1 : 0, residual = f(i, j) - target + 1.0 / 3;
        if (loss == "mse") total += 0.5 * residual * residual;
        if (!g.empty()) g(i, j) = loss == "mse" ? residual : std::exp(f(i, j)) / normaliser - target;
      }
    }
    return total;
  }
};

}  // namespace

TEST_CASE("support and label gradients equal central differences for every spec, ridge, factor and loss",
          "[krr][grad]") {
  const auto spec = GENERATE(as<std::string>{}, "fc:1(b=0)", "fc:1(b=0.1)", "fc:3(b=0)", "fc:3(b=0.1)");
  const auto relative = GENERATE(true, false);
  const auto factor = GENERATE(Factor::float64, Factor::refined);
  const Outer outer{GENERATE(as<std::string>{}, "mse", "ce")};
  CAPTURE(spec, relative, outer.loss);
  const Matrix<double> s = random_matrix(kN, kD, "support"), y = random_matrix(kN, kC, "labels", -1, 1),
                       x = random_matrix(kB, kD, "batch");
  Ridge ridge;
  ridge.value = relative ? 1e-2 : 0.05;  // large enough for its own derivative to show in the comparison
  ridge.relative = relative;
  ridge.escalation_limit = 0.1;

  const Machine64 machine = make_machine(spec, s, y, ridge, factor);
  REQUIRE(machine.report().factor == factor);
  Matrix<double> g(kB, kC), ds(kN, kD), dy(kN, kC);
  outer.value(outputs(machine, x).view(), g.view());
  machine.support_grad(x, g.view(), ds.view(), dy.view());

  const auto of_support = [&](ConstView2D<double> moved) {
    return outer.value(outputs(make_machine(spec, moved, y, ridge, factor), x).view(), {});
  };
  const auto of_labels = [&](ConstView2D<double> moved) {
    return outer.value(outputs(make_machine(spec, s, moved, ridge, factor), x).view(), {});
  };
  NTKROB_CHECK_SAME(kit::check_gradient(of_support, ds.view(), s.view(), 1e-9));
  NTKROB_CHECK_SAME(kit::check_gradient(of_labels, dy.view(), y.view(), 1e-9));
}

TEST_CASE("the trace term of a relative ridge is part of the support gradient", "[krr][grad]") {
  const Matrix<double> s = random_matrix(kN, kD, "support"), y = random_matrix(kN, kC, "labels", -1, 1),
                       x = random_matrix(kB, kD, "batch"), g = random_matrix(kB, kC, "cotangent", -1, 1);
  Ridge relative;
  relative.value = 1e-2;
  const Machine64 with = make_machine("fc:3", s, y, relative);
  Ridge absolute;
  absolute.value = with.report().lambda;
  absolute.relative = false;
  const Machine64 without = make_machine("fc:3", s, y, absolute);
  Matrix<double> ds_with(kN, kD), ds_without(kN, kD);

  with.support_grad(x, g, ds_with, {});
  without.support_grad(x, g, ds_without, {});

  NTKROB_CHECK_SAME(kit::compare(with.coefficients(), without.coefficients(), 0));
  CHECK(kit::compare(ds_with.view(), ds_without.view(), 0).worst > 1e-4);
}

TEST_CASE("support gradients stay finite where batch and support coincide", "[krr]") {
  const Matrix<double> s = random_matrix(kN, kD, "support"), y = random_matrix(kN, kC, "labels", -1, 1),
                       g = random_matrix(kN, kC, "cotangent");
  const Machine64 machine = make_machine("fc:3", s, y, {});
  Matrix<double> ds(kN, kD);

  machine.support_grad(s, g, ds, {});

  double sum = 0;
  for (index i = 0; i < ds.size(); ++i) sum += std::abs(ds.data()[i]);
  CHECK(std::isfinite(sum));
  CHECK(sum > 0);
}

TEST_CASE("the mixed support gradient is close to the float64 one", "[krr]") {
  const Matrix<float> s = random_matrix<float>(40, 20, "support"), y = random_matrix<float>(40, kC, "labels", -1, 1),
                      x = random_matrix<float>(30, 20, "batch"), g = random_matrix<float>(30, kC, "cotangent", -1, 1);
  Matrix<double> s64(40, 20), y64(40, kC), x64(30, 20), g64(30, kC), ds64(40, 20), dy64(40, kC);
  convert(s.view(), s64.view());
  convert(y.view(), y64.view());
  convert(x.view(), x64.view());
  convert(g.view(), g64.view());
  Matrix<float> ds(40, 20), dy(40, kC);

  KernelMachine(make_kernel("fc:3"), {1, 1, 20}, s, y, {1e-4}).support_grad(x, g, ds, dy);
  make_machine("fc:3", s64, y64, {1e-4}).support_grad(x64, g64, ds64, dy64);

  double scale = 0;
  for (index i = 0; i < ds64.size(); ++i) scale = std::max(scale, std::abs(ds64.data()[i]));
  NTKROB_CHECK_SAME(kit::compare(ds.view(), ds64.view(), 1e-4 * scale));
  NTKROB_CHECK_SAME(kit::compare(dy.view(), dy64.view(), 1e-4));
}

TEST_CASE("with a tiny ridge the machine reproduces its labels", "[krr]") {
  const Matrix<double> s = random_matrix(kN, kD, "support"), y = random_matrix(kN, kC, "labels", -1, 1);
  const Machine64 machine = make_machine("fc:3", s, y, {1e-12});
  Matrix<double> f(kN, kC);

  machine.kernel().apply(s, s, Pairing::same, machine.coefficients(), f);

  NTKROB_CHECK_SAME(kit::compare(f.view(), y.view(), 1e-8));
  CHECK(machine.report().escalations == 0);
  CHECK(machine.report().lambda == Approx(1e-12 * machine.report().trace_over_n));
  CHECK(machine.report().condition >= 1);
  CHECK(machine.report().smallest_pivot > 0);
}

TEST_CASE("input gradients of both precisions equal central differences of the logits", "[krr][grad]") {
  const Matrix<double> s = random_matrix(kN, kD, "support"), y = random_matrix(kN, kC, "labels", -1, 1),
                       x = random_matrix(kB, kD, "batch"), g = random_matrix(kB, kC, "cotangent", -1, 1);
  Matrix<float> s32(kN, kD), y32(kN, kC), x32(kB, kD), g32(kB, kC), dx(kB, kD), dx32(kB, kD);
  convert(s.view(), s32.view());
  convert(y.view(), y32.view());
  convert(x.view(), x32.view());
  convert(g.view(), g32.view());
  const Machine64 machine = make_machine("fc:3", s, y, {1e-3});
  const KernelMachine machine32(make_kernel("fc:3"), {1, 1, kD}, s32, y32, {1e-3});

  machine.input_grad(x32, g32, dx);
  machine32.input_grad(x32, g32, dx32);

  const auto value = [&](ConstView2D<double> at) {
    const Matrix<double> f = outputs(machine, at);
    double total = 0;
    for (index i = 0; i < f.size(); ++i) total += f.data()[i] * g.data()[i];
    return total;
  };
  Matrix<double> dx64(kB, kD), from32(kB, kD);
  convert(dx.view(), dx64.view());
  convert(dx32.view(), from32.view());
  NTKROB_CHECK_SAME(kit::check_gradient(value, dx64.view(), x.view(), 1e-6));
  NTKROB_CHECK_SAME(kit::check_gradient(value, from32.view(), x.view(), 1e-4));
}

TEMPLATE_TEST_CASE("the fused pass gives the bits of logits and the derivative of input_grad", "[krr]", float, double) {
  const Matrix<TestType> s = random_matrix<TestType>(50, 12, "support"),
                         y = random_matrix<TestType>(50, kC, "labels", -1, 1);
  const Matrix<float> x = random_matrix<float>(33, 12, "batch");
  const BasicKernelMachine<TestType> machine(make_kernel("fc:2"), {3, 2, 2}, s, y, {1e-4});
  std::vector<int> labels;
  for (int i = 0; i < 33; ++i) labels.push_back(i % 3);
  const auto loss = make_loss("ce");
  const auto slope = [&](index first, ConstView2D<float> f, View2D<float> g) {
    std::vector<double> ignored(static_cast<std::size_t>(f.rows));
    loss->evaluate(f, labels.data() + first, {}, ignored.data(), g);
  };
  Matrix<float> out(33, kC), fused_out(33, kC), g(33, kC), dx(33, 12), fused_dx(33, 12);

  machine.logits(x, out);
  slope(0, out, g);
  machine.input_grad(x, g, dx);
  machine.logits_and_grad(x, slope, fused_out, fused_dx);

  CHECK(std::memcmp(out.data(), fused_out.data(), sizeof(float) * 33 * kC) == 0);
  NTKROB_CHECK_SAME(kit::compare(dx.view(), fused_dx.view(), 1e-5));
}

TEST_CASE("a failed factorisation raises the ridge, warns, and keeps the right solution", "[krr]") {
  // All images equal: every pivot after the first is 0 up to rounding, and after at most one lucky one it is not
  // positive.
  Matrix<double> s = random_matrix(kN, kD, "support");
  for (index i = 1; i < kN; ++i)
    for (index j = 0; j < kD; ++j) s(i, j) = s(0, j);
  const Matrix<double> y = random_matrix(kN, kC, "labels", -1, 1);
  std::vector<std::string> warnings;
  const LogSink log = [&](LogLevel level, const std::string& line) {
    if (level == LogLevel::warning) warnings.push_back(line);
  };
  Ridge ridge;
  ridge.value = 0;

  const Machine64 machine(make_kernel("fc:3"), {1, 1, kD}, s, y, ridge, log);

  CHECK(machine.report().escalations > 0);
  CHECK(machine.report().lambda > 0);
  CHECK(machine.report().lambda <= ridge.escalation_limit * machine.report().trace_over_n);
  REQUIRE(warnings.size() == 1);
  CHECK(warnings[0].find("not positive definite") != std::string::npos);
  // (K + lambda I) alpha = y must hold for the original K, not for the remains of the failed attempt.
  Matrix<double> k(kN, kN), back(kN, kC);
  machine.kernel().matrix(s, s, Pairing::same, k);
  for (index i = 0; i < kN; ++i) k(i, i) += machine.report().lambda;
  backend().gemm(Transpose::no, Transpose::no, 1.0, k, machine.coefficients(), 0.0, back);
  double scale = 0;
  for (index i = 0; i < machine.coefficients().rows; ++i)
    for (index j = 0; j < kC; ++j) scale = std::max(scale, std::abs(machine.coefficients()(i, j)));
  NTKROB_CHECK_SAME(kit::compare(back.view(), y.view(), 1e-14 * scale * machine.report().trace_over_n * kN));
}

TEST_CASE("where escalation is not allowed the error names size, pivot, ridge and remedy", "[krr]") {
  Matrix<double> s(kN, kD);
  for (index i = 0; i < kN; ++i)
    for (index j = 0; j < kD; ++j) s(i, j) = 0.1 * static_cast<double>(j + 1);
  const Matrix<double> y = random_matrix(kN, kC, "labels", -1, 1);
  Ridge ridge;
  ridge.value = 0;
  ridge.escalation_limit = 0;

  CHECK_THROWS_MATCHES(make_machine("fc:3", s, y, ridge), NotPositiveDefinite,
                       Catch::Predicate<NotPositiveDefinite>([](const NotPositiveDefinite& e) {
                         const std::string what = e.what();
                         return what.find("n = 7") != std::string::npos && what.find("pivot") != std::string::npos &&
                                what.find("ridge 0 ") != std::string::npos &&
                                what.find("raise ridge") != std::string::npos;
                       }));
}

TEST_CASE("a Gram matrix beyond the budget is refused with its bytes", "[krr]") {
  const Matrix<double> s = random_matrix(kN, kD, "support"), y = random_matrix(kN, kC, "labels");
  CHECK_THROWS_WITH(Machine64(make_kernel("fc:3", 100), {1, 1, kD}, s, y), Catch::Contains("392 bytes"));
  CHECK_THROWS_AS(Machine64(make_kernel("fc:3", 100), {1, 1, kD}, s, y), ResourceError);
}

TEST_CASE("wrong shapes, NaN and negative ridges are refused", "[krr]") {
  Matrix<double> s = random_matrix(kN, kD, "support"), y = random_matrix(kN, kC, "labels");
  CHECK_THROWS_AS(Machine64(make_kernel("fc:3"), {1, 2, kD}, s, y), ShapeError);
  CHECK_THROWS_AS(make_machine("fc:3", s, y.view().middle_rows(0, 3), {}), ShapeError);
  CHECK_THROWS_AS(make_machine("fc:3", s, y, {-1}), ConfigError);
  Matrix<float> x(2, kD + 1), out(2, kC);
  CHECK_THROWS_AS(make_machine("fc:3", s, y, {}).logits(x, out), ShapeError);
  Matrix<double> bad = s;
  bad(2, 3) = std::nan("");
  CHECK_THROWS_AS(make_machine("fc:3", bad, y, {}), NonFinite);
  y(1, 1) = std::nan("");
  CHECK_THROWS_WITH(make_machine("fc:3", s, y, {}), Catch::Contains("label (1,1)"));
}

TEST_CASE("a refitted machine has the bits of a new one, and none after a failed refit", "[krr]") {
  const Matrix<double> s = random_matrix(kN, kD, "first"), t = random_matrix(kN, kD, "second"),
                       more = random_matrix(kN + 4, kD, "third");
  const Matrix<double> y = random_matrix(kN, kC, "labels"), more_y = random_matrix(kN + 4, kC, "more labels");
  const Matrix<float> x = random_matrix<float>(kB, kD, "inputs");
  Matrix<float> f(kB, kC), expected(kB, kC);
  Machine64 machine(make_kernel("fc:2"), {1, 1, kD}, s.view(), y.view());
  machine.refit(t.view(), y.view());
  machine.logits(x.view(), f.view());
  Machine64(make_kernel("fc:2"), {1, 1, kD}, t.view(), y.view()).logits(x.view(), expected.view());
  NTKROB_CHECK_SAME(kit::compare(f.view(), expected.view(), 0));

  machine.refit(more.view(), more_y.view());
  machine.logits(x.view(), f.view());
  Machine64(make_kernel("fc:2"), {1, 1, kD}, more.view(), more_y.view()).logits(x.view(), expected.view());
  NTKROB_CHECK_SAME(kit::compare(f.view(), expected.view(), 0));

  Matrix<double> bad = s;
  bad(2, 3) = std::nan("");
  CHECK_THROWS_AS(machine.refit(bad.view(), y.view()), NonFinite);
  CHECK_THROWS_WITH(machine.logits(x.view(), f.view()), Catch::Contains("refit"));
  machine.refit(more.view(), more_y.view());
  machine.logits(x.view(), f.view());
  NTKROB_CHECK_SAME(kit::compare(f.view(), expected.view(), 0));
}

}  // namespace ntkrob
