#include "ntkrob/krr/rough_machine.hpp"

#include <cmath>

#include "kit/check.hpp"
#include "ntkrob/base/random.hpp"
#include "ntkrob/runtime/runtime.hpp"

namespace ntkrob {
namespace {

constexpr index kN = 40, kD = 64, kC = 3, kB = 30;

Matrix<float> uniform(index rows, index cols, const char* stream, double low = 0, double high = 1) {
  const Rng rng(12, stream);
  Matrix<float> a(rows, cols);
  for (index i = 0; i < a.size(); ++i)
    a.data()[i] = static_cast<float>(rng.uniform(static_cast<std::uint64_t>(i), low, high));
  return a;
}

double cosine(const Matrix<float>& a, const Matrix<float>& b) {
  double aa = 0, bb = 0, ab = 0;
  for (index i = 0; i < a.size(); ++i) {
    const double x = a.data()[i], y = b.data()[i];
    aa += x * x, bb += y * y, ab += x * y;
  }
  return ab / std::sqrt(aa * bb);
}

}  // namespace

// The reference backend emulates the products, so this runs on every processor.
TEST_CASE("a rough machine ascends like its machine, also after a refit", "[krr]") {
  const auto backend = make_backend("reference");
  const Matrix<float> s = uniform(kN, kD, "support"), other = uniform(kN, kD, "other"),
                      y = uniform(kN, kC, "labels", -1, 1), x = uniform(kB, kD, "x"),
                      g = uniform(kB, kC, "cotangent", -1, 1);
  KernelMachine machine(Kernel(KernelSpec::parse("fc:2"), *backend), {1, 1, kD}, s.view(), y.view(), {1e-2, true});
  RoughMachine rough(machine);
  const auto check = [&] {
    Matrix<float> f(kB, kC), rough_f(kB, kC), d(kB, kD), rough_d(kB, kD), both_f(kB, kC), both_d(kB, kD);
    machine.logits(x.view(), f.view());
    rough.logits(x.view(), rough_f.view());
    machine.input_grad(x.view(), g.view(), d.view());
    rough.input_grad(x.view(), g.view(), rough_d.view());
    const auto given = [&](index first, ConstView2D<float>, View2D<float> target) {
      convert(g.view().middle_rows(first, target.rows), target);
    };
    rough.logits_and_grad(x.view(), given, both_f.view(), both_d.view());

    CHECK(cosine(f, rough_f) > 0.999);
    CHECK(cosine(d, rough_d) > 0.999);
    CHECK(cosine(d, rough_d) < 1 - 1e-9);  // it is the rounded product
    NTKROB_CHECK_SAME(kit::compare(both_f.view(), rough_f.view(), 0));
    NTKROB_CHECK_SAME(kit::compare(both_d.view(), rough_d.view(), 0));
  };
  check();
  machine.refit(other.view(), y.view());
  rough.refresh();
  check();
}

}  // namespace ntkrob
