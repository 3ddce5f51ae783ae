#include "ntkrob/krr/iterative_machine.hpp"

#include <cstring>

#include "kit/check.hpp"
#include "kit/check_model.hpp"
#include "ntkrob/base/random.hpp"
#include "ntkrob/runtime/runtime.hpp"

namespace ntkrob {
namespace {

constexpr index kN = 300, kD = 12, kC = 3, kB = 9;
constexpr ImageShape kShape{3, 2, 2};

template <class R = double>
Matrix<R> uniform(index rows, index cols, const char* stream, double low = 0, double high = 1) {
  const Rng rng(13, stream);
  Matrix<R> a(rows, cols);
  for (index i = 0; i < a.size(); ++i)
    a.data()[i] = static_cast<R>(rng.uniform(static_cast<std::uint64_t>(i), low, high));
  return a;
}

Backend& backend() {
  static const std::unique_ptr<Backend> instance = make_backend("cpu", 2);
  return *instance;
}

Kernel make_kernel(const std::string& spec = "fc:2", std::size_t budget = 0) {
  return Kernel(KernelSpec::parse(spec), backend(), KernelOptions{Output::ntk, budget, kShape});
}

/// One-hot minus 1/C: the columns add up to 0, so the block of residuals is singular from the beginning.
template <class R = double>
Matrix<R> centred_labels(index n) {
  Matrix<R> y(n, kC);
  const Rng rng(14, "labels");
  for (index i = 0; i < n; ++i)
    for (index c = 0; c < kC; ++c)
      y(i, c) = static_cast<R>((rng.below(static_cast<std::uint64_t>(i), kC) == c ? 1.0 : 0.0) - 1.0 / kC);
  return y;
}

using Iterative64 = BasicIterativeMachine<double>;

SolveOptions options(index rank, double tolerance = 1e-6) {
  SolveOptions o;
  o.rank = rank;
  o.tolerance = tolerance;
  return o;
}

Ridge absolute(double value) {
  Ridge ridge;
  ridge.value = value;
  ridge.relative = false;
  return ridge;
}

double worst(const std::vector<double>& values) { return *std::max_element(values.begin(), values.end()); }

double largest(ConstView2D<double> a) {
  double value = 0;
  for (index i = 0; i < a.rows; ++i)
    for (index j = 0; j < a.cols; ++j) value = std::max(value, std::abs(a(i, j)));
  return value;
}

}  // namespace

TEST_CASE("conjugate gradients reach the direct solution to rounding in float64", "[krr]") {
  const auto spec = GENERATE(as<std::string>{}, "fc:2", "dense-erf-dense", "conv(3)-relu-flatten-dense");
  const Matrix<double> s = uniform(kN, kD, "support"), y = centred_labels(kN);
  const Iterative64 machine(make_kernel(spec), kShape, s, y, {1e-4}, options(40, 1e-11));
  const BasicKernelMachine<double> direct(make_kernel(spec), kShape, s, y, {1e-4});
  CAPTURE(spec, machine.report().iterations, machine.report().restarts);

  CHECK(machine.report().lambda == Approx(direct.report().lambda).epsilon(1e-12));
  CHECK(worst(machine.report().residual) <= 1e-11);
  NTKROB_CHECK_SAME(
      kit::compare(machine.coefficients(), direct.coefficients(), 1e-10 * largest(direct.coefficients())));
}

TEST_CASE("the mixed machine predicts as the direct one", "[krr]") {
  const Matrix<float> s = uniform<float>(kN, kD, "support"), y = centred_labels<float>(kN),
                      x = uniform<float>(kB, kD, "x");
  const IterativeMachine machine(make_kernel(), kShape, s, y, {1e-4}, options(40));
  const KernelMachine direct(make_kernel(), kShape, s, y, {1e-4});
  Matrix<float> f(kB, kC), expected(kB, kC);
  machine.logits(x, f);
  direct.logits(x, expected);

  // The stated bound holds for k(x,x) = trace / n; inputs here have up to 3 times that. Float32 sums add 1e-4.
  NTKROB_CHECK_SAME(kit::compare(f.view(), expected.view(), 2 * machine.report().prediction_bound + 1e-4));
  CHECK(machine.report().prediction_bound < 1e-2);
}

TEST_CASE("an iterative machine is a Model", "[krr]") {
  const Matrix<float> s = uniform<float>(60, kD, "support"), y = centred_labels<float>(60),
                      x = uniform<float>(kB, kD, "x");
  NTKROB_CHECK_MODEL(IterativeMachine(make_kernel(), kShape, s, y, {1e-3}, options(10)), x.view());
}

TEST_CASE("duplicates with contradicting labels do not stop the solve", "[krr]") {
  Matrix<double> s = uniform(kN, kD, "support");
  for (index i = 0; i < kN; i += 3) std::copy_n(s.row(0), kD, s.row(i));  // a third of the images are one image
  const Matrix<double> y = centred_labels(kN);
  const Iterative64 machine(make_kernel(), kShape, s, y, {1e-5}, options(250, 1e-8));

  CHECK(worst(machine.residuals(machine.solution())) <= 1e-8);
  CHECK(machine.report().rank <= 201);  // 200 distinct images and the one that is repeated
}

TEST_CASE("the residual in the report is that of the solution, and sees a changed solution", "[krr]") {
  const Matrix<double> s = uniform(kN, kD, "support"), y = centred_labels(kN);
  const Iterative64 machine(make_kernel(), kShape, s, y, {1e-3}, options(30));
  Matrix<double> k(kN, kN);
  machine.kernel().matrix(s, s, Pairing::same, k);
  for (index c = 0; c < kC; ++c) {
    double residual = 0, size = 0;
    for (index i = 0; i < kN; ++i) {
      double r = y(i, c) - machine.report().lambda * machine.solution()(i, c);
      for (index j = 0; j < kN; ++j) r -= k(i, j) * machine.solution()(j, c);
      residual += r * r;
      size += y(i, c) * y(i, c);
    }
    CHECK(machine.report().residual[static_cast<std::size_t>(c)] == Approx(std::sqrt(residual / size)).margin(1e-12));
  }

  Matrix<double> changed(machine.solution());
  changed(17, 1) *= 1 + 1e-4;
  const std::vector<double> of_changed = machine.residuals(changed);
  CHECK(of_changed[0] == machine.report().residual[0]);
  CHECK(of_changed[1] > 1e-5);
  CHECK(of_changed[1] > 10 * machine.report().residual[1]);
}

TEST_CASE("the stated bounds hold against the exact solution", "[krr]") {
  const Matrix<double> s = uniform(kN, kD, "support"), y = centred_labels(kN), x = uniform(50, kD, "x");
  const Iterative64 machine(make_kernel(), kShape, s, y, {1e-4}, options(20, 1e-2));
  const BasicKernelMachine<double> direct(make_kernel(), kShape, s, y, {1e-4});
  Matrix<double> f(50, kC), expected(50, kC);
  std::vector<double> kxx(50);
  machine.kernel().apply(x, s, Pairing::cross, machine.coefficients(), f);
  machine.kernel().apply(x, s, Pairing::cross, direct.coefficients(), expected);
  machine.kernel().diag(x, kxx.data());

  for (index c = 0; c < kC; ++c) {
    double error = 0;
    for (index i = 0; i < kN; ++i) error += std::pow(machine.coefficients()(i, c) - direct.coefficients()(i, c), 2);
    CHECK(std::sqrt(error) <= machine.report().coefficient_bound);
    CHECK(error > 0);
    for (index i = 0; i < 50; ++i)
      CHECK(std::abs(f(i, c) - expected(i, c)) <=
            machine.report().prediction_bound *
                std::sqrt(kxx[static_cast<std::size_t>(i)] / machine.report().trace_over_n));
  }
}

TEST_CASE("more columns in the preconditioner mean fewer iterations, and the spectrum is left less", "[krr]") {
  const Matrix<double> s = uniform(kN, kD, "support"), y = centred_labels(kN);
  index before = 1000;
  double left = 1;
  for (const index rank : {1, 30, 150}) {
    const Iterative64 machine(make_kernel(), kShape, s, y, {1e-4}, options(rank));
    CAPTURE(rank, machine.report().iterations, machine.report().left);
    CHECK(machine.report().rank == rank);
    CHECK(machine.report().iterations * 4 < before * 3);
    CHECK(machine.report().left < left);
    CHECK(machine.report().history.size() == static_cast<std::size_t>(machine.report().iterations));
    before = machine.report().iterations;
    left = machine.report().left;
  }
  const Iterative64 full(make_kernel(), kShape, s, y, {1e-4}, options(kN));
  CHECK(full.report().iterations <= 2);
}

TEST_CASE("the solution has the same bits for any number of workers, and follows the seed", "[krr]") {
  const Matrix<float> s = uniform<float>(kN, kD, "support"), y = centred_labels<float>(kN);
  const auto solve = [&](int workers, std::uint64_t seed) {
    const auto own = make_backend("cpu", workers);
    SolveOptions o = options(40);
    o.seed = seed;
    return Matrix<float>(
        IterativeMachine(Kernel(KernelSpec::parse("fc:2"), *own), kShape, s, y, {1e-4}, o).coefficients());
  };
  const Matrix<float> one = solve(1, 0), three = solve(3, 0), other = solve(1, 1);
  CHECK(std::memcmp(one.data(), three.data(), sizeof(float) * kN * kC) == 0);
  CHECK(std::memcmp(one.data(), other.data(), sizeof(float) * kN * kC) != 0);
}

TEST_CASE("a class without labels stays without coefficients", "[krr]") {
  const Matrix<double> s = uniform(40, kD, "support");
  Matrix<double> y(40, kC);
  for (index i = 0; i < 40; ++i) y(i, 1) = i % 2 == 0 ? 1 : -1;
  const Iterative64 machine(make_kernel(), kShape, s, y, {1e-3}, options(10, 1e-9));
  CHECK(machine.report().residual[0] == 0);
  CHECK(machine.report().residual[1] <= 1e-9);
  for (index i = 0; i < 40; ++i) CHECK(machine.coefficients()(i, 2) == 0);
}

TEST_CASE("a solve that does not get there says how far it got and what to do", "[krr]") {
  const Matrix<double> s = uniform(kN, kD, "support"), y = centred_labels(kN);
  SolveOptions few = options(1);
  few.max_iterations = 3;
  CHECK_THROWS_MATCHES(Iterative64(make_kernel(), kShape, s, y, {1e-4}, few), NumericalError,
                       Catch::Predicate<NumericalError>([](const NumericalError& e) {
                         const std::string what = e.what();
                         return what.find("after 3 iterations") != std::string::npos &&
                                what.find("300 support images") != std::string::npos &&
                                what.find("raise rank, ridge, iterations or tolerance") != std::string::npos;
                       }));
  // Below what float64 sums can tell apart: the check against the solution itself finds no progress.
  CHECK_THROWS_WITH(Iterative64(make_kernel(), kShape, s, y, {1e-4}, options(150, 1e-19)),
                    Catch::Contains("stays at") && Catch::Contains("raise tolerance"));
}

TEST_CASE("what cannot be solved is refused before it begins", "[krr]") {
  const Matrix<double> s = uniform(40, kD, "support"), y = centred_labels(40);
  const auto solve = [&](Ridge ridge, const SolveOptions& o) { Iterative64(make_kernel(), kShape, s, y, ridge, o); };
  CHECK_THROWS_WITH(solve({0}, options(5)), Catch::Contains("ridge is 0"));
  CHECK_THROWS_AS(solve({std::nan("")}, options(5)), ConfigError);
  CHECK_THROWS_AS(solve(absolute(-1), options(5)), ConfigError);
  CHECK_THROWS_WITH(solve({1e-3}, options(41)), Catch::Contains("rank is 41"));
  CHECK_THROWS_AS(solve({1e-3}, options(-1)), ConfigError);
  CHECK_THROWS_WITH(solve({1e-3}, options(5, 0)), Catch::Contains("tolerance is 0"));
  CHECK_THROWS_AS(solve({1e-3}, options(5, std::nan(""))), ConfigError);
  SolveOptions none = options(5);
  none.max_iterations = 0;
  CHECK_THROWS_AS(solve({1e-3}, none), ConfigError);
  Matrix<double> bad = s;
  bad(2, 3) = std::nan("");
  CHECK_THROWS_AS(Iterative64(make_kernel(), kShape, bad, y, {1e-3}, options(5)), NonFinite);
  bad = y;
  bad(2, 1) = std::numeric_limits<double>::infinity();
  CHECK_THROWS_WITH(Iterative64(make_kernel(), kShape, s, bad, {1e-3}, options(5)), Catch::Contains("label (2,1)"));
  CHECK_THROWS_AS(Iterative64(make_kernel(), kShape, s, y.view().middle_rows(0, 9), {1e-3}, options(5)), ShapeError);
  CHECK_THROWS_AS(Iterative64(make_kernel("fc:2(b=0)"), kShape, Matrix<double>(40, kD), y, {1e-3}, options(5)),
                  NotPositiveDefinite);
}

TEST_CASE("a plan keeps to the budget or refuses with the bytes needed", "[krr]") {
  const SolvePlan wanted = plan_solve<float>(make_kernel(), 30000, 10, options(0));
  CHECK(wanted.rank == 2000);
  CHECK(wanted.bytes < (std::size_t(1) << 30));
  const SolvePlan smaller = plan_solve<float>(make_kernel("fc:2", 300'000'000), 30000, 10, options(0));
  CHECK(smaller.bytes <= 300'000'000);
  CHECK(smaller.rank > 100);
  CHECK(smaller.rank < 2000);
  CHECK_THROWS_WITH(plan_solve<float>(make_kernel("fc:2", 300'000'000), 30000, 10, options(2000)),
                    Catch::Contains(std::to_string(wanted.bytes)) && Catch::Contains("lower rank"));
  CHECK_THROWS_AS(plan_solve<double>(make_kernel("fc:2", 1000), 30000, 10, options(0)), ResourceError);
}

TEST_CASE("progress tells the stages and may stop the solve", "[krr]") {
  const Matrix<double> s = uniform(kN, kD, "support"), y = centred_labels(kN);
  SolveOptions o = options(30);
  index calls = 0;
  double residual = 1;
  o.progress = [&](const SolveProgress& p) {
    CHECK(p.iterating == (++calls > 1));  // one block of pivots, then one band per iteration
    CHECK(p.residual <= residual * 10);
    residual = p.residual;
  };
  const Iterative64 machine(make_kernel(), kShape, s, y, {1e-4}, o);
  CHECK(calls == 2 + machine.report().iterations + machine.report().restarts);
  CHECK(residual <= 1e-6);
  o.progress = [](const SolveProgress& p) { NTKROB_CHECK(p.iteration < 2, Interrupted, "stop"); };
  CHECK_THROWS_AS(Iterative64(make_kernel(), kShape, s, y, {1e-4}, o), Interrupted);
}

}  // namespace ntkrob
