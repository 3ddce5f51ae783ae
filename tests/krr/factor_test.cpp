/// Factor and solves on every backend of this machine but the reference, and the float32 factor with its refinement.
#include <cmath>
#include <cstdio>
#include <limits>

#include "backend/each_backend.hpp"
#include "kit/check.hpp"
#include "krr/random_matrix.hpp"
#include "krr/refinement.hpp"
#include "krr/solve.hpp"
#include "ntkrob/base/random.hpp"
#include "ntkrob/krr/machine.hpp"
#include "ntkrob/runtime/runtime.hpp"

namespace ntkrob {
namespace {

constexpr index kN = 250, kD = 12, kC = 3, kB = 40;

/// Distinct images, or with some that nearly repeat others.
template <class R>
Matrix<R> images(bool duplicates) {
  Matrix<R> s = random_matrix<R>(kN, kD, "support");
  const Matrix<R> noise = random_matrix<R>(kN, kD, "noise", -1e-4, 1e-4);
  for (index i = 0; duplicates && i < kN / 8; ++i)
    for (index j = 0; j < kD; ++j) s(kN - 1 - i, j) = s(i, j) + noise(i, j);
  return s;
}

template <class R>
double largest(const Matrix<R>& a) {
  double result = 0;
  for (index i = 0; i < a.size(); ++i) result = std::max(result, std::abs(static_cast<double>(a.data()[i])));
  return result;
}

struct Fitted {
  FitReport report;
  Matrix<double> alpha, logits, dsupport, dlabels;
  double unit;  // roundoff of the coefficients
};

template <class R>
Fitted fit(Backend& backend, const Matrix<R>& s, double ridge, Factor factor, const LogSink& log = {}) {
  const BasicKernelMachine<R> machine(Kernel(KernelSpec::parse("fc:2"), backend), {1, 1, kD}, s.view(),
                                      random_matrix<R>(kN, kC, "labels", -1, 1).view(), {ridge}, log, factor);
  const Matrix<R> x = random_matrix<R>(kB, kD, "batch"), g = random_matrix<R>(kB, kC, "cotangent", -1, 1);
  const Matrix<float> x32 = random_matrix<float>(kB, kD, "batch");
  Matrix<R> ds(kN, kD), dy(kN, kC);
  Matrix<float> f(kB, kC);
  Fitted result{{},
                Matrix<double>(kN, kC),
                Matrix<double>(kB, kC),
                Matrix<double>(kN, kD),
                Matrix<double>(kN, kC),
                std::numeric_limits<R>::epsilon() / 2};
  machine.logits(x32.view(), f.view());
  machine.support_grad(x.view(), g.view(), ds.view(), dy.view());
  convert(machine.coefficients(), result.alpha.view());
  convert(f.view(), result.logits.view());
  convert(ds.view(), result.dsupport.view());
  convert(dy.view(), result.dlabels.view());
  result.report = machine.report();
  return result;
}

void check_close(const Fitted& a, const Fitted& b, double solves, double values) {
  NTKROB_CHECK_SAME(kit::compare(a.alpha.view(), b.alpha.view(), solves * largest(b.alpha)));
  NTKROB_CHECK_SAME(kit::compare(a.dlabels.view(), b.dlabels.view(), solves * largest(b.dlabels)));
  NTKROB_CHECK_SAME(kit::compare(a.dsupport.view(), b.dsupport.view(), values * largest(b.dsupport)));
  // Where images nearly repeat, large coefficients cancel in a logit: their roundings remain.
  double squares = 0;
  for (index i = 0; i < b.alpha.size(); ++i) squares += b.alpha.data()[i] * b.alpha.data()[i];
  const double rounding = 4 * b.unit * std::sqrt(squares) * b.report.trace_over_n;
  NTKROB_CHECK_SAME(
      kit::compare(a.logits.view(), b.logits.view(), std::max(values, 1e-6) * largest(b.logits) + rounding));
}

}  // namespace

TEST_CASE("a refined machine is that of the float64 factor, also where images nearly repeat", "[krr][factor]") {
  kit::for_each_backend([](Backend& backend) {
    for (const bool duplicates : {false, true})
      for (const double ridge : {1e-2, 1e-6, 1e-10}) {
        INFO("duplicates " << duplicates << ", ridge " << ridge);
        const Matrix<double> s = images<double>(duplicates);
        const Fitted wide = fit<double>(backend, s, ridge, Factor::float64),
                     refined = fit<double>(backend, s, ridge, Factor::refined);
        CHECK(wide.report.factor == Factor::float64);
        CHECK(wide.report.iterations == 0);
        REQUIRE(refined.report.factor == Factor::refined);
        CHECK(refined.report.refused.empty());
        CHECK(refined.report.lambda == wide.report.lambda);
        CHECK(refined.report.iterations >= 2);
        CHECK(refined.report.iterations <= 20);
        // Two solves differ by some rounding times the condition number, which is up to 1e8 with duplicates.
        check_close(refined, wide, duplicates ? 1e-9 : 1e-11, duplicates ? 1e-9 : 1e-11);
      }
    const Matrix<float> s = images<float>(true);
    const Fitted refined = fit<float>(backend, s, 1e-6, Factor::refined);
    CHECK(refined.report.factor == Factor::refined);
    check_close(refined, fit<float>(backend, s, 1e-6, Factor::float64), 1e-6, 1e-3);
  });
}

TEST_CASE("every backend fits, predicts and differentiates as the processor does", "[krr][factor]") {
  const auto cpu = make_backend("cpu", 2);
  kit::for_each_backend([&](Backend& backend) {
    for (const Factor factor : {Factor::float64, Factor::refined}) {
      const Matrix<double> s = images<double>(false);
      const Fitted here = fit<double>(backend, s, 1e-4, factor), there = fit<double>(*cpu, s, 1e-4, factor);
      check_close(here, there, 1e-10, 1e-10);
      CHECK(here.report.lambda == Approx(there.report.lambda).epsilon(1e-13));
      CHECK(here.report.condition == Approx(there.report.condition).epsilon(1e-3));
      CHECK(here.report.smallest_pivot == Approx(there.report.smallest_pivot).epsilon(1e-3));
      const Matrix<float> narrow = images<float>(false);
      check_close(fit<float>(backend, narrow, 1e-4, factor), fit<float>(*cpu, narrow, 1e-4, factor), 1e-3, 1e-3);
    }
  });
}

TEST_CASE("a machine of a network on images is the same on every backend", "[krr][factor]") {
  constexpr index kImages = 20;
  constexpr ImageShape kShape{3, 2, 2};
  const Matrix<double> s(images<double>(true).view().middle_rows(kN - kImages, kImages)),
      y(random_matrix<double>(kN, kC, "labels", -1, 1).view().middle_rows(0, kImages)),
      x = random_matrix<double>(7, kD, "batch"), g = random_matrix<double>(7, kC, "cotangent", -1, 1);
  const auto support_grad = [&](Backend& backend, Factor factor) {
    const Kernel kernel(KernelSpec::parse("cnn:2"), backend, KernelOptions{Output::ntk, 0, kShape});
    const BasicKernelMachine<double> machine(kernel, kShape, s.view(), y.view(), {1e-4}, {}, factor);
    Matrix<double> ds(kImages, kD);
    machine.support_grad(x.view(), g.view(), ds.view(), {});
    return ds;
  };
  const auto cpu = make_backend("cpu", 2);
  const Matrix<double> expected = support_grad(*cpu, Factor::float64);
  kit::for_each_backend([&](Backend& backend) {
    for (const Factor factor : {Factor::float64, Factor::refined})
      NTKROB_CHECK_SAME(kit::compare(support_grad(backend, factor).view(), expected.view(), 1e-9 * largest(expected)));
  });
}

TEST_CASE("where refinement fails the float64 factor takes over with its ridge, and one line says so",
          "[krr][factor]") {
  kit::for_each_backend([](Backend& backend) {
    Matrix<double> s = images<double>(false);
    for (index i = 1; i < kN; ++i)
      for (index j = 0; j < kD; ++j) s(i, j) = s(0, j);
    std::vector<std::string> lines;
    const LogSink log = [&](LogLevel level, const std::string& line) {
      if (level == LogLevel::warning) lines.push_back(line);
    };
    const Fitted wide = fit<double>(backend, s, 0, Factor::float64),
                 refined = fit<double>(backend, s, 0, Factor::refined, log);
    CHECK(wide.report.escalations > 0);
    CHECK(refined.report.factor == Factor::float64);
    CHECK(!refined.report.refused.empty());
    CHECK(refined.report.escalations == wide.report.escalations);
    CHECK(refined.report.lambda == wide.report.lambda);
    NTKROB_CHECK_SAME(kit::compare(refined.alpha.view(), wide.alpha.view(), 0));
    NTKROB_CHECK_SAME(kit::compare(refined.dsupport.view(), wide.dsupport.view(), 0));
    REQUIRE(lines.size() == 2);
    CHECK(lines[0].find("factored in float64") != std::string::npos);
    CHECK(lines[1].find("raised to") != std::string::npos);
  });
}

TEST_CASE("a later solve that does not converge leaves the ridge and the matrix as they are", "[krr][factor]") {
  kit::for_each_backend([](Backend& backend) {
    Matrix<double> s = images<double>(false);  // with equal labels, equal images have a solution without ridge
    for (index i = 1; i < kN; ++i)
      for (index j = 0; j < kD; ++j) s(i, j) = s(0, j);
    const Kernel kernel(KernelSpec::parse("fc:2"), backend);
    PreparedSet<double> prepared;
    kernel.prepare(ConstView2D<double>(s.view()), prepared);
    krr::GramSolver<double> solver(true);
    Matrix<double> equal(kN, 1), alpha(kN, 1), other = random_matrix<double>(kN, 1, "side");
    for (index i = 0; i < kN; ++i) equal(i, 0) = alpha(i, 0) = 1;
    solver.fit(kernel, prepared, {0}, Factor::refined, {}, alpha.view());
    if (solver.report().factor != Factor::refined) {  // rounding decides whether the singular matrix allows it
      CHECK(!solver.report().refused.empty());
      return;
    }

    // And whether it has a float64 factor.
    const Matrix<double> before = other;
    try {
      solver.solve(kernel, other.view());
      CHECK(solver.report().factor == Factor::float64);
      CHECK(!solver.report().refused.empty());
    } catch (const NotPositiveDefinite&) {
      NTKROB_CHECK_SAME(kit::compare(other.view(), before.view(), 0));
      solver.solve(kernel, equal.view());
      CHECK(solver.report().factor == Factor::refined);
      NTKROB_CHECK_SAME(kit::compare(equal.view(), alpha.view(), 1e-12));
    }
    CHECK(solver.report().lambda == 0);
    CHECK(solver.report().escalations == 0);
  });
}

TEST_CASE("what cannot be factored is named on every backend, and nothing that is not finite passes", "[krr][factor]") {
  kit::for_each_backend([](Backend& backend) {
    const Matrix<double> y = random_matrix<double>(kN, kC, "labels");
    Matrix<double> s = images<double>(false);
    for (index i = 1; i < kN; ++i)
      for (index j = 0; j < kD; ++j) s(i, j) = s(0, j);
    for (const Factor factor : {Factor::float64, Factor::refined}) {
      Ridge none;
      none.value = none.escalation_limit = 0;
      const auto machine = [&](const Matrix<double>& images, const Ridge& ridge) {
        BasicKernelMachine<double>(Kernel(KernelSpec::parse("fc:2"), backend), {1, 1, kD}, images.view(), y.view(),
                                   ridge, {}, factor);
      };
      CHECK_THROWS_WITH(machine(s, none), Catch::Contains("n = 250") && Catch::Contains("pivot") &&
                                              Catch::Contains("ridge 0 ") && Catch::Contains("raise ridge"));
      Matrix<double> bad = images<double>(false);
      bad(7, 3) = std::nan("");
      CHECK_THROWS_AS(machine(bad, {}), NonFinite);
    }
    Array<double> a(backend.arrays(), 5, 5);
    Matrix<double> host(5, 5);
    for (index i = 0; i < 5; ++i) host(i, i) = 1;
    host(3, 1) = std::nan("");
    backend.arrays().copy(ConstView2D<double>(host.view()), a.view());
    CHECK(backend.factor_spd(a.view()) == 3);
  });
}

TEST_CASE("solves of many columns in arrays and in host memory have the same bits", "[krr][factor]") {
  kit::for_each_backend([](Backend& backend) {
    Arrays& arrays = backend.arrays();
    const index n = 70, r = 90;
    Matrix<double> gram = random_matrix<double>(n, n, "gram", -1, 1), a(n, n), b = random_matrix<double>(n, r, "sides"),
                   found(n, r);
    backend.gemm(Transpose::no, Transpose::yes, 1.0, gram.view(), gram.view(), 0.0, a.view());
    for (index i = 0; i < n; ++i) a(i, i) += 1;
    Array<double> there(arrays, n, n), sides(arrays, n, r);
    arrays.copy(ConstView2D<double>(a.view()), there.view());
    arrays.copy(ConstView2D<double>(b.view()), sides.view());
    CHECK(backend.factor_spd(a.view()) == -1);
    CHECK(backend.factor_spd(there.view()) == -1);
    backend.solve_spd(a.view(), b.view());
    backend.solve_spd(there.view(), sides.view());
    arrays.copy(ConstView2D<double>(sides.view()), found.view());
    NTKROB_CHECK_SAME(kit::compare(found.view(), b.view(), 0));
  });
}

TEST_CASE("memory is refused before it is taken, with the float32 factor counted", "[krr][factor]") {
  kit::for_each_backend([](Backend& backend) {
    const Matrix<double> s = images<double>(false), y = random_matrix<double>(kN, kC, "labels");
    const Kernel kernel(KernelSpec::parse("fc:2"), backend, KernelOptions{Output::ntk, 600000});
    CHECK_THROWS_WITH(BasicKernelMachine<double>(kernel, {1, 1, kD}, s.view(), y.view(), {}, {}, Factor::refined),
                      Catch::Contains("750000 bytes with its float32 factor") && Catch::Contains("factor=float64"));
    CHECK(machine_bytes<double>(kernel, kN, Factor::float64) == 16 * kN * kN);
    CHECK(machine_bytes<float>(kernel, kN, Factor::refined) == 16 * kN * kN);
  });
}

}  // namespace ntkrob
