#include <set>

#include "data/data_kit.hpp"

using namespace ntkrob;

TEST_CASE("strokes: the same seed gives the same images, another seed others", "[data]") {
  const Dataset a = make_strokes(50, 20, 3), b = make_strokes(50, 20, 3), c = make_strokes(50, 20, 4);

  kit::check_equal(a, b);
  CHECK(a.checksum() != c.checksum());
  CHECK(a.train.bytes != c.train.bytes);
}

TEST_CASE("strokes: the pixels of this version are pinned", "[data]") {
  // Published figures depend on these images: a change here is a change for users and belongs into the change log.
  CHECK(make_strokes(200, 0, 1).checksum() == "crc32:c03f927b");
}

TEST_CASE("strokes: image i does not depend on how many are made", "[data]") {
  const Dataset few = make_strokes(7, 3, 11), many = make_strokes(40, 25, 11);

  for (const auto& [a, b] : {std::pair(&few.train, &many.train), std::pair(&few.test, &many.test)}) {
    CHECK(std::equal(a->bytes.begin(), a->bytes.end(), b->bytes.begin()));
    CHECK(std::equal(a->labels.begin(), a->labels.end(), b->labels.begin()));
  }
}

TEST_CASE("strokes: training and test images differ", "[data]") {
  const Dataset data = make_strokes(30, 30, 1);

  for (index i = 0; i < 30; ++i)
    for (index j = 0; j < 30; ++j)
      CHECK_FALSE(std::equal(data.train.bytes.begin() + i * 784, data.train.bytes.begin() + (i + 1) * 784,
                             data.test.bytes.begin() + j * 784));
}

TEST_CASE("strokes: classes are balanced and in mixed order", "[data]") {
  const Dataset data = make_strokes(1000, 0, 5);

  int count[10] = {};
  bool ascending = true;
  for (index i = 0; i < 1000; ++i) {
    ++count[data.train.labels[static_cast<std::size_t>(i)]];
    ascending = ascending && data.train.labels[static_cast<std::size_t>(i)] == i % 10;
  }
  for (const int n : count) CHECK(n == 100);
  CHECK_FALSE(ascending);
}

TEST_CASE("strokes: ink lies inside on an empty background", "[data]") {
  const Dataset data = make_strokes(500, 0, 2);

  std::size_t dark = 0, edge = 0;
  for (std::size_t i = 0; i < data.train.bytes.size(); ++i) {
    const std::size_t pixel = i % 784, x = pixel % 28, y = pixel / 28;
    dark += data.train.bytes[i] == 0;
    edge += (x == 0 || y == 0 || x == 27 || y == 27) && data.train.bytes[i] > 0;
  }
  const double dark_fraction = static_cast<double>(dark) / static_cast<double>(data.train.bytes.size());
  CHECK(dark_fraction > 0.7);
  CHECK(dark_fraction < 0.9);
  CHECK(edge == 0);
  for (index i = 0; i < data.train.n; ++i)  // no empty picture
    CHECK(*std::max_element(data.train.bytes.begin() + i * 784, data.train.bytes.begin() + (i + 1) * 784) > 120);
}

TEST_CASE("strokes: a nearest-neighbour rule recognises most digits", "[data]") {
  // The classes must be learnable: 1-nearest-neighbour on 1000 images is far above chance, and not perfect.
  const Dataset data = make_strokes(1000, 200, 9);
  const Matrix<float> x = data.images("train"), t = data.images("test");

  int right = 0;
  for (index i = 0; i < t.rows(); ++i) {
    float best = 1e30f;
    int label = -1;
    for (index j = 0; j < x.rows(); ++j) {
      float distance = 0;
      for (index p = 0; p < 784; ++p) distance += (t(i, p) - x(j, p)) * (t(i, p) - x(j, p));
      if (distance < best) best = distance, label = data.train.labels[static_cast<std::size_t>(j)];
    }
    right += label == data.test.labels[static_cast<std::size_t>(i)];
  }
  INFO(right << " of 200 right");
  CHECK(right >= 170);
}

TEST_CASE("strokes: bad counts are refused", "[data]") {
  CHECK_THROWS_AS(make_strokes(-1, 5, 1), ConfigError);
  CHECK_THROWS_AS(make_strokes(0, 0, 1), ConfigError);
  CHECK_THROWS_AS(make_strokes(index{1} << 40, 0, 1), ConfigError);
}
