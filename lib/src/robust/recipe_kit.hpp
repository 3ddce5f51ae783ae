/// What recipes are made of: options from a struct, and the checks that several of them make. Private to robust.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ntkrob/base/words.hpp"
#include "ntkrob/robust/recipe.hpp"

namespace ntkrob::robust {

/// The functions that recipes.def names. They leave name and summary empty.
#define NTKROB_RECIPE(name, function, summary) RecipeInfo function();
#include "robust/recipes.def"
#undef NTKROB_RECIPE

/// RecipeOptions of a struct that has visit_fields() (base/fields.hpp) beside it, and these members:
///   void validate() const                          what its fields do not say of themselves
///   std::unique_ptr<Recipe> make(const RecipeInput&) const   called with valid options
///   std::string plan(const RecipeInput&) const     likewise
template <class Struct>
class OptionsOf : public RecipeOptions {
 public:
  std::vector<Field> fields() override {
    FieldCollector collector;
    visit_fields(options_, collector);
    return std::move(collector.fields);
  }
  void validate() const override {
    visit_fields(options_, FieldChecker());
    options_.validate();
  }
  std::unique_ptr<Recipe> make(const RecipeInput& input) const override {
    validate();
    return options_.make(input);
  }
  std::string plan(const RecipeInput& input) const override {
    validate();
    return options_.plan(input);
  }

 protected:
  Struct options_;
};

template <class Options>
std::unique_ptr<RecipeOptions> fresh_options() {
  return std::make_unique<Options>();
}

/// (name, text) of every field of a struct.
template <class Struct>
OptionTexts texts_of(const Struct& options) {
  TextCollector collector;
  visit_fields(options, collector);
  return std::move(collector.texts);
}

/// What beside images and labels is given; these are check_images' part (robust/given.hpp).
///   throws: ShapeError, NonFinite (targets); ConfigError (no images; a model that is missing, not needed, of another
///   shape of images or with fewer classes)
void check_input(const RecipeInput& input, const std::string& recipe, bool needs_model);

/// "linf", "l2" or "l1" and a radius for the given images.   throws: ConfigError about the field "norm" or "eps"
ThreatModel threat_of(const RecipeInput& input, const std::string& norm, double eps);

/// Of the given images. A plan may be asked for before their pixels are read, so it counts labels and asks the shape.
inline index image_count(const RecipeInput& input) {
  return input.data.labels == nullptr ? input.data.x.rows : static_cast<index>(input.data.labels->size());
}

/// Blocks of `batch` images, the last one smaller.
inline index steps_of(index images, index batch) { return images / batch + (images % batch != 0); }

/// Bytes of `images` pictures with `numbers` more numbers each.   throws: ResourceError where no size holds them
std::size_t set_bytes(const RecipeInput& input, index images, index numbers);
/// Refuses a result that has no room, before the work. A recipe that keeps what it has made holds it twice when the
/// result is taken.   bytes: in all. A memory budget that was given always holds; without one, more than 4 GiB must fit
/// three quarters of the machine's memory.   throws: ResourceError naming bytes and limit, with this advice
void check_room(const RecipeInput& input, std::size_t bytes, const MessagePart& remedy);

/// Tells models apart: classes, and the outputs for the first of the given images. One forward pass of a few rows, so
/// recipes ask when they are made, where an interruption finds nothing half done.   throws: NonFinite
std::string model_text(const Model& model, ConstView2D<float> x);

}  // namespace ntkrob::robust
