/// static-adversarial: examples inside the ball, with the labels that were asked for.
#include <cmath>

#include "kit/small_models.hpp"
#include "ntkrob/attack/attack.hpp"
#include "ntkrob/model/classes.hpp"
#include "ntkrob/model/metrics.hpp"
#include "robust/recipe_bench.hpp"
#include "robust/states.hpp"

namespace ntkrob {
namespace {

/// 300 vectors of 20 numbers with the labels that the model gives them, of which each has its share.
struct Case {
  Matrix<float> x = kit::uniform_matrix(300, 20, 3);
  kit::LinearModel model = centred(x.view());
  std::vector<int> labels = predictions(all_logits(model, x.view()).view());
  Matrix<float> targets = kit::uniform_matrix(300, 4, 4);
  std::vector<std::string> lines;

  static kit::LinearModel centred(ConstView2D<float> x) {
    kit::LinearModel model(x.cols, 4, 2);
    const Matrix<float> logits = all_logits(model, x);
    for (index i = 0; i < x.rows; ++i)
      for (index k = 0; k < 4; ++k) model.bias(0, k) -= logits(i, k) / static_cast<float>(x.rows);
    return model;
  }
  std::unique_ptr<Recipe> done(const OptionTexts& changes, bool with_targets = false) {
    auto options = find_recipe("static-adversarial").options();
    for (Field& field : options->fields())
      for (const auto& [name, value] : changes)
        if (name == field.name) field.set(value);
    RecipeInput input;
    input.data = {x.view(), &labels, 4, {1, 1, 20}};
    if (with_targets) input.targets = targets.view();
    input.model = &model;
    input.backend = &test_backend();
    input.log = [this](LogLevel, const std::string& line) { lines.push_back(line); };
    auto recipe = options->make(input);
    run(*recipe);
    return recipe;
  }
  index right(const RecipeSet& set, const std::vector<int>& of) const {
    const std::vector<int> predicted = predictions(all_logits(model, set.images.view()).view());
    index count = 0;
    for (std::size_t i = 0; i < of.size(); ++i) count += predicted[i] == of[i];
    return count;
  }
};

}  // namespace

TEST_CASE("static adversarial examples lie in ball and box, with either labels and in every norm", "[static]") {
  Case c;
  for (const std::string labels : {"kept", "random"})
    for (const auto& [norm, eps] : std::vector<std::pair<std::string, double>>{{"linf", 0.1}, {"l2", 0.5}, {"l1", 1}}) {
      CAPTURE(labels, norm);
      const OptionTexts options{{"labels", labels}, {"norm", norm}, {"eps", value_text(eps)}, {"attack", "pgd-6"}};
      const RecipeSet set = c.done(options)->result();
      const ThreatModel threat = ThreatModel::of(norm, eps, 20);
      index moved = 0;
      for (index i = 0; i < 300; ++i) {
        REQUIRE(threat.contains(c.x.row(i), set.images.row(i), 20));
        moved += threat.distance(c.x.row(i), set.images.row(i), 20) > 0.5 * eps;
      }
      CHECK(moved > 200);
    }
  const RecipeSet still = c.done({{"eps", "0"}})->result();
  NTKROB_CHECK_SAME(kit::compare(still.images.view(), c.x.view(), 0));
}

TEST_CASE("with labels kept the set is what the attack finds, and warns", "[static]") {
  Case c;
  const auto recipe = c.done({{"attack", "pgd-5"}, {"seed", "8"}, {"batch", "90"}}, true);
  const RecipeSet set = recipe->result();
  Matrix<float> points(300, 20);
  make_attack("pgd-5")->perturb(c.model, {c.x.view(), c.labels.data(), {}}, {Norm::linf, 0.1f}, 8, points);
  NTKROB_CHECK_SAME(kit::compare(set.images.view(), points.view(), 0));
  CHECK(set.labels == c.labels);
  NTKROB_CHECK_SAME(kit::compare(set.targets.view(), c.targets.view(), 0));
  const auto& last = recipe->rows().back().values;
  CHECK(last[0] == static_cast<double>(c.right(set, c.labels)) / 300);
  CHECK(*last[0] < 0.6);  // the model is right on all images as they are
  CHECK(!last[1]);
  REQUIRE(c.lines.size() == 1);
  CHECK_THAT(c.lines[0], Catch::Contains("leak") && Catch::Contains("worse"));
  CHECK_THAT(find_recipe("static-adversarial").gives, Catch::Contains("worse than nothing"));
  CHECK_THAT(find_recipe("static-adversarial").summary, Catch::Contains("worse than nothing"));
}

TEST_CASE("random labels are uniform, and the examples are pushed towards them", "[static]") {
  Case c;
  const auto recipe = c.done({{"attack", "pgd-10"}, {"labels", "random"}, {"eps", "0.2"}}, true);
  const RecipeSet set = recipe->result();
  CHECK(set.targets.empty());
  CHECK_THAT(c.lines[0], Catch::Contains("targets") && Catch::Contains("left out"));
  // Five standard deviations of 300 draws of probability 1/4: 37.5. That the label is the image's own is one of four.
  for (const index count : class_counts(set.labels, 4)) CHECK(std::abs(static_cast<double>(count) - 75) < 38);
  index own = 0;
  for (std::size_t i = 0; i < 300; ++i) own += set.labels[i] == c.labels[i];
  CHECK(std::abs(static_cast<double>(own) - 75) < 38);
  const index fooled = c.right(set, set.labels);
  CHECK(fooled > 200);  // of 300, where 75 would be chance
  const auto& last = recipe->rows().back().values;
  CHECK(last[1] == static_cast<double>(fooled) / 300);
  CHECK(last[0] == static_cast<double>(c.right(set, c.labels)) / 300);

  // Cross-entropy of the drawn class falls for nearly all; margins and squares lead there, too.
  for (const std::string loss : {"ce", "mse", "margin"}) {
    CAPTURE(loss);
    const RecipeSet pushed =
        c.done({{"attack", "pgd-10(loss=" + loss + ")"}, {"labels", "random"}, {"eps", "0.2"}})->result();
    CHECK(pushed.labels == set.labels);
    CHECK(c.right(pushed, pushed.labels) > 150);
  }
}

TEST_CASE("random labels are of classes that have images", "[static]") {
  Case c;
  for (int& label : c.labels) label = label == 2 ? 1 : label;
  const std::vector<index> counts =
      class_counts(c.done({{"labels", "random"}, {"attack", "pgd-1"}})->result().labels, 4);
  CHECK(counts[2] == 0);
  for (const std::size_t k : {0, 1, 3}) CHECK(counts[k] > 50);
}

TEST_CASE("examples depend neither on batches nor, in number, on the seed", "[static]") {
  Case c;
  for (const std::string labels : {"kept", "random"}) {
    const OptionTexts common{{"labels", labels}, {"attack", "pgd-3"}};
    OptionTexts small = common, other = common;
    small.emplace_back("batch", "17");
    other.emplace_back("seed", "1");
    const RecipeSet whole = c.done(common)->result(), pieces = c.done(small)->result();
    NTKROB_CHECK_SAME(kit::compare(whole.images.view(), pieces.images.view(), 0));
    CHECK(whole.labels == pieces.labels);
    CHECK_THAT(difference(c.done(other)->result(), whole), Catch::Contains("images"));
  }
}

TEST_CASE("static-adversarial refuses attacks that cannot be pushed towards a class", "[static]") {
  Case c;
  const auto refusal = [&](const OptionTexts& changes, const std::string& field) {
    try {
      c.done(changes);
    } catch (const ConfigError& error) {
      CHECK(error.field() == field);
      return std::string(error.what());
    }
    return std::string("no error");
  };
  for (const std::string attack : {"fgsm", "square(queries=10)", "apgd-t", "clean"}) {
    CAPTURE(attack);
    CHECK_THAT(refusal({{"labels", "random"}, {"attack", attack}}, "attack"),
               Catch::Contains("attack is " + attack) && Catch::Contains("pgd-K"));
  }
  CHECK_THAT(refusal({{"labels", "random"}, {"attack", "pgd-2(restarts=2)"}}, "attack"),
             Catch::Contains("one random start"));
  CHECK_THAT(refusal({{"labels", "random"}, {"attack", "pgd-2(start=x)"}}, "attack"),
             Catch::Contains("one random start"));
  CHECK(refusal({{"labels", "random"}, {"attack", "pgd-2(step=0.02,temperature=2)"}}, "") == "no error");
  CHECK(refusal({{"attack", "square(queries=10)"}}, "") == "no error");
  CHECK_THAT(refusal({{"eps", "1.5"}}, "eps"), Catch::Contains("eps is 1.5"));
  CHECK_THAT(refusal({{"labels", "wrong"}}, "labels"), Catch::Contains("kept or random"));
  for (int& label : c.labels) label = 3;
  CHECK_THAT(refusal({}, ""), Catch::Contains("one class"));
}

}  // namespace ntkrob
