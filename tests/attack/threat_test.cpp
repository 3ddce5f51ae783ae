#include "ntkrob/attack/threat.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "kit/check.hpp"
#include "kit/small_models.hpp"

using namespace ntkrob;

namespace {

constexpr index kD = 40;

/// Inputs in the box with some pixels on its faces, as real images have.
Matrix<float> images(index n) {
  Matrix<float> x = kit::uniform_matrix(n, kD, 11);
  for (index i = 0; i < n; ++i)
    for (index j = 0; j < kD; j += 3) x(i, j) = (i + j) % 2 == 0 ? 0.0f : 1.0f;
  return x;
}

double squared(const float* a, const float* b) {
  double sum = 0;
  for (index j = 0; j < kD; ++j) sum += (static_cast<double>(a[j]) - b[j]) * (static_cast<double>(a[j]) - b[j]);
  return sum;
}

const float kRadii[] = {1e-7f, 1e-3f, 8.0f / 255, 0.1f, 0.3f, 1.0f};

}  // namespace

TEST_CASE("linf projection meets its float32 bounds bit for bit", "[attack]") {
  const Matrix<float> x = images(50);
  const Matrix<float> far = kit::uniform_matrix(50, kD, 12, -2, 3);
  for (const float eps : kRadii) {
    const ThreatModel threat{Norm::linf, eps};
    for (index i = 0; i < x.rows(); ++i) {
      Matrix<float> z(far.view().middle_rows(i, 1));
      threat.project(x.row(i), z.data(), kD);
      for (index j = 0; j < kD; ++j) {
        const float least = std::max(x(i, j) - eps, 0.0f), most = std::min(x(i, j) + eps, 1.0f);
        INFO("eps " << eps << " (" << i << "," << j << "): " << z(0, j) << " in [" << least << ", " << most << "]");
        REQUIRE((z(0, j) >= least && z(0, j) <= most));
        // Nearest: a point outside goes to the bound it crossed, one inside stays.
        REQUIRE(z(0, j) == std::min(std::max(far(i, j), least), most));
      }
    }
  }
}

TEST_CASE("l2 and l1 projections are inside ball and box exactly, and no other point of both is nearer", "[attack]") {
  const Norm norm = GENERATE(Norm::l2, Norm::l1);
  const Matrix<float> x = images(50);
  const Matrix<float> far = kit::uniform_matrix(50, kD, 12, -2, 3);
  const Rng rng(5, "probe");
  for (const float eps : {1e-6f, 1e-3f, 0.1f, 0.5f, 1.5f, 4.0f, 12.0f}) {
    if (norm == Norm::l2 && eps > 6) continue;
    const ThreatModel threat{norm, eps};
    for (index i = 0; i < x.rows(); ++i) {
      INFO(to_string(norm) << " eps " << eps << " sample " << i);
      Matrix<float> z(far.view().middle_rows(i, 1));
      threat.project(x.row(i), z.data(), kD);
      double size = 0;
      for (index j = 0; j < kD; ++j) {
        const double offset = std::abs(static_cast<double>(z(0, j)) - x(i, j));
        size += norm == Norm::l2 ? offset * offset : offset;
      }
      // The order of a sum moves its last digits.
      REQUIRE((norm == Norm::l2 ? std::sqrt(size) : size) <= static_cast<double>(eps) * (1 + 1e-14));
      REQUIRE(threat.distance(x.row(i), z.data(), kD) <= static_cast<double>(eps));
      REQUIRE(*std::min_element(z.data(), z.data() + kD) >= 0);
      REQUIRE(*std::max_element(z.data(), z.data() + kD) <= 1);

      // z is the projection of p on a convex set iff <p - z, q - z> <= 0 for every q of the set.
      for (std::uint64_t k = 0; k < 20; ++k) {
        Matrix<float> q(1, kD);
        threat.random_start(x.row(i), q.data(), kD, rng.fork(k));
        double inner = 0;
        for (index j = 0; j < kD; ++j)
          inner += (static_cast<double>(far(i, j)) - z(0, j)) * (static_cast<double>(q(0, j)) - z(0, j));
        const double scale = std::sqrt(squared(far.row(i), z.data())) * eps;
        // Rounding z to float32 moves it by up to 2^-24 per component; for the smallest ball that is not small.
        CHECK(inner <= 1e-5 * scale + std::sqrt(squared(far.row(i), z.data())) * std::sqrt(1.0 * kD) * 0x1p-23);
      }
    }
  }
}

TEST_CASE("l2 projection agrees with bisection on the ball's multiplier where the box clips many components",
          "[attack]") {
  const Matrix<float> x = images(50);
  const Matrix<float> far = kit::uniform_matrix(50, kD, 12, -2, 3);
  for (const double eps : {0.1, 1.0, 2.0, 3.0}) {
    const ThreatModel threat{Norm::l2, static_cast<float>(eps)};
    for (index i = 0; i < x.rows(); ++i) {
      const auto point = [&](double s) {
        Matrix<double> p(1, kD);
        for (index j = 0; j < kD; ++j)
          p(0, j) = std::min(std::max(x(i, j) + s * (static_cast<double>(far(i, j)) - x(i, j)), 0.0), 1.0);
        return p;
      };
      double low = 0, high = 1;
      for (int k = 0; k < 60; ++k) {
        const double middle = (low + high) / 2;
        const Matrix<double> p = point(middle);
        double sum = 0;
        for (index j = 0; j < kD; ++j) sum += (p(0, j) - x(i, j)) * (p(0, j) - x(i, j));
        (std::sqrt(sum) <= eps ? low : high) = middle;
      }
      Matrix<float> z(far.view().middle_rows(i, 1));
      threat.project(x.row(i), z.data(), kD);
      INFO("eps " << eps << " sample " << i);
      NTKROB_CHECK_SAME(kit::compare(z.view(), point(low).view(), 1e-6));
    }
  }
}

TEST_CASE("l2 projection uses the whole radius where the box does not stop it", "[attack]") {
  const Matrix<float> x = kit::uniform_matrix(20, kD, 3, 0.4, 0.6);
  const Matrix<float> far = kit::uniform_matrix(20, kD, 4, -1, 2);
  const ThreatModel threat{Norm::l2, 0.25f};
  for (index i = 0; i < x.rows(); ++i) {
    Matrix<float> z(far.view().middle_rows(i, 1));
    threat.project(x.row(i), z.data(), kD);
    CHECK(threat.distance(x.row(i), z.data(), kD) == Approx(0.25).epsilon(1e-5));
  }
}

TEST_CASE("projection is idempotent and leaves points inside alone", "[attack]") {
  const Matrix<float> x = images(30);
  const Matrix<float> far = kit::uniform_matrix(30, kD, 12, -2, 3);
  for (const Norm norm : {Norm::linf, Norm::l2, Norm::l1})
    for (const float eps : kRadii) {
      const ThreatModel threat{norm, eps};
      for (index i = 0; i < x.rows(); ++i) {
        Matrix<float> z(far.view().middle_rows(i, 1));
        threat.project(x.row(i), z.data(), kD);
        const Matrix<float> once = z;
        CHECK(threat.contains(x.row(i), z.data(), kD));
        CHECK_FALSE(threat.contains(x.row(i), far.row(i), kD));
        threat.project(x.row(i), z.data(), kD);
        NTKROB_CHECK_SAME(kit::compare(z.view(), once.view(), 0));
      }
    }
}

TEST_CASE("eps 0 returns x bit for bit from every operation that ends in a projection", "[attack]") {
  Matrix<float> x = images(1);
  x(0, 1) = -0.0f;
  for (const Norm norm : {Norm::linf, Norm::l2, Norm::l1}) {
    const ThreatModel threat{norm, 0};
    Matrix<float> z = kit::uniform_matrix(1, kD, 9), start(1, kD);
    threat.project(x.data(), z.data(), kD);
    threat.random_start(x.data(), start.data(), kD, Rng(1, "s"));
    for (index j = 0; j < kD; ++j) {
      CHECK((z(0, j) == x(0, j) && std::signbit(z(0, j)) == std::signbit(x(0, j))));
      CHECK(start(0, j) == x(0, j));
    }
  }
}

TEST_CASE("random starts fill the ball uniformly", "[attack]") {
  // Away from the box: E[u^2] = eps^2 / 3 per component (linf), E[r^2] = eps^2 d / (d + 2) (l2), mean 0; l1: each
  // component has E[u^2] = 2 eps^2 / ((d + 1) (d + 2)).
  const Matrix<float> x = kit::uniform_matrix(1, kD, 3, 0.5, 0.5 + 1e-9);
  const int draws = 4000;
  for (const Norm norm : {Norm::linf, Norm::l2, Norm::l1}) {
    const ThreatModel threat{norm, 0.2f};
    double mean = 0, square = 0, largest = 0;
    for (int k = 0; k < draws; ++k) {
      Matrix<float> z(1, kD);
      threat.random_start(x.data(), z.data(), kD, Rng(7, "start").fork(static_cast<std::uint64_t>(k)));
      REQUIRE(threat.distance(x.data(), z.data(), kD) <= 0.2f + 1e-7);
      for (index j = 0; j < kD; ++j) mean += z(0, j) - x(0, j);
      square += squared(x.data(), z.data());
      largest = std::max(largest, threat.distance(x.data(), z.data(), kD));
    }
    const double expected = norm == Norm::linf ? kD * 0.04 / 3
                            : norm == Norm::l2 ? 0.04 * kD / (kD + 2.0)
                                               : 0.04 * 2 * kD / ((kD + 1.0) * (kD + 2.0));
    INFO(to_string(norm));
    CHECK(square / draws == Approx(expected).epsilon(norm == Norm::l1 ? 0.03 : 0.01));
    CHECK(std::abs(mean) / (draws * kD) < 4 * std::sqrt(expected / kD / (draws * static_cast<double>(kD))));
    CHECK(largest > 0.19);
  }
}

TEST_CASE("ascend takes the steepest step of the norm and none where the gradient is 0", "[attack]") {
  const float g[] = {3, -4, 0}, zero[] = {0, 0, 0};
  float z[] = {0.5f, 0.5f, 0.5f};
  ThreatModel{Norm::linf, 0.1f}.ascend(g, z, 3, 0.25f);
  CHECK((z[0] == 0.75f && z[1] == 0.25f && z[2] == 0.5f));
  ThreatModel{Norm::l2, 0.1f}.ascend(g, z, 3, 0.25f);
  CHECK(z[0] == Approx(0.9).epsilon(1e-6));
  CHECK(z[1] == Approx(0.05).epsilon(1e-6));
  CHECK(z[2] == 0.5f);
  // l1: of 300 components the 3 largest share the step.
  std::vector<float> slope(300, 0.1f), point(300, 0.5f);
  slope[7] = -3, slope[100] = 2, slope[299] = 1;
  ThreatModel{Norm::l1, 0.1f}.ascend(slope.data(), point.data(), 300, 0.3f);
  for (std::size_t j = 0; j < 300; ++j)
    CHECK(point[j] == Approx(j == 7 ? 0.4 : j == 100 || j == 299 ? 0.6 : 0.5).epsilon(1e-6));
  for (const Norm norm : {Norm::linf, Norm::l2, Norm::l1}) {
    float still[] = {0.1f, 0.2f, 0.3f};
    ThreatModel{norm, 0.1f}.ascend(zero, still, 3, 0.25f);
    CHECK((still[0] == 0.1f && still[1] == 0.2f && still[2] == 0.3f));
  }
  // So small that a float32 sum of squares would vanish.
  const float tiny[] = {1e-30f, 0, 0};
  ThreatModel{Norm::l2, 0.1f}.ascend(tiny, z, 3, 0.05f);
  CHECK(z[0] == Approx(0.95).epsilon(1e-6));
}

TEST_CASE("a threat model larger than the box is refused with the remedy", "[attack]") {
  CHECK_NOTHROW((ThreatModel{Norm::linf, 1.0f}.validate(kD)));
  CHECK_NOTHROW((ThreatModel{Norm::l2, 6.3f}.validate(kD)));
  CHECK_THROWS_AS((ThreatModel{Norm::l2, 6.4f}.validate(kD)), ConfigError);
  CHECK_THROWS_WITH((ThreatModel{Norm::linf, 8.0f}.validate(kD)), Catch::Contains("8/255"));
  CHECK_THROWS_AS((ThreatModel{Norm::linf, -0.1f}.validate(kD)), ConfigError);
  CHECK_THROWS_AS((ThreatModel{Norm::linf, std::numeric_limits<float>::quiet_NaN()}.validate(kD)), ConfigError);
  CHECK_THROWS_AS((ThreatModel{Norm::linf, 0.1f, 1, 0}.validate(kD)), ConfigError);
  CHECK(parse_norm("l2") == Norm::l2);
  CHECK(parse_norm(to_string(Norm::linf)) == Norm::linf);
  CHECK_NOTHROW((ThreatModel{Norm::l1, 39.0f}.validate(kD)));
  CHECK_THROWS_AS((ThreatModel{Norm::l1, 41.0f}.validate(kD)), ConfigError);
  CHECK(parse_norm("l1") == Norm::l1);
  CHECK(ThreatModel::of("l2", 0.5, kD).norm == Norm::l2);
  CHECK_THROWS_WITH(ThreatModel::of("linf", 1e308, kD), Catch::Contains("eps is 1e+308"));
  CHECK_THROWS_WITH(ThreatModel::of("linf", std::numeric_limits<double>::infinity(), kD),
                    Catch::Contains("eps is inf"));
  CHECK_THROWS_AS(ThreatModel::of("linf", std::numeric_limits<double>::quiet_NaN(), kD), ConfigError);
  CHECK_THROWS_WITH(parse_norm("l0"), Catch::Contains("linf, l2, l1"));
}

TEST_CASE("a threat model is one text, norm and radius, and reads back to the same bits", "[attack]") {
  const ThreatModel threat = parse_threat("linf:8/255", kD);
  CHECK(threat.norm == Norm::linf);
  CHECK(threat.eps == static_cast<float>(8.0 / 255));
  CHECK(threat.low == 0);
  CHECK(threat.high == 1);
  for (const char* text : {"linf:8/255", "l2:0.5", "l1:12", "linf:0"}) {
    const ThreatModel one = parse_threat(text, kD), again = parse_threat(to_string(one), kD);
    CHECK(again.norm == one.norm);
    CHECK(again.eps == one.eps);
  }
  CHECK(to_string(parse_threat("l2:0.5", kD)) == "l2:0.5");
  for (const char* wrong : {"", "linf", "8/255", "l3:0.1", "linf:", "linf:x", "linf:-0.1", "linf:8", "l2:7", "linf:nan",
                            "linf:1e300", ":0.1"}) {
    INFO(wrong);
    CHECK_THROWS_AS(parse_threat(wrong, kD), ConfigError);
  }
  CHECK_THROWS_WITH(parse_threat("linf", kD), Catch::Contains("expected norm:eps"));
  CHECK_THROWS_WITH(parse_threat("linf:8", kD), Catch::Contains("8/255"));
}
