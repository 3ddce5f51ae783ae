// The functions of real numbers against double, and the generator against base. Host only.
#include "micro/math.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "ntkrob/base/philox.hpp"
#include "ntkrob/micro/random.hpp"

namespace micro = ntkrob::micro;

namespace {

/// |value - expected| in units of the last place of expected.
double ulps(float value, double expected) {
  const float near = static_cast<float>(expected);
  const double unit = static_cast<double>(std::nextafter(std::abs(near), std::numeric_limits<float>::infinity())) -
                      static_cast<double>(std::abs(near));
  return std::abs(static_cast<double>(value) - expected) / unit;
}

}  // namespace

TEST_CASE("micro exp is within 2 ulp over its whole range", "[micro]") {
  double worst = 0;
  float at = 0;
  for (int k = -(87 << 12); k <= (88 << 12); ++k) {
    const float x = static_cast<float>(k) / 4096 + 1e-5f;
    const double error = ulps(micro::exp(x), std::exp(static_cast<double>(x)));
    if (!(error <= worst)) worst = error, at = x;
  }
  INFO("worst at " << at << ", bound 2");
  CHECK(worst <= 2);
  // Below the normal numbers the bound is absolute: one subnormal step.
  for (float x = -104; x < -87; x += 0.01f)
    CHECK(std::abs(static_cast<double>(micro::exp(x)) - std::exp(static_cast<double>(x))) <= 1.5e-45);
  CHECK(micro::exp(0) == 1);
  CHECK(micro::exp(-1e30f) == 0);
  CHECK(std::isinf(micro::exp(89)));
  CHECK(std::isnan(micro::exp(std::nanf(""))));
}

TEST_CASE("micro log is within 2 ulp, or 1e-7 near 1", "[micro]") {
  for (int e = -140; e <= 127; ++e)
    for (int k = 0; k < 997; ++k) {
      const float x = std::ldexp(1.0f + static_cast<float>(k) / 997, e);
      const double expected = std::log(static_cast<double>(x)), error = std::abs(micro::log(x) - expected);
      INFO("log(" << x << ") is " << micro::log(x) << ", expected " << expected);
      if (!(error <= 1e-7)) REQUIRE(ulps(micro::log(x), expected) <= 2);
    }
  CHECK(micro::log(1) == 0);
}

TEST_CASE("micro root is within 1 ulp", "[micro]") {
  for (int e = -120; e <= 127; ++e)
    for (int k = 0; k < 997; ++k) {
      const float x = std::ldexp(1.0f + static_cast<float>(k) / 997, e);
      INFO("root(" << x << ") is " << micro::root(x));
      REQUIRE(ulps(micro::root(x), std::sqrt(static_cast<double>(x))) <= 1);
    }
  CHECK(micro::root(0) == 0);
}

TEST_CASE("micro's generator is Philox4x32-10", "[micro]") {
  for (std::uint32_t i = 0; i < 50; ++i) {
    const std::uint64_t seed = 0x123456789ABCDEFu * (i + 1);
    const std::uint32_t expected =
        ntkrob::base::philox4x32_10({{i, 0, i * 7, 0}},
                                    {{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)}})
            .word[0];
    CHECK(micro::random_bits(seed, i * 7, i) == expected);
    CHECK(std::abs(micro::random_symmetric(seed, i * 7, i)) <= 1);
  }
}
