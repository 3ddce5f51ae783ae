/// sign-mix: formulas against a plain reference, shares within binomial bounds, refusals.
#include <algorithm>
#include <cmath>

#include "ntkrob/model/classes.hpp"
#include "robust/recipe_bench.hpp"
#include "robust/states.hpp"

namespace ntkrob {
namespace {

/// Images of one shape with labels of their own.
struct Set {
  ImageShape shape;
  Matrix<float> x;
  std::vector<int> labels;
  index classes = 3;
  Set(ImageShape shape_, index n, std::uint64_t seed = 1) : shape(shape_), x(n, shape_.size()) {
    const Rng rng(seed, "set");
    for (index i = 0; i < n; ++i) labels.push_back(static_cast<int>(i % classes));
    for (index k = 0; k < x.size(); ++k) x.data()[k] = static_cast<float>(rng.uniform(static_cast<std::uint64_t>(k)));
  }
  RecipeInput input() const {
    RecipeInput input;
    input.data = {x.view(), &labels, classes, shape};
    input.backend = &test_backend();
    return input;
  }
};

std::unique_ptr<RecipeOptions> options_of(const OptionTexts& changes) {
  auto options = find_recipe("sign-mix").options();
  for (Field& field : options->fields())
    for (const auto& [name, value] : changes)
      if (name == field.name) field.set(value);
  return options;
}

RecipeSet made(const RecipeInput& input, const OptionTexts& changes) {
  const auto recipe = options_of(changes)->make(input);
  run(*recipe);
  return recipe->result();
}

/// The signs that moved an image whose pixels are all 1/2.
std::vector<int> signs_of(const RecipeSet& set, index row) {
  std::vector<int> signs;
  for (index j = 0; j < set.images.cols(); ++j)
    signs.push_back(set.images(row, j) > 0.5f ? 1 : set.images(row, j) < 0.5f ? -1 : 0);
  return signs;
}

/// sign(box_k * z) straight from the formula, for one place.
int smooth_sign(ImageShape shape, index box, const Rng& noise, index y, index x, index c) {
  if (shape.height == 1 && shape.width == 1) std::swap(shape.width, shape.channels), std::swap(x, c);
  double sum = 0;
  for (index v = y - box / 2; v <= y + box / 2; ++v)
    for (index u = x - box / 2; u <= x + box / 2; ++u)
      if (v >= 0 && v < shape.height && u >= 0 && u < shape.width)
        sum += noise.normal(static_cast<std::uint64_t>((v * shape.width + u) * shape.channels + c));
  return sum > 0 ? 1 : -1;
}

}  // namespace

TEST_CASE("sign-mix moves every pixel by eps, up or down, and clips", "[sign_mix]") {
  const Set set({5, 4, 2}, 30);
  const RecipeSet out = made(set.input(), {{"eps", "0.3"}, {"copies", "2"}});
  REQUIRE(out.images.rows() == 60);
  index up = 0, down = 0;
  for (index r = 0; r < 60; ++r) {
    CHECK(out.labels[static_cast<std::size_t>(r)] == set.labels[static_cast<std::size_t>(r % 30)]);
    for (index j = 0; j < 40; ++j) {
      const float x = set.x(r % 30, j), z = out.images(r, j);
      CAPTURE(r, j, x, z);
      const bool is_up = z == std::min(x + 0.3f, 1.0f), is_down = z == std::max(x - 0.3f, 0.0f);
      REQUIRE((is_up || is_down));
      up += is_up, down += is_down;
    }
  }
  CHECK(up > 600);
  CHECK(down > 600);
  CHECK(difference(made(set.input(), {{"eps", "0"}}), made(set.input(), {{"clean", "1"}})) == "");
}

TEST_CASE("a smooth pattern is the sign of box-filtered noise, along the axes that there are", "[sign_mix]") {
  for (const ImageShape shape : {ImageShape{6, 7, 2}, ImageShape{1, 9, 2}, ImageShape{1, 1, 13}}) {
    CAPTURE(shape.height, shape.width, shape.channels);
    Set set(shape, 40);
    for (index k = 0; k < set.x.size(); ++k) set.x.data()[k] = 0.5f;
    const RecipeSet out = made(set.input(), {{"fields", "smooth"}, {"seed", "9"}, {"copies", "2"}});
    index boxes[5] = {};
    for (index r = 0; r < 80; ++r) {
      const std::vector<int> signs = signs_of(out, r);
      const auto copy = static_cast<std::uint64_t>(r / 40), image = static_cast<std::uint64_t>(r % 40);
      const index which = Rng(9, "sign-mix").fork(copy).fork(image).below(6, 5);
      const index box = std::vector<index>{1, 3, 5, 7, 11}[static_cast<std::size_t>(which)];
      ++boxes[which];
      const Rng noise = Rng(9, "sign-mix/noise").fork(copy).fork(image);
      std::size_t p = 0;
      for (index y = 0; y < shape.height; ++y)
        for (index x = 0; x < shape.width; ++x)
          for (index c = 0; c < shape.channels; ++c) {
            CAPTURE(r, y, x, c, box);
            REQUIRE(signs[p++] == smooth_sign(shape, box, noise, y, x, c));
          }
    }
    for (const index count : boxes) CHECK(count > 0);
  }
}

TEST_CASE("a digit pattern is another class's image above 1/2, rolled by at most shift", "[sign_mix]") {
  // Every image has one pixel above 1/2, at a place that still tells the image when it is one pixel away.
  const index side = 16, d = side * side;
  Set set({side, side, 1}, 12);
  for (index k = 0; k < set.x.size(); ++k) set.x.data()[k] = 0.5f;
  for (index i = 0; i < 12; ++i) set.x(i, (4 * (i / 4) + 1) * side + 4 * (i % 4) + 1) = 0.75f;
  const RecipeSet out = made(set.input(), {{"fields", "digit"}, {"shift", "1"}, {"copies", "200"}, {"eps", "0.25"}});
  index rolled[3][3] = {}, taken[12] = {}, of_class_0[3] = {};
  for (index r = 0; r < 2400; ++r) {
    index at = -1, ups = 0;
    for (index j = 0; j < d; ++j)
      if (out.images(r, j) > set.x(r % 12, j)) at = j, ++ups;
    CAPTURE(r, at);
    REQUIRE(ups == 1);
    const index y = at / side, x = at % side, image = 4 * (y / 4) + x / 4;
    REQUIRE((y % 4 < 3 && x % 4 < 3 && image < 12));
    REQUIRE(image % 3 != r % 3);
    ++taken[image];
    ++rolled[y % 4][x % 4];
    if (r % 3 == 0) ++of_class_0[image % 3];
  }
  // Five standard deviations of binomial distributions.
  for (const auto& row : rolled)
    for (const index count : row) CHECK(std::abs(count - 267) < 77);
  for (const index count : taken) CHECK(std::abs(count - 200) < 68);
  CHECK(std::abs(of_class_0[1] - 400) < 71);
  CHECK(of_class_0[1] + of_class_0[2] == 800);
}

TEST_CASE("without positions nothing is rolled", "[sign_mix]") {
  Set set({1, 1, 8}, 6);
  const RecipeSet out = made(set.input(), {{"fields", "digit"}, {"shift", "3"}, {"copies", "20"}, {"eps", "0.01"}});
  for (index r = 0; r < out.images.rows(); ++r) {
    bool found = false;
    for (index i = 0; i < 6 && !found; ++i) {
      if (i % 3 == r % 3) continue;
      found = true;
      for (index j = 0; j < 8; ++j) found = found && (out.images(r, j) > set.x(r % 6, j)) == (set.x(i, j) > 0.5f);
    }
    CAPTURE(r);
    CHECK(found);
  }
}

TEST_CASE("patterns, clean copies and other classes come in the shares that were asked for", "[sign_mix]") {
  // Class 0 has an image of its own pattern, classes 1 and 2 a chequerboard and its negative; class 2 has most images.
  const index n = 600, d = 24 * 24;
  Set set({24, 24, 1}, n);
  for (index i = 0; i < n; ++i) {
    set.labels[static_cast<std::size_t>(i)] = i < 300 ? 0 : i < 310 ? 1 : 2;
    for (index j = 0; j < d; ++j) {
      const bool black = (j / 24 + j % 24) % 2 == 0;
      set.x(i, j) = i < 300 ? 0.5f : black == (i < 310) ? 0.55f : 0.45f;
    }
  }
  const OptionTexts options{
      {"fields", "digit:2,smooth:1,mix:1"}, {"clean", "0.3"}, {"shift", "0"}, {"eps", "0.2"}, {"copies", "2"}};
  const RecipeSet out = made(set.input(), options);
  index clean = 0, digit = 0, smooth = 0, mix = 0, first = 0, all = 0;
  for (const index block : {index{0}, n})
    for (index r = block; r < block + 300; ++r) {  // the copies of class 0, which is grey
      ++all;
      index agree = 0, moved = 0;
      const std::vector<int> signs = signs_of(out, r);
      for (index j = 0; j < d; ++j) {
        moved += signs[static_cast<std::size_t>(j)] != 0;
        agree += (signs[static_cast<std::size_t>(j)] > 0) == ((j / 24 + j % 24) % 2 == 0);
      }
      REQUIRE((moved == 0 || moved == d));
      if (moved == 0) {
        ++clean;
        continue;
      }
      const double share = static_cast<double>(agree) / static_cast<double>(d), off = std::abs(share - 0.5);
      if (agree == d || agree == 0) {
        ++digit;
        first += agree == d;
      } else if (off > 0.125) {  // of a mix 0.25 +- 0.02, of smooth patterns 0 +- 0.02: six deviations either way
        ++mix;
      } else {
        ++smooth;
      }
    }
  // Five standard deviations of a binomial distribution.
  const auto close = [](index count, index of, double share) {
    const double sd = std::sqrt(static_cast<double>(of) * share * (1 - share));
    CAPTURE(count, of, share);
    CHECK(std::abs(static_cast<double>(count) - share * static_cast<double>(of)) < 5 * sd);
  };
  REQUIRE(all == 600);
  close(clean, all, 0.3);
  close(digit, all - clean, 0.5);
  close(smooth, all - clean, 0.25);
  close(mix, all - clean, 0.25);
  close(first, digit, 0.5);  // classes are equally likely, though one has 10 images and the other 290
}

TEST_CASE("sign-mix counts its images and its clean ones, and carries targets to the copies", "[sign_mix]") {
  const Set set({3, 3, 1}, 30);
  Matrix<float> targets(30, 3);
  for (index k = 0; k < targets.size(); ++k) targets.data()[k] = static_cast<float>(k);
  RecipeInput input = set.input();
  input.targets = targets.view();
  const auto recipe =
      options_of({{"copies", "4"}, {"clean", "0.5"}, {"batch", "50"}, {"n", "20"}, {"seed", "4"}})->make(input);
  run(*recipe);
  const RecipeSet out = recipe->result();
  REQUIRE(recipe->steps() == 2);
  CHECK(recipe->rows()[0].values[0] == 50.0);
  CHECK(recipe->rows()[1].values[0] == 80.0);
  index clean = 0;
  for (index r = 0; r < 80; ++r) {
    const auto source = static_cast<index>(out.targets(r, 0)) / 3;
    CHECK(out.targets(r, 2) == targets(source, 2));
    CHECK(out.labels[static_cast<std::size_t>(r)] == set.labels[static_cast<std::size_t>(source)]);
    CHECK(out.targets(r, 0) == out.targets(r % 20, 0));
    clean += std::equal(out.images.row(r), out.images.row(r) + 9, set.x.row(source));
    for (index j = 0; j < 9; ++j) CHECK(std::abs(out.images(r, j) - set.x(source, j)) <= 0.3f + 1e-6f);
  }
  CHECK(recipe->rows()[1].values[1] == static_cast<double>(clean));
  CHECK(class_counts(out.labels, 3) == std::vector<index>{28, 28, 24});
}

TEST_CASE("an image's copies depend neither on batches nor on how many copies there are", "[sign_mix]") {
  const Set set({4, 4, 1}, 25);
  const RecipeSet one = made(set.input(), {{"batch", "7"}}), three = made(set.input(), {{"copies", "3"}});
  NTKROB_CHECK_SAME(kit::compare(one.images.view(), three.images.view().middle_rows(0, 25), 0));
  CHECK(difference(made(set.input(), {{"batch", "7"}, {"seed", "1"}}), one) == "images ");
}

TEST_CASE("sign-mix refuses what cannot be, naming the field", "[sign_mix]") {
  Set set({4, 4, 1}, 30);
  const auto refusal = [&](const OptionTexts& changes, const std::string& field, std::size_t budget = 0) {
    RecipeInput input = set.input();
    input.memory_budget = budget;
    try {
      options_of(changes)->make(input);
    } catch (const Error& error) {
      CHECK(error.field() == field);
      return std::string(error.what());
    }
    return std::string("no error");
  };
  CHECK_THAT(refusal({{"n", "31"}}, "n"), Catch::Contains("n is 31") && Catch::Contains("only 30"));
  CHECK_THAT(refusal({{"n", "2"}}, "n"), Catch::Contains("n is 2") && Catch::Contains("3 classes"));
  CHECK_THAT(refusal({{"copies", "0"}}, "copies"), Catch::Contains("copies") && Catch::Contains("0"));
  CHECK_THAT(refusal({{"eps", "1.1"}}, "eps"), Catch::Contains("eps is 1.1, must be in [0, 1]"));
  CHECK_THAT(refusal({{"clean", "-0.1"}}, "clean"), Catch::Contains("clean is -0.1"));
  CHECK_THAT(refusal({{"fields", "digit,ghost"}}, "fields"), Catch::Contains("\"ghost\"") && Catch::Contains("smooth"));
  CHECK_THAT(refusal({{"fields", "mix,mix:2"}}, "fields"), Catch::Contains("mix twice"));
  CHECK_THAT(refusal({{"fields", "mix:0"}}, "fields"), Catch::Contains("share 0"));
  CHECK_THAT(refusal({{"fields", "digit,"}}, "fields"), Catch::Contains("empty"));
  CHECK_THAT(refusal({{"copies", "1000000000000"}}, "copies"), Catch::Contains("copies is 1000000000000"));
  CHECK_THAT(refusal({{"copies", "1000000000"}}, "copies"), Catch::Contains("the result takes"));
  // 30 images of 16 pixels and a label, twice: 4080 bytes.
  CHECK(refusal({}, "", 4080) == "no error");
  CHECK_THAT(refusal({}, "memory", 4079), Catch::Contains("the result takes 4.0 KiB") && Catch::Contains("copies"));

  for (int& label : set.labels) label = 1;
  CHECK_THAT(refusal({}, "fields"), Catch::Contains("of one class, 1") && Catch::Contains("fields=smooth"));
  CHECK_THAT(refusal({{"fields", "mix"}}, "fields"), Catch::Contains("of one class"));
  CHECK(refusal({{"fields", "smooth"}}, "") == "no error");
}

TEST_CASE("sign-mix has no result before its last step", "[sign_mix]") {
  const Set set({4, 4, 1}, 30);
  const auto recipe = options_of({{"batch", "20"}})->make(set.input());
  recipe->step();
  CHECK_THAT(message_of([&] { recipe->result(); }), Catch::Contains("1 of 2 steps"));
}

}  // namespace ntkrob
