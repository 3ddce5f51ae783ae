/// PerImage: recipes that make their images one after the other, in blocks of rows. Private to robust.
///
/// One step is one block. What happens in it is counted (how many images were left clean, how many fooled a model), and
/// rows of records are made of the sums of these counts so far. A recipe says which of its arrays a checkpoint holds;
/// where that is none, restore() makes the blocks anew, which is right for what is cheaper to compute than to store.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "robust/recipe_kit.hpp"

namespace ntkrob::robust {

class PerImage : public Recipe {
 public:
  const std::vector<Column>& columns() const final { return setup_.columns; }
  const std::vector<Row>& rows() const final { return rows_; }
  index steps() const final { return steps_of(setup_.images, setup_.batch); }
  /// throws: what make_block throws, Interrupted among it; the state is then that of the last whole step
  Row step() final;
  StateDict state() const final;
  /// throws: ConfigError naming the option, the data, the recipe or the model that differ; IoError naming an entry that
  /// is missing or damaged; where blocks are made anew, what make_block throws. The object is then as before
  void restore(const StateDict& state) final;

 protected:
  struct Setup {
    std::string recipe;
    OptionTexts options;
    RecipeInput input;
    std::string model;  // model_text() of the model in use, or empty
    index images = 0;   // of the result
    index batch = 1;    // images of a step; in the last one fewer
    std::vector<Column> columns;
    index counts = 0;  // numbers that make_block counts
  };
  /// Of a recipe that makes one image of each that is given, by the outputs of its model.
  static Setup one_of_each(const std::string& recipe, OptionTexts options, const RecipeInput& input, index batch,
                           std::vector<Column> columns, index counts) {
    return {recipe, std::move(options), input, model_text(*input.model, input.data.x), input.data.x.rows,
            batch,  std::move(columns), counts};
  }
  explicit PerImage(Setup setup) : setup_(std::move(setup)), sums_(static_cast<std::size_t>(setup_.counts), 0) {}

  /// Makes the images [begin, begin + n) of the result: a function of these numbers, options and input alone, that
  /// writes only to their rows. It may be called again for rows that exist.   counts: zeros, n_counts of them; each
  /// gets the number of images of this block, at most n, of which something holds
  virtual void make_block(index begin, index n, std::vector<index>& counts) = 0;
  /// A row of records.   counts: sums over all blocks so far, of `images` images
  virtual std::vector<std::optional<double>> values(index images, const std::vector<index>& counts) const = 0;
  /// The arrays that a checkpoint holds, by name, each with a row per image.
  virtual std::vector<std::pair<std::string, Matrix<float>*>> kept() { return {}; }
  /// Lowest and highest number in them.
  virtual std::pair<float, float> kept_range() const;

  const RecipeInput& input() const { return setup_.input; }
  index images() const { return setup_.images; }
  /// throws: ConfigError unless all steps are done, naming the recipe
  void require_done() const;

 private:
  index first_of(index step) const { return step * setup_.batch; }
  index size_of(index step) const;
  Row row_of(index step, const std::vector<index>& sums, double seconds) const;
  const std::string& data_checksum() const;

  Setup setup_;
  std::vector<Row> rows_;
  std::vector<index> counts_;          // steps done x counts
  std::vector<index> sums_;            // counts: over all steps done
  mutable std::string data_checksum_;  // computed on first use: it reads all data
};

}  // namespace ntkrob::robust
