/// What every recipe of recipes.def refuses: checkpoints of other runs, models and images that do not fit. Nothing here
/// names a recipe.
#include <cmath>

#include "robust/recipe_bench.hpp"
#include "robust/states.hpp"

namespace ntkrob {

TEST_CASE("a checkpoint of other options is refused, naming the option", "[recipes]") {
  for (const Example& example : one_of_each()) {
    RecipeBench bench;
    const auto source = bench.make(example);
    source->step();
    const StateDict state = source->state();
    const auto options = example.options();
    index refused = 0;
    for (const Field& field : options->fields()) {
      CAPTURE(example.text(), field.name);
      const std::string here = field.get(), there = another_value(field);
      if (there.empty()) continue;
      field.set(there);
      const auto other = options->make(bench.input(example));
      const StateDict before = other->state();
      const std::string message = message_of([&] { other->restore(state); });
      if (field.name == "checkpoint-every") {
        CHECK(message == "no error");
      } else {
        CHECK_THAT(message,
                   Catch::Contains(field.name + "=" + here) && Catch::Contains(field.name + "=" + field.get()));
        CHECK(difference(other->state(), before) == "");
        ++refused;
      }
      field.set(here);
    }
    CHECK(refused >= static_cast<index>(options->fields().size()) - 2);
  }
}

TEST_CASE("a checkpoint of other data, of another recipe or model, or of a time before recipes is refused",
          "[recipes]") {
  for (const Example& example : one_of_each()) {
    CAPTURE(example.text());
    RecipeBench bench;
    const auto source = bench.make(example);
    source->step();
    const StateDict state = source->state();
    const auto refusal = [&](RecipeBench& other, const StateDict& made) {
      const auto target = other.make(example);
      const StateDict before = target->state();
      const std::string message = message_of([&] { target->restore(made); });
      if (message != "no error") CHECK(difference(target->state(), before) == "");
      return message;
    };
    RecipeBench same, pixel, label;
    CHECK(refusal(same, state) == "no error");
    pixel.blobs.x(59, 15) = 1 - pixel.blobs.x(59, 15);
    CHECK_THAT(refusal(pixel, state), Catch::Contains("other training data"));
    label.blobs.labels[59] = 0;
    CHECK_THAT(refusal(label, state), Catch::Contains("other training data"));
    if (example.info().needs_model) {
      RecipeBench model;
      Matrix<float> labels = centred_one_hot(model.blobs.labels, 3);
      labels(0, 0) = 0;
      model.machine->refit(model.blobs.x.view(), labels.view());
      CHECK_THAT(refusal(model, state), Catch::Contains("another model"));
    }
    StateDict other = state;
    other.set("recipe", std::string("fortune"));
    CHECK_THAT(refusal(same, other), Catch::Contains("recipe=fortune") && Catch::Contains("recipe=" + example.recipe));
    CHECK_THAT(refusal(same, without(state, "recipe")),
               Catch::Contains("written by ntkrob before it had recipes; start anew"));
  }
}

TEST_CASE("a damaged checkpoint of a recipe is refused and changes nothing", "[recipes]") {
  for (const Example& example : one_of_each()) {
    RecipeBench bench;
    const auto source = bench.make(example);
    source->step(), source->step();
    const StateDict state = source->state();
    const auto target = bench.make(example);
    target->step();
    const StateDict before = target->state();
    for (const auto& entry : state.entries()) {
      if (entry.first == "options/checkpoint-every") continue;
      CAPTURE(example.text(), entry.first);
      const std::string message = message_of([&] { target->restore(without(state, entry.first)); });
      if (entry.first == "recipe")
        CHECK_THAT(message, Catch::Contains("before it had recipes"));
      else
        CHECK_THAT(message, Catch::Contains("\"" + entry.first + "\""));
      CHECK(difference(target->state(), before) == "");
    }
    StateDict beyond = state;
    beyond.set("step", std::int64_t{target->steps() + 1});
    CHECK_THAT(message_of([&] { target->restore(beyond); }), Catch::Contains("entry \"step\" is"));
    CHECK(difference(target->state(), before) == "");
  }
}

TEST_CASE("a model that a recipe does not need, misses or cannot use is refused", "[recipes]") {
  for (const Example& example : one_of_each()) {
    CAPTURE(example.text());
    RecipeBench bench;
    const auto options = example.options();
    const auto refusal = [&](const Model* model) {
      RecipeInput input = bench.input(example);
      input.model = model;
      try {
        options->make(input);
      } catch (const ConfigError& error) {
        CHECK(error.field() == "model");
        CHECK(!error.advice().empty());
        return std::string(error.what());
      }
      return std::string("no error");
    };
    if (!example.info().needs_model) {
      CHECK_THAT(refusal(bench.machine.get()), Catch::Contains("is given") && Catch::Contains(example.recipe));
      CHECK(refusal(nullptr) == "no error");
      continue;
    }
    CHECK(refusal(bench.machine.get()) == "no error");
    CHECK_THAT(refusal(nullptr), Catch::Contains("missing"));
    const Kernel kernel(KernelSpec::parse("fc:1"), *bench.backend);
    const Matrix<float> two_classes(60, 2), three(60, 3);
    const KernelMachine flat(kernel, {1, 1, Blobs::kD}, bench.blobs.x.view(), three.view(), Ridge{1e-2});
    CHECK_THAT(refusal(&flat), Catch::Contains("1 x 1 x 16") && Catch::Contains("4 x 4 x 1"));
    const KernelMachine fewer(kernel, {4, 4, 1}, bench.blobs.x.view(), two_classes.view(), Ridge{1e-2});
    CHECK_THAT(refusal(&fewer), Catch::Contains("2 classes") && Catch::Contains("at least 3"));
  }
}

TEST_CASE("every recipe refuses images and targets that are none, naming them, and plans without work", "[recipes]") {
  for (const Example& example : one_of_each()) {
    CAPTURE(example.text());
    RecipeBench bench;
    const auto options = example.options();
    const auto refusal = [&](const RecipeInput& input) { return message_of([&] { options->make(input); }); };
    RecipeInput input = bench.input(example);
    const std::string plan = options->plan(input);
    CHECK(plan.size() > 20);
    CHECK(plan.back() == '\n');
    RecipeInput unread = input;
    unread.data.x = {};
    if (unread.model == nullptr) CHECK(options->plan(unread) == plan);
    unread.model = nullptr;
    CHECK_THAT(options->plan(unread), !Catch::Contains(" 0 images"));

    bench.blobs.x(3, 2) = NAN;
    CHECK_THAT(refusal(input), Catch::Contains("training image 3 has the value nan at position 2"));
    bench.blobs.x(3, 2) = 1.5f;
    CHECK_THAT(refusal(input), Catch::Contains("training image 3 has the value 1.5") && Catch::Contains("[0, 1]"));
    bench.blobs.x(3, 2) = 0.5f;
    bench.blobs.labels[7] = 3;
    CHECK_THAT(refusal(input), Catch::Contains("training image 7 has the label 3"));
    bench.blobs.labels[7] = 1;
    const Matrix<float> narrow(60, 2);
    input.targets = narrow.view();
    CHECK_THAT(refusal(input), Catch::Contains("targets are 60 x 2, expected 60 x 3"));
    bench.targets(4, 1) = INFINITY;
    input.targets = bench.targets.view();
    CHECK_THAT(refusal(input), Catch::Contains("target of training image 4 for class 1"));
    input.targets = {};
    input.data.x = input.data.x.middle_rows(0, 0);
    CHECK_THAT(refusal(input), Catch::Contains("no training images"));
  }
}

}  // namespace ntkrob
