/// relabel: the three kinds of targets, their scale, and points of an attack.
#include <cmath>

#include "kit/small_models.hpp"
#include "ntkrob/attack/attack.hpp"
#include "ntkrob/model/metrics.hpp"
#include "robust/recipe_bench.hpp"
#include "robust/states.hpp"

namespace ntkrob {
namespace {

double root_mean_square(ConstView2D<float> a) {
  double sum = 0;
  for (index i = 0; i < a.rows; ++i)
    for (index j = 0; j < a.cols; ++j) sum += static_cast<double>(a(i, j)) * a(i, j);
  return std::sqrt(sum / static_cast<double>(a.rows * a.cols));
}

/// 40 vectors of 6 numbers, 4 classes, and a model with 4 or more.
struct Case {
  Matrix<float> x = kit::uniform_matrix(40, 6, 3);
  std::vector<int> labels;
  kit::SineModel model;
  explicit Case(index model_classes = 4) : model(6, 8, model_classes, 2) {
    for (index i = 0; i < 40; ++i) labels.push_back(static_cast<int>(i % 4));
  }
  std::unique_ptr<Recipe> done(const OptionTexts& changes, const Model* other = nullptr) {
    auto options = find_recipe("relabel").options();
    for (Field& field : options->fields())
      for (const auto& [name, value] : changes)
        if (name == field.name) field.set(value);
    RecipeInput input;
    input.data = {x.view(), &labels, 4, {1, 1, 6}};
    input.model = other == nullptr ? &model : other;
    input.backend = &test_backend();
    auto recipe = options->make(input);
    run(*recipe);
    return recipe;
  }
};

/// Every output is the same for all classes.
class Blind : public kit::SineModel {
 public:
  using SineModel::SineModel;
  void logits(ConstView2D<float> x, View2D<float> out) const override {
    for (index i = 0; i < x.rows; ++i)
      for (index k = 0; k < out.cols; ++k) out(i, k) = x(i, 0);
  }
};

}  // namespace

TEST_CASE("centred targets are outputs minus their mean, of the size of centred one-hot targets", "[relabel]") {
  Case c;
  const auto recipe = c.done({{"batch", "7"}});
  const RecipeSet set = recipe->result();
  const Matrix<float> z = all_logits(c.model, c.x.view());
  REQUIRE(recipe->facts().size() == 1);
  CHECK(recipe->facts()[0].first == "scale");
  const double scale = recipe->facts()[0].second;
  CHECK(scale > 0);
  for (index i = 0; i < 40; ++i) {
    double mean = 0;
    for (index k = 0; k < 4; ++k) mean += z(i, k) / 4.0;
    // float32 numbers of size 1: half an ulp of the result, with room.
    for (index k = 0; k < 4; ++k) CHECK(std::abs(set.targets(i, k) - scale * (z(i, k) - mean)) < 2e-7);
  }
  const double expected = root_mean_square(centred_one_hot(c.labels, 4).view());
  CHECK(std::abs(expected - std::sqrt(0.75 / 4)) < 1e-7);
  CHECK(std::abs(root_mean_square(set.targets.view()) - expected) < 1e-7);  // 160 roundings of 3e-8 average out
  CHECK(set.labels == c.labels);
  NTKROB_CHECK_SAME(kit::compare(set.images.view(), c.x.view(), 0));
}

TEST_CASE("probabilities are the softmax minus 1/classes, logits are as they are", "[relabel]") {
  Case c;
  const Matrix<float> z = all_logits(c.model, c.x.view());
  const RecipeSet logits = c.done({{"targets", "logits"}})->result();
  NTKROB_CHECK_SAME(kit::compare(logits.targets.view(), z.view(), 0));
  const auto recipe = c.done({{"targets", "probabilities"}});
  CHECK(recipe->facts().empty());
  const RecipeSet set = recipe->result();
  for (index i = 0; i < 40; ++i) {
    double sum = 0, total = 0;
    for (index k = 0; k < 4; ++k) sum += std::exp(static_cast<double>(z(i, k)));
    for (index k = 0; k < 4; ++k) {
      CHECK(std::abs(set.targets(i, k) - (std::exp(static_cast<double>(z(i, k))) / sum - 0.25)) < 1e-7);
      total += set.targets(i, k);
    }
    CHECK(std::abs(total) < 1e-6);
  }
}

TEST_CASE("agreement is the share of images so far whose label is the largest output", "[relabel]") {
  Case c;
  c.labels = predictions(all_logits(c.model, c.x.view()).view());
  for (const std::size_t wrong : {3, 12, 13}) c.labels[wrong] = (c.labels[wrong] + 1) % 4;
  const auto recipe = c.done({{"batch", "10"}});
  REQUIRE(recipe->steps() == 4);
  CHECK(recipe->rows()[0].values[0] == 0.9);
  CHECK(recipe->rows()[1].values[0] == 17.0 / 20);
  CHECK(recipe->rows()[3].values[0] == 37.0 / 40);
}

TEST_CASE("with an attack the outputs are those where it leads, and the images stay", "[relabel]") {
  Case c;
  const OptionTexts options{{"targets", "logits"}, {"attack", "pgd-5"}, {"eps", "0.2"}, {"seed", "6"}, {"batch", "9"}};
  const RecipeSet set = c.done(options)->result();
  Matrix<float> points(40, 6);
  const Matrix<float> targets = centred_one_hot(c.labels, 4);
  make_attack("pgd-5")->perturb(c.model, {c.x.view(), c.labels.data(), targets.view()}, {Norm::linf, 0.2f}, 6, points);
  NTKROB_CHECK_SAME(kit::compare(set.targets.view(), all_logits(c.model, points.view()).view(), 0));
  NTKROB_CHECK_SAME(kit::compare(set.images.view(), c.x.view(), 0));
  // A loss of targets finds some.
  CHECK_NOTHROW(c.done({{"attack", "pgd-2(loss=mse)"}}));
}

TEST_CASE("of a model with more classes the first ones count", "[relabel]") {
  Case c(6);
  const RecipeSet set = c.done({{"targets", "logits"}})->result();
  NTKROB_CHECK_SAME(kit::compare(set.targets.view(), all_logits(c.model, c.x.view()).view().middle_cols(0, 4), 0));
  const RecipeSet centred = c.done({})->result();
  for (index i = 0; i < 40; ++i) {
    double sum = 0;
    for (index k = 0; k < 4; ++k) sum += centred.targets(i, k);
    CHECK(std::abs(sum) < 1e-6);
  }
}

TEST_CASE("relabel refuses what has no scale, an unknown attack and a ball larger than the box", "[relabel]") {
  Case c;
  const Blind blind(6, 8, 4, 2);
  CHECK_THAT(message_of([&] { c.done({}, &blind); }), Catch::Contains("same for all classes"));
  CHECK(message_of([&] { c.done({{"targets", "logits"}}, &blind); }) == "no error");
  CHECK_THAT(message_of([&] { c.done({{"attack", "magic"}}); }), Catch::Contains("magic"));
  CHECK_THAT(message_of([&] { c.done({{"attack", "pgd"}, {"eps", "1.01"}}); }), Catch::Contains("eps is 1.01"));
  CHECK_THAT(message_of([&] {
               c.done({{"attack", "pgd"}, {"norm", "l2"}, {"eps", "2.5"}});
             }),
             Catch::Contains("eps is 2.5") && Catch::Contains("norm=l2"));
  CHECK(message_of([&] { c.done({{"attack", "pgd-2"}, {"norm", "l2"}, {"eps", "2"}}); }) == "no error");
  c.model.outer(0, 0) = NAN;
  CHECK_THAT(message_of([&] { c.done({}); }), Catch::Contains("nan"));
}

}  // namespace ntkrob
