/// The contract of recipe.hpp, over every row of recipes.def: nothing here names a recipe.
#include <chrono>
#include <cmath>
#include <set>
#include <thread>

#include "ntkrob/model/classes.hpp"
#include "robust/recipe_bench.hpp"
#include "robust/states.hpp"

namespace ntkrob {

TEST_CASE("every recipe says what it is, what it needs, gives and costs, and is found by its name", "[recipes]") {
  std::set<std::string> names;
  for (const RecipeInfo& info : recipes()) {
    CAPTURE(info.name);
    CHECK(names.insert(info.name).second);
    CHECK(info.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos);
    for (const std::string* line : {&info.summary, &info.needs, &info.gives, &info.cost}) {
      CHECK(line->size() > 20);
      CHECK(line->find('\n') == std::string::npos);
      CHECK(line->find("--") == std::string::npos);
    }
    CHECK(&find_recipe(info.name) == &info);
  }
  CHECK(names.size() >= 4);
}

TEST_CASE("an unknown recipe is refused with the list, the nearest name first", "[recipes]") {
  for (const RecipeInfo& info : recipes()) {
    CAPTURE(info.name);
    std::string misspelt = info.name;
    misspelt.erase(misspelt.size() / 2, 1);
    try {
      find_recipe(misspelt);
      FAIL("found");
    } catch (const ConfigError& error) {
      CHECK(error.field() == "recipe");
      CHECK(error.value() == misspelt);
      CHECK(error.limit().rfind(info.name, 0) == 0);
      CHECK_THAT(error.advice(), Catch::Contains(info.name));
      for (const RecipeInfo& other : recipes()) CHECK_THAT(error.limit(), Catch::Contains(other.name));
    }
  }
  try {
    find_recipe(std::string(100000, 'x'));
    FAIL("found");
  } catch (const ConfigError& error) {
    CHECK(error.advice().empty());
    CHECK(error.limit().rfind(recipes().front().name, 0) == 0);
  }
}

TEST_CASE("the options of every recipe are described, valid as they come, and round-trip as texts", "[recipes]") {
  for (const RecipeInfo& info : recipes()) {
    CAPTURE(info.name);
    const auto fresh = info.options();
    CHECK_NOTHROW(fresh->validate());
    const auto changed = info.options(), copy = info.options();
    const std::vector<Field> fields = changed->fields();
    for (const Field& field : fields) {
      CAPTURE(field.name);
      CHECK(field.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos);
      CHECK(field.help.size() > 5);
      const std::string value = another_value(field);
      if (!value.empty()) field.set(value);
    }
    const OptionTexts texts = changed->texts();
    CHECK(texts != fresh->texts());
    REQUIRE(texts.size() == fields.size());
    for (std::size_t k = 0; k < texts.size(); ++k) {
      CHECK(texts[k].first == fields[k].name);
      copy->fields()[k].set(texts[k].second);
    }
    CHECK(copy->texts() == texts);
  }
}

TEST_CASE("every recipe gives the same bytes again, and with 1, 2 and 3 threads", "[recipes]") {
  for (const Example& example : examples()) {
    CAPTURE(example.text());
    RecipeBench one(1), two(2), three(3);
    const auto a = one.make(example), b = two.make(example), c = three.make(example), again = two.make(example);
    for (Recipe* recipe : {a.get(), b.get(), c.get(), again.get()}) run(*recipe);
    CHECK(difference(*a, *b) == "");
    CHECK(difference(*b, *c) == "");
    CHECK(difference(*b, *again) == "");
    CHECK(difference(a->state(), c->state()) == "");
  }
}

TEST_CASE("every recipe that is cut at a random step and restored elsewhere ends with the same bytes", "[recipes]") {
  std::uint64_t number = 0;
  for (const Example& example : examples()) {
    CAPTURE(example.text());
    RecipeBench bench, elsewhere(3);
    const auto straight = bench.make(example);
    REQUIRE(straight->steps() >= 4);
    const index cut = Rng(7, "cut").below(number++, straight->steps() + 1);
    CAPTURE(cut);
    while (straight->steps_done() < cut) straight->step();
    const StateDict state = straight->state();
    run(*straight);

    const auto resumed = elsewhere.make(example);
    resumed->restore(state);
    CHECK(resumed->steps_done() == cut);
    CHECK(difference(resumed->state(), state) == "");
    run(*resumed);
    CHECK(difference(*resumed, *straight) == "");
    CHECK(difference(resumed->state(), straight->state()) == "");

    // And back from the end, on the object itself.
    straight->restore(state);
    CHECK(straight->steps_done() == cut);
    run(*straight);
    CHECK(difference(*resumed, *straight) == "");
  }
}

TEST_CASE("every recipe keeps box, classes and shapes", "[recipes]") {
  for (const Example& example : examples()) {
    CAPTURE(example.text());
    RecipeBench bench;
    const auto options = example.options();
    const auto recipe = options->make(bench.input(example));
    run(*recipe);
    const RecipeSet set = recipe->result();
    REQUIRE(set.images.rows() > 0);
    CHECK(set.images.cols() == Blobs::kD);
    CHECK(static_cast<index>(set.labels.size()) == set.images.rows());
    const std::vector<index> counts = class_counts(set.labels, bench.blobs.classes);
    CHECK(classes_present(counts).size() == 3);
    // Sixty images, twenty of each class: where n are asked for, they are balanced; where labels are drawn, not
    // exactly.
    const OptionTexts texts = options->texts();
    const auto value = [&](const std::string& name) {
      for (const auto& [key, text] : texts)
        if (key == name) return text;
      return std::string();
    };
    if (value("labels") != "random") {
      CHECK(counts[0] == counts[1]);
      CHECK(counts[1] == counts[2]);
    }
    if (!value("n").empty()) {
      const index copies = value("copies").empty() ? 1 : std::stoll(value("copies"));
      CHECK(set.images.rows() == std::stoll(value("n")) * copies);
    }
    CHECK((set.targets.empty() || (set.targets.rows() == set.images.rows() && set.targets.cols() == 3)));
    if (options->makes_targets())
      CHECK(!set.targets.empty());
    else if (!example.with_targets)
      CHECK(set.targets.empty());
    CHECK((set.initial_images.empty() || set.initial_images.rows() == set.images.rows()));
    index outside = 0, other = 0;
    for (index i = 0; i < set.images.rows(); ++i)
      for (index j = 0; j < set.images.cols(); ++j) {
        other += !std::isfinite(set.images(i, j));
        outside += !(set.images(i, j) >= 0 && set.images(i, j) <= 1);
      }
    CHECK(other == 0);
    if (!options->leaves_box()) CHECK(outside == 0);
  }
}

TEST_CASE("every row of a recipe has a number or nothing for each column", "[recipes]") {
  for (const Example& example : examples()) {
    CAPTURE(example.text());
    RecipeBench bench;
    const auto recipe = bench.make(example);
    const std::vector<Column>& columns = recipe->columns();
    REQUIRE(!columns.empty());
    for (const Column& column : columns)
      CHECK(column.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == std::string::npos);
    bool shows_something = false;
    for (index t = 1; !recipe->done(); ++t) {
      const Row row = recipe->step();
      CHECK(row.step == t);
      CHECK(recipe->steps_done() == t);
      CHECK(row.seconds >= 0);
      REQUIRE(row.values.size() == columns.size());
      CHECK(recipe->rows().back().values == row.values);
      for (std::size_t k = 0; k < columns.size(); ++k) {
        if (!row.values[k]) continue;
        CAPTURE(columns[k].name, *row.values[k]);
        shows_something = shows_something || columns[k].shown;
        CHECK(std::isfinite(*row.values[k]));
        if (columns[k].kind == Column::Kind::fraction) CHECK((*row.values[k] >= 0 && *row.values[k] <= 1));
      }
    }
    CHECK(shows_something);
    for (const auto& [name, value] : recipe->facts()) {
      CHECK(!name.empty());
      CHECK(std::isfinite(value));
    }
    CHECK_THROWS_AS(recipe->step(), ConfigError);
    CHECK(recipe->steps_done() == recipe->steps());
  }
}

TEST_CASE("a stop within a step leaves the last whole step of every recipe behind", "[recipes]") {
  for (const Example& example : one_of_each()) {
    CAPTURE(example.text());
    RecipeBench bench, undisturbed;
    const auto recipe = bench.make(example), straight = undisturbed.make(example);
    Stop stop;
    bench.backend->set_stop(&stop);

    recipe->step();
    const StateDict first = recipe->state();
    stop.request();
    CHECK_THROWS_AS(recipe->step(), Interrupted);
    CHECK(recipe->steps_done() == 1);
    CHECK(difference(recipe->state(), first) == "");
    stop.clear();

    // At some moment of a step, which may also come too late.
    for (index tries = 0; !recipe->done(); ++tries) {
      const index before = recipe->steps_done();
      const StateDict whole = recipe->state();
      if (tries < 40) {
        std::thread other([&] {
          std::this_thread::sleep_for(std::chrono::microseconds(50 * tries));
          stop.request();
        });
        try {
          recipe->step();
        } catch (const Interrupted&) {
          CHECK(recipe->steps_done() == before);
          CHECK(difference(recipe->state(), whole) == "");
        }
        other.join();
        stop.clear();
      } else {
        recipe->step();
      }
    }
    bench.backend->set_stop(nullptr);
    run(*straight);
    CHECK(difference(*recipe, *straight) == "");
  }
}

}  // namespace ntkrob
