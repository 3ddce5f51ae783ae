/// Any recipe of the list on a small set: images, model, targets, and options made small by their names.
#pragma once

#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kit/check.hpp"
#include "ntkrob/krr/machine.hpp"
#include "ntkrob/model/loss.hpp"
#include "ntkrob/robust/recipe.hpp"
#include "robust/blobs.hpp"

namespace ntkrob {

/// What makes a run small enough for a test. A recipe takes the options that it has.
inline const OptionTexts& small_values() {
  static const OptionTexts values{
      {"kernel", "fc:2"}, {"n", "12"},         {"steps", "5"},          {"batch", "11"},
      {"eps", "0.05"},    {"attack", "pgd-3"}, {"attack-steps", "2"},   {"validation", "15"},
      {"copies", "3"},    {"clean", "0.25"},   {"validate-every", "2"}, {"ridge", "1e-4"}};
  return values;
}

/// A recipe with its changes from the small values.
struct Example {
  std::string recipe;
  OptionTexts changes;
  bool with_targets = false;

  const RecipeInfo& info() const { return find_recipe(recipe); }
  std::unique_ptr<RecipeOptions> options() const {
    std::unique_ptr<RecipeOptions> made = info().options();
    for (Field& field : made->fields()) {
      for (const auto& [name, value] : small_values())
        if (name == field.name) field.set(value);
      for (const auto& [name, value] : changes)
        if (name == field.name) field.set(value);
    }
    return made;
  }
  std::string text() const {
    std::string line = recipe;
    for (const auto& [name, value] : changes) line += " " + name + "=" + value;
    return line + (with_targets ? " with targets" : "");
  }
};

/// Of every recipe the small one, the same with targets, and one for each other value of its switches and choices.
inline std::vector<Example> examples() {
  std::vector<Example> all;
  for (const RecipeInfo& info : recipes()) {
    all.push_back({info.name, {}});
    all.push_back({info.name, {}, true});
    const auto options = all.back().options();
    for (const Field& field : options->fields()) {
      std::vector<std::string> values;
      if (!field.about.values.empty()) values = split_list(field.about.values, field.name, '|');
      if (field.type == Field::Type::flag) values = {"true", "false"};
      for (const std::string& value : values) {
        // Products of bfloat16 are not on every machine; attack_precision_test.cpp has them.
        if (value == "bfloat16" || value == field.get()) continue;
        all.push_back({info.name, {{field.name, value}}});
        // What only two kernels show.
        if (field.name == "kernel-mix") all.back().changes.emplace_back("kernel", "fc:1|fc:2");
      }
    }
  }
  return all;
}

/// The small example of every recipe.
inline std::vector<Example> one_of_each() {
  std::vector<Example> all;
  for (const RecipeInfo& info : recipes()) all.push_back({info.name, {}});
  return all;
}

/// Another value of an option that the small example takes as well; empty: there is none.
inline std::string another_value(const Field& field) {
  const std::string here = field.get();
  if (field.name == "kernel") return "fc:3";
  if (field.name == "schedule") return "constant";
  if (field.name == "attack") return "pgd-4";
  if (field.name == "fields") return "smooth:2,digit";
  if (!field.about.values.empty()) {
    for (const std::string& value : split_list(field.about.values, field.name, '|'))
      if (value != here && value != "bfloat16") return value;
    return "";
  }
  switch (field.type) {
    case Field::Type::flag:
      return here == "true" ? "false" : "true";
    case Field::Type::count:
    case Field::Type::seed:
      return std::to_string(std::stoll(here) + 1);
    case Field::Type::number:
      return value_text(parse_number(here, field.name) / 2 + 0.01);
    default:
      return "";
  }
}

/// What a recipe works on.
struct RecipeBench {
  Blobs blobs;
  std::unique_ptr<Backend> backend;
  std::unique_ptr<KernelMachine> machine;
  Matrix<float> targets;
  std::vector<std::string> lines;  // of the log

  explicit RecipeBench(int threads = 2) : backend(make_backend("cpu", threads)), targets(blobs.x.rows(), 3) {
    const Kernel kernel(KernelSpec::parse("fc:2"), *backend, KernelOptions{Output::ntk, 0, blobs.data().shape});
    Ridge ridge;
    ridge.value = 1e-2;
    machine = std::make_unique<KernelMachine>(kernel, blobs.data().shape, blobs.x.view(),
                                              centred_one_hot(blobs.labels, blobs.classes).view(), ridge);
    for (index i = 0; i < targets.rows(); ++i)
      for (index k = 0; k < 3; ++k) targets(i, k) = static_cast<float>(0.01 * static_cast<double>(3 * i + k) - 0.5);
  }
  RecipeInput input(const Example& example) {
    RecipeInput input;
    input.data = blobs.data();
    if (example.with_targets) input.targets = targets.view();
    if (example.info().needs_model) input.model = machine.get();
    input.backend = backend.get();
    input.log = [this](LogLevel, const std::string& line) { lines.push_back(line); };
    return input;
  }
  std::unique_ptr<Recipe> make(const Example& example) { return example.options()->make(input(example)); }
};

inline void run(Recipe& recipe) {
  while (!recipe.done()) recipe.step();
}

/// What differs between two sets, bit by bit; empty: nothing.
inline std::string difference(const RecipeSet& a, const RecipeSet& b) {
  const auto same = [](const Matrix<float>& x, const Matrix<float>& y) {
    return x.rows() == y.rows() && x.cols() == y.cols() &&
           (x.empty() || std::memcmp(x.data(), y.data(), static_cast<std::size_t>(x.size()) * sizeof(float)) == 0);
  };
  std::string names;
  if (!same(a.images, b.images)) names += "images ";
  if (!same(a.targets, b.targets)) names += "targets ";
  if (!same(a.initial_images, b.initial_images)) names += "initial images ";
  if (a.labels != b.labels) names += "labels ";
  if (a.best_step != b.best_step) names += "best step ";
  return names;
}

/// What differs between two runs: results, rows (but for times) and facts.
inline std::string difference(const Recipe& a, const Recipe& b) {
  std::string names = difference(a.result(), b.result());
  if (a.rows().size() != b.rows().size()) return names + "number of rows";
  for (std::size_t t = 0; t < a.rows().size(); ++t)
    if (a.rows()[t].step != b.rows()[t].step || a.rows()[t].values != b.rows()[t].values)
      names += text("row ", t + 1, " ");
  if (a.facts() != b.facts()) names += "facts";
  return names;
}

}  // namespace ntkrob
