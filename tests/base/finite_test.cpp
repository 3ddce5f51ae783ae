#include "ntkrob/base/finite.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "kit/check.hpp"
#include "ntkrob/base/random.hpp"

using namespace ntkrob;

TEST_CASE("one NaN or infinity anywhere is found, the largest finite number is not taken for one", "[base]") {
  for (const index n : {1, 3, 16, 67}) {
    std::vector<float> p(static_cast<std::size_t>(n), std::numeric_limits<float>::max());
    std::vector<double> q(static_cast<std::size_t>(n), -std::numeric_limits<double>::max());
    CHECK(all_finite(p.data(), n));
    CHECK(all_finite(q.data(), n));
    for (std::size_t i = 0; i < p.size(); ++i)
      for (const double bad : {std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity(),
                               std::numeric_limits<double>::quiet_NaN()}) {
        std::vector<float> pb = p;
        std::vector<double> qb = q;
        pb[i] = static_cast<float>(bad);
        qb[i] = bad;
        CHECK_FALSE(all_finite(pb.data(), n));
        CHECK_FALSE(all_finite(qb.data(), n));
      }
  }
}

TEST_CASE("only zeros of either sign count as zero", "[base]") {
  std::vector<float> p(37, 0.0f);
  p[5] = -0.0f;
  CHECK(all_zero(p.data(), 37));
  p[36] = std::numeric_limits<float>::denorm_min();
  CHECK_FALSE(all_zero(p.data(), 37));
  p[36] = std::nanf("");
  CHECK_FALSE(all_zero(p.data(), 37));
}

TEST_CASE("symmetric_uniform fills [-1, 1) evenly and does not depend on the count", "[base]") {
  const Rng rng(7, "test");
  std::vector<float> p(10001), q(9);
  rng.symmetric_uniform(10001, p.data());
  rng.symmetric_uniform(9, q.data());
  double sum = 0, squares = 0;
  for (std::size_t i = 0; i < p.size(); ++i) {
    REQUIRE(p[i] >= -1);
    REQUIRE(p[i] < 1);
    if (i < q.size()) CHECK(p[i] == q[i]);
    sum += p[i];
    squares += static_cast<double>(p[i]) * p[i];
  }
  // Standard errors of mean and mean square of 10001 uniform numbers: 0.0058 and 0.0030.
  CHECK(std::abs(sum / 10001) < 0.025);
  CHECK(std::abs(squares / 10001 - 1.0 / 3) < 0.013);
}
