// Elementary functions over SIMD vectors against the C library in long double.
#define NTKROB_ISA vec_math_test
#include "backend_cpu/vec_math.hpp"

#include <limits>

#include "kit/check.hpp"

namespace {

using ntkrob::vec_math_test::Vec;

/// Largest error of f over geometrically spaced x of one sign, in units of the last place.
template <class R, class F, class G>
double worst_ulp(F&& f, G&& exact, double first, double last, int n = 20011) {
  using V = Vec<R>;
  double worst = 0;
  for (int k = 0; k < n; k += V::kLanes) {
    alignas(64) R x[V::kLanes], y[V::kLanes];
    for (int l = 0; l < V::kLanes; ++l)
      x[l] = static_cast<R>(first * std::pow(last / first, static_cast<double>(k + l) / (n + V::kLanes)));
    f(V::load(x)).store(y);
    for (int l = 0; l < V::kLanes; ++l) {
      const long double expected = exact(static_cast<long double>(x[l]));
      const double error = static_cast<double>(std::abs((static_cast<long double>(y[l]) - expected) / expected)) /
                           static_cast<double>(std::numeric_limits<R>::epsilon());
      if (!(error <= worst)) worst = error;
    }
  }
  return worst;
}

template <class R>
void check_functions(double limit) {
  using V = Vec<R>;
  const auto vec_expm1 = [](V x) { return expm1(x); };
  const auto vec_atan = [](V x) { return atan(x); };
  const auto exact_expm1 = [](long double x) { return std::expm1(x); };
  const auto exact_atan = [](long double x) { return std::atan(x); };
  CHECK(worst_ulp<R>(vec_expm1, exact_expm1, -1e-30, -100) <= limit);
  CHECK(worst_ulp<R>(vec_expm1, exact_expm1, 1e-30, sizeof(R) == 4 ? 87 : 700) <= limit);
  CHECK(worst_ulp<R>(vec_atan, exact_atan, 1e-18, 1e18) <= limit);
}

}  // namespace

TEST_CASE("expm1 and atan over vectors are within a few units in the last place", "[kernel]") {
  check_functions<float>(4);
  check_functions<double>(4);
}

TEST_CASE("reciprocal roots over vectors are within a few units in the last place, and 0 up to the limit", "[kernel]") {
  const auto exact = [](long double x) { return 1 / std::sqrt(x); };
  CHECK(worst_ulp<float>([](Vec<float> x) { return rsqrt_or_zero(x, Vec<float>(1e-30f)); }, exact, 2e-30, 1e30) <= 3);
  CHECK(worst_ulp<double>([](Vec<double> x) { return rsqrt_or_zero(x, Vec<double>(1e-30)); }, exact, 2e-30, 1e30) <= 3);
  for (const float x : {-1.0f, 0.0f, 1e-30f, std::nanf("")})
    CHECK(rsqrt_or_zero(Vec<float>(x), Vec<float>(1e-30f)).v[0] == 0);
}

TEST_CASE("expm1 and atan over vectors keep limits, zero and NaN", "[kernel]") {
  using V = Vec<double>;
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK(expm1(V(0)).v[0] == 0);
  CHECK(atan(V(0)).v[0] == 0);
  CHECK(expm1(V(-infinity)).v[0] == -1);
  CHECK(atan(V(infinity)).v[0] == Approx(1.5707963267948966).epsilon(1e-15));
  CHECK(std::isnan(expm1(V(std::nan(""))).v[0]));
  CHECK(std::isnan(atan(V(std::nan(""))).v[0]));
}
