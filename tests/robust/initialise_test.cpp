#include "robust/initialise.hpp"

#include <array>
#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>

#include "robust/blobs.hpp"

namespace ntkrob::robust {
namespace {

std::vector<index> all_of(index n) {
  std::vector<index> pool(static_cast<std::size_t>(n));
  std::iota(pool.begin(), pool.end(), index(0));
  return pool;
}

std::vector<index> count_classes(const std::vector<int>& labels, index classes) {
  std::vector<index> count(static_cast<std::size_t>(classes));
  for (const int label : labels) ++count[static_cast<std::size_t>(label)];
  return count;
}

double angle(const float* a, const float* b, index d) {
  long double aa = 0, bb = 0, difference = 0;
  for (index j = 0; j < d; ++j)
    aa += static_cast<long double>(a[j]) * a[j], bb += static_cast<long double>(b[j]) * b[j];
  for (index j = 0; j < d; ++j) {
    const long double gap = a[j] / std::sqrt(aa) - b[j] / std::sqrt(bb);
    difference += gap * gap;
  }
  return static_cast<double>(2 * std::asin(std::sqrt(difference) / 2));
}

}  // namespace

TEST_CASE("the validation split is a partition of the data and depends on the seed only", "[robust]") {
  const DataSplit split = split_data(60, 15, 3);
  std::vector<index> all = split.pool;
  all.insert(all.end(), split.held_out.begin(), split.held_out.end());
  std::sort(all.begin(), all.end());

  CHECK(split.held_out.size() == 15);
  CHECK(all == all_of(60));
  CHECK(split_data(60, 15, 3).held_out == split.held_out);
  CHECK(split_data(60, 15, 4).held_out != split.held_out);
  CHECK_THROWS_WITH(split_data(60, 60, 3), Catch::Contains("validation is 60"));
}

TEST_CASE("support draws are balanced: counts differ by one at most, also where classes do not divide n", "[robust]") {
  const Blobs blobs;
  RobustifyOptions options = small_options();
  options.init = GENERATE(as<std::string>{}, "data", "noise");
  for (const index n : {3, 10, 11, 12}) {
    options.n = n;
    const SupportDraw draw = draw_support(options, blobs.data(), all_of(60), test_backend(), {});
    const std::vector<index> count = count_classes(draw.labels, 3);
    REQUIRE(draw.images.rows() == n);
    CHECK(*std::max_element(count.begin(), count.end()) - *std::min_element(count.begin(), count.end()) <= 1);
  }
}

TEST_CASE("a class with few images gives all it has and the others fill up evenly", "[robust]") {
  Blobs blobs;
  for (std::size_t i = 6; i < blobs.labels.size(); ++i)
    if (blobs.labels[i] == 2) blobs.labels[i] = static_cast<int>(i / 3 % 2);
  RobustifyOptions options = small_options();
  options.n = 22;

  const SupportDraw draw = draw_support(options, blobs.data(), all_of(60), test_backend(), {});

  CHECK(count_classes(draw.labels, 3) == std::vector<index>{10, 10, 2});
}

TEST_CASE("every drawn image is a training image with its own label, drawn once", "[robust]") {
  const Blobs blobs;
  RobustifyOptions options = small_options();
  options.n = 60;
  const SupportDraw draw = draw_support(options, blobs.data(), all_of(60), test_backend(), {});
  std::vector<char> used(60, 0);
  for (index i = 0; i < 60; ++i) {
    index found = -1;
    for (index k = 0; k < 60; ++k)
      if (std::equal(draw.images.row(i), draw.images.row(i) + Blobs::kD, blobs.x.row(k))) found = k;
    REQUIRE(found >= 0);
    CHECK(blobs.labels[static_cast<std::size_t>(found)] == draw.labels[static_cast<std::size_t>(i)]);
    CHECK(!used[static_cast<std::size_t>(found)]);
    used[static_cast<std::size_t>(found)] = 1;
  }
}

TEST_CASE("near-duplicates are replaced by other images of their class, counted and logged", "[robust]") {
  // 20 different images, each three times: exact, brighter by half (the same direction), and turned by half the limit.
  Blobs blobs(60);
  const double limit = 1e-3;
  for (index i = 0; i < 20; ++i) {
    const float* original = blobs.x.row(i);
    double length = 0;
    for (index j = 0; j < Blobs::kD; ++j) length += original[j] * original[j];
    for (index copy = 1; copy < 3; ++copy) {
      float* row = blobs.x.row(i + 20 * copy);
      for (index j = 0; j < Blobs::kD; ++j) row[j] = copy == 1 ? original[j] / 2 : original[j];
      if (copy == 2) row[i % Blobs::kD] += static_cast<float>(0.5 * limit * std::sqrt(length));
      for (index j = 0; j < Blobs::kD; ++j) row[j] = std::min(row[j], 1.0f);
      blobs.labels[static_cast<std::size_t>(i + 20 * copy)] = blobs.labels[static_cast<std::size_t>(i)];
    }
  }
  RobustifyOptions options = small_options();
  options.n = 18;
  options.duplicate_angle = limit;
  std::string logged;
  const LogSink log = [&](LogLevel, const std::string& line) { logged += line; };

  const SupportDraw draw = draw_support(options, blobs.data(), all_of(60), test_backend(), log);

  CHECK(draw.duplicates_dropped > 0);
  CHECK_THAT(logged, Catch::Contains(std::to_string(draw.duplicates_dropped) + " support candidates"));
  for (index i = 0; i < 18; ++i)
    for (index k = 0; k < i; ++k) CHECK(angle(draw.images.row(i), draw.images.row(k), Blobs::kD) >= limit);
  CHECK(count_classes(draw.labels, 3) == std::vector<index>{6, 6, 6});

  options.duplicate_angle = 0;
  CHECK(draw_support(options, blobs.data(), all_of(60), test_backend(), {}).duplicates_dropped == 0);

  options.duplicate_angle = limit;
  options.n = 21;
  CHECK_THROWS_WITH(draw_support(options, blobs.data(), all_of(60), test_backend(), {}),
                    Catch::Contains("only 20 of 60") && Catch::Contains("duplicate-angle"));
}

TEST_CASE("images slightly further apart than the limit are kept", "[robust]") {
  Blobs blobs(6);
  for (index i = 3; i < 6; ++i)
    for (index j = 0; j < Blobs::kD; ++j) blobs.x(i, j) = blobs.x(i - 3, j) * (j == 0 ? 0.99f : 1.0f);
  double smallest = 10;
  for (index i = 0; i < 3; ++i) smallest = std::min(smallest, angle(blobs.x.row(i), blobs.x.row(i + 3), Blobs::kD));
  RobustifyOptions options = small_options();
  options.n = 6;

  options.duplicate_angle = smallest * (1 - 1e-6);
  CHECK(draw_support(options, blobs.data(), all_of(6), test_backend(), {}).duplicates_dropped == 0);
  options.duplicate_angle = smallest * (1 + 1e-6);
  CHECK_THROWS_AS(draw_support(options, blobs.data(), all_of(6), test_backend(), {}), ConfigError);
}

TEST_CASE("of several black images one is kept", "[robust]") {
  Blobs blobs(12);
  for (const index i : {1, 4, 7})
    for (index j = 0; j < Blobs::kD; ++j) blobs.x(i, j) = 0;
  RobustifyOptions options = small_options();
  options.n = 10;
  CHECK(draw_support(options, blobs.data(), all_of(12), test_backend(), {}).duplicates_dropped == 2);
}

TEST_CASE("noise starts are uniform in the box and differ between images and seeds", "[robust]") {
  const Blobs blobs;
  RobustifyOptions options = small_options();
  options.init = "noise";
  options.n = 50;
  const SupportDraw draw = draw_support(options, blobs.data(), all_of(60), test_backend(), {});
  double sum = 0, squares = 0;
  for (index i = 0; i < draw.images.size(); ++i) {
    const double v = draw.images.data()[i];
    REQUIRE((v >= 0 && v <= 1));
    sum += v, squares += v * v;
  }
  const double count = static_cast<double>(draw.images.size()), mean = sum / count;
  CHECK(mean == Approx(0.5).margin(0.05));  // 5 standard errors of 800 draws
  CHECK(squares / count - mean * mean == Approx(1.0 / 12).margin(0.015));
  CHECK(!std::equal(draw.images.row(0), draw.images.row(1), draw.images.row(1)));
  options.seed = 4;
  const SupportDraw other = draw_support(options, blobs.data(), all_of(60), test_backend(), {});
  CHECK(!std::equal(draw.images.row(0), draw.images.row(1), other.images.row(0)));
}

TEST_CASE("too many images and too few for the classes that there are are refused", "[robust]") {
  Blobs blobs;
  RobustifyOptions options = small_options();
  options.n = 61;
  CHECK_THROWS_WITH(draw_support(options, blobs.data(), all_of(60), test_backend(), {}),
                    Catch::Contains("n is 61") && Catch::Contains("60"));
  options.n = 2;
  CHECK_THROWS_WITH(draw_support(options, blobs.data(), all_of(60), test_backend(), {}), Catch::Contains("3 classes"));
  options.n = 1;
  for (int& label : blobs.labels) label = std::min(label, 1);
  CHECK_THROWS_WITH(draw_support(options, blobs.data(), all_of(60), test_backend(), {}),
                    Catch::Contains("2 classes") && Catch::Contains("n=2 or more"));
}

TEST_CASE("a class without images gets none, and the log names it", "[robust]") {
  Blobs blobs;
  blobs.classes = 5;
  for (int& label : blobs.labels) label = std::array{1, 2, 4}[static_cast<std::size_t>(label)];
  const std::vector<std::string> names{"ant", "bee", "cat", "dog\n", "emu"};
  TrainingData data = blobs.data();
  data.class_names = &names;
  RobustifyOptions options = small_options();
  options.init = GENERATE(as<std::string>{}, "data", "noise");
  options.n = 10;
  std::string logged;
  const LogSink log = [&](LogLevel, const std::string& line) { logged += line + "\n"; };

  const SupportDraw draw = draw_support(options, data, all_of(60), test_backend(), log);

  CHECK(count_classes(draw.labels, 5) == std::vector<index>{0, 4, 3, 0, 3});
  CHECK(logged == "2 of 5 classes have no training images, and the set gets none: 0 (ant), 3 (dog\\x0A)\n");
}

TEST_CASE("the draw of full classes is what it was before there were others, and says nothing", "[robust]") {
  const Blobs blobs;
  std::string logged;
  const SupportDraw draw = draw_support(small_options(), blobs.data(), all_of(60), test_backend(),
                                        [&](LogLevel, const std::string& line) { logged += line; });
  // The order of Rng(seed, "support").permutation, class by class in turn.
  std::vector<std::vector<index>> queues(3);
  for (const index i : Rng(small_options().seed, "support").permutation(60))
    queues[static_cast<std::size_t>(i % 3)].push_back(i);
  for (index k = 0; k < 12; ++k) {
    const float* expected = blobs.x.row(queues[static_cast<std::size_t>(k % 3)][static_cast<std::size_t>(k / 3)]);
    CHECK(std::equal(expected, expected + Blobs::kD, draw.images.row(k)));
  }
  CHECK(logged.empty());
}

TEST_CASE("validation leaves one image of every class to draw from", "[robust]") {
  std::vector<int> labels(60, 0);
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = i % 2 == 0 ? 1 : 3;
  const DataSplit before = split_data(60, 15, 3);
  DataSplit split = before;
  keep_every_class(labels, 5, split);
  CHECK(split.pool == before.pool);
  CHECK(split.held_out == before.held_out);

  labels[static_cast<std::size_t>(before.held_out[4])] = 4;
  labels[static_cast<std::size_t>(before.held_out[9])] = 4;
  keep_every_class(labels, 5, split);
  CHECK(split.held_out.size() == 15);
  CHECK(std::count(split.pool.begin(), split.pool.end(), before.held_out[4]) == 1);
  CHECK(std::count(split.held_out.begin(), split.held_out.end(), before.held_out[9]) == 1);
  std::vector<index> all = split.pool;
  all.insert(all.end(), split.held_out.begin(), split.held_out.end());
  std::sort(all.begin(), all.end());
  CHECK(all == all_of(60));
  CHECK(std::is_sorted(split.pool.begin(), split.pool.end()));
  CHECK(std::is_sorted(split.held_out.begin(), split.held_out.end()));
}

}  // namespace ntkrob::robust
