/// Recipes: ways to make a robust data set out of given images. The shelf is recipes.def, a recipe is one file beside
/// it.
///
///   options  a struct of fields (base/fields.hpp), from which the command, configuration files and provenance are made
///   start    RecipeOptions::make: plans, allocates and refuses; nothing is refused later that could be known here
///   step     the unit of work, of progress, of records and of interruption
///   result   the set so far
///   state    all that is needed to go on in another process, bit-identically
///
/// Every recipe promises: the same options and inputs give the same bytes, for any number of workers, in one run or in
/// several; an exception leaves the last whole step behind; pixels stay in [0,1] unless the options say otherwise.
/// tests/robust/recipes_test.cpp asks every row of the list for that.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ntkrob/base/fields.hpp"
#include "ntkrob/base/records.hpp"
#include "ntkrob/robust/robustifier.hpp"

namespace ntkrob {

/// What recipes work on. Everything it points to outlives the recipe.
struct RecipeInput {
  TrainingData data;             // the given images, with their labels
  ConstView2D<float> targets;    // N x C: the targets that came with them, or empty
  const Model* model = nullptr;  // where RecipeInfo::needs_model, of the images' shape and with as many classes or more
  Backend* backend = nullptr;
  std::size_t memory_budget = 0;  // as in KernelOptions
  LogSink log;
};

/// What a recipe has made.
struct RecipeSet {
  Matrix<float> images;          // n x D
  std::vector<int> labels;       // n: the class of each image
  Matrix<float> targets;         // n x C, or empty: the centred one-hot code of the labels
  Matrix<float> initial_images;  // n x D, or empty: what each image was made from, where that is worth keeping
  index best_step = 0;           // the step whose set this is, the last one for most recipes
};

/// A run of a recipe.
class Recipe {
 public:
  virtual ~Recipe() = default;
  /// What its records hold, in order.
  virtual const std::vector<Column>& columns() const = 0;
  /// One row per step done.
  virtual const std::vector<Row>& rows() const = 0;
  virtual index steps() const = 0;
  index steps_done() const { return static_cast<index>(rows().size()); }
  bool done() const { return steps_done() >= steps(); }
  /// requires: !done()   throws: as the recipe says; the state is then still that of the last whole step
  virtual Row step() = 0;
  /// The set as it stands. requires: done() for recipes that make their images one after the other
  virtual RecipeSet result() const = 0;
  /// Numbers about the whole run that no row holds, for reports: {"duplicates_dropped", 3}. They may change with steps.
  virtual std::vector<std::pair<std::string, double>> facts() const { return {}; }
  /// Options, data and progress; restore() refuses what other options or data have made, and names the difference.
  virtual StateDict state() const = 0;
  virtual void restore(const StateDict& state) = 0;
};

/// The options of one recipe: fresh ones hold the defaults.
class RecipeOptions {
 public:
  virtual ~RecipeOptions() = default;
  /// Bound to this object.
  virtual std::vector<Field> fields() = 0;
  /// Every option as (name, text), in the order of fields().
  OptionTexts texts() const;
  /// throws: ConfigError about a field
  virtual void validate() const = 0;
  /// throws: ConfigError (options, images, or a model that is missing, too many or of another shape), NotSupported
  virtual std::unique_ptr<Recipe> make(const RecipeInput& input) const = 0;
  /// What the work will take, lines of text for those who ask before it. Pixels and model need not be there yet:
  /// labels, shape and targets tell the sizes.
  virtual std::string plan(const RecipeInput& input) const = 0;
  /// Whether pixels may leave [0,1].
  virtual bool leaves_box() const { return false; }
  /// Whether the result has targets of its own.
  virtual bool makes_targets() const { return false; }
  /// Steps between two checkpoints; 0: by time alone.
  virtual index checkpoint_every() const { return 0; }
};

/// A row of the list.
struct RecipeInfo {
  std::string name;     // "sign-mix"
  std::string summary;  // one line
  std::string needs;    // what must be given, in words: requires
  std::string gives;    // what the result has: ensures
  std::string cost;     // in words: "two forward passes per image"
  bool needs_model = false;
  std::unique_ptr<RecipeOptions> (*options)() = nullptr;
};

/// All of them, in the order of recipes.def.
const std::vector<RecipeInfo>& recipes();
/// throws: ConfigError about the field "recipe" that lists the names
const RecipeInfo& find_recipe(const std::string& name);

}  // namespace ntkrob
