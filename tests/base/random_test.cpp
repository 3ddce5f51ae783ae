#include "ntkrob/base/random.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include "kit/check.hpp"
#include "ntkrob/base/philox.hpp"

using namespace ntkrob;

TEST_CASE("philox4x32-10 gives the published known answers", "[base]") {
  // kat_vectors of Random123 (Salmon et al.): counter, key, result.
  struct Answer {
    base::PhiloxCounter counter;
    base::PhiloxKey key;
    base::PhiloxCounter result;
  };
  const Answer answers[] = {{{{0, 0, 0, 0}}, {{0, 0}}, {{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}}},
                            {{{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}},
                             {{0xffffffff, 0xffffffff}},
                             {{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}}},
                            {{{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}},
                             {{0xa4093822, 0x299f31d0}},
                             {{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}}};
  for (const Answer& a : answers) {
    const base::PhiloxCounter found = base::philox4x32_10(a.counter, a.key);
    for (int k = 0; k < 4; ++k) CHECK(found.word[k] == a.result.word[k]);
  }
}

TEST_CASE("seed, stream name, fork and index each change the numbers", "[base]") {
  const Rng rng(7, "batch");
  CHECK(rng.bits(3) == Rng(7, "batch").bits(3));

  std::set<std::uint32_t> seen;
  for (const Rng& other : {rng, Rng(8, "batch"), Rng(7, "support"), rng.fork(0), rng.fork(1), rng.fork(1).fork(2),
                           rng.fork(2).fork(1), Rng(7, "")})
    for (std::uint64_t i : {0ull, 1ull, 2ull, 1ull << 32, 1ull << 63}) seen.insert(other.bits(i));
  CHECK(seen.size() == 40);
}

TEST_CASE("uniform fills [0, 1) evenly and keeps to the half-open interval asked for", "[base]") {
  const Rng rng(1, "uniform");
  const int n = 200000, bins = 20;
  std::vector<double> count(bins, 0.0);
  double mean = 0, square = 0;
  for (int i = 0; i < n; ++i) {
    const double u = rng.uniform(static_cast<std::uint64_t>(i));
    REQUIRE(u >= 0);
    REQUIRE(u < 1);
    count[static_cast<std::size_t>(u * bins)] += 1;
    mean += u / n;
    square += u * u / n;
  }

  // Five standard deviations of the mean, of the second moment and of chi-square with 19 degrees of freedom.
  CHECK(std::abs(mean - 0.5) < 5 * std::sqrt(1.0 / 12 / n));
  CHECK(std::abs(square - 1.0 / 3) < 5 * std::sqrt(4.0 / 45 / n));
  double chi = 0;
  for (const double c : count) chi += (c - n / bins) * (c - n / bins) / (n / bins);
  CHECK(chi < 19 + 5 * std::sqrt(2 * 19.0));

  // Between two neighbouring numbers rounding alone would give the upper end about half of the time.
  const double low = 1, high = std::nextafter(1.0, 2.0);
  for (std::uint64_t i = 0; i < 100; ++i) CHECK(rng.uniform(i, low, high) == low);
  for (std::uint64_t i = 0; i < 100; ++i) {
    const double u = rng.uniform(i, -3, 2);
    CHECK((u >= -3 && u < 2));
  }
}

TEST_CASE("normal has the moments of a standard normal", "[base]") {
  const Rng rng(2, "normal");
  const int n = 200000;
  double m1 = 0, m2 = 0, m4 = 0, lag = 0, before = 0;
  for (int i = 0; i < n; ++i) {
    const double z = rng.normal(static_cast<std::uint64_t>(i));
    REQUIRE(std::isfinite(z));
    m1 += z / n;
    m2 += z * z / n;
    m4 += z * z * z * z / n;
    lag += z * before / n;
    before = z;
  }

  CHECK(std::abs(m1) < 5 / std::sqrt(n));
  CHECK(std::abs(m2 - 1) < 5 * std::sqrt(2.0 / n));
  CHECK(std::abs(m4 - 3) < 5 * std::sqrt(96.0 / n));
  CHECK(std::abs(lag) < 5 / std::sqrt(n));
}

TEST_CASE("below stays in range, hits every value evenly and accepts huge ranges", "[base]") {
  const Rng rng(3, "below");
  const int n = 70000;
  std::vector<int> count(7, 0);
  for (int i = 0; i < n; ++i) ++count.at(static_cast<std::size_t>(rng.below(static_cast<std::uint64_t>(i), 7)));
  for (const int c : count) CHECK(std::abs(c - n / 7) < 5 * std::sqrt(n / 7.0));

  const index huge = std::numeric_limits<index>::max();
  double mean = 0;
  for (std::uint64_t i = 0; i < 1000; ++i) {
    const index value = rng.below(i, huge);
    REQUIRE(value >= 0);
    REQUIRE(value < huge);
    mean += static_cast<double>(value) / static_cast<double>(huge) / 1000;
  }
  CHECK(std::abs(mean - 0.5) < 5 * std::sqrt(1.0 / 12 / 1000));
  CHECK(rng.below(0, 1) == 0);
  CHECK_THROWS_AS(rng.below(0, 0), ConfigError);
}

TEST_CASE("permutation holds every number once and all orders of three are equally likely", "[base]") {
  std::vector<index> order = Rng(4, "shuffle").permutation(1000);
  CHECK_FALSE(std::is_sorted(order.begin(), order.end()));
  std::sort(order.begin(), order.end());
  for (index i = 0; i < 1000; ++i) REQUIRE(order[static_cast<std::size_t>(i)] == i);
  CHECK(Rng(4, "shuffle").permutation(0).empty());

  std::vector<int> count(9, 0);
  const int n = 6000;
  for (int i = 0; i < n; ++i) {
    const auto p = Rng(5, "three").fork(static_cast<std::uint64_t>(i)).permutation(3);
    ++count[static_cast<std::size_t>(3 * p[0] + p[1])];
  }
  for (const int c : count) CHECK((c == 0 || std::abs(c - n / 6) < 5 * std::sqrt(n / 6.0)));
  CHECK(std::count(count.begin(), count.end(), 0) == 3);
}
