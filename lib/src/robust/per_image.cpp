#include "robust/per_image.hpp"

#include <algorithm>
#include <chrono>
#include <limits>

#include "ntkrob/base/state_entries.hpp"
#include "robust/given.hpp"

namespace ntkrob::robust {
namespace {

const char* const kFormat = "ntkrob.recipe/1";

}  // namespace

std::pair<float, float> PerImage::kept_range() const {
  return {std::numeric_limits<float>::lowest(), std::numeric_limits<float>::max()};
}

void PerImage::require_done() const {
  NTKROB_CHECK(done(), ConfigError, field("recipe", setup_.recipe), " has done ", steps_done(), " of ", steps(),
               " steps, and has no result before the last");
}

index PerImage::size_of(index step) const { return std::min(setup_.batch, setup_.images - first_of(step)); }

Row PerImage::row_of(index step, const std::vector<index>& sums, double seconds) const {
  return {step + 1, values(first_of(step) + size_of(step), sums), seconds};
}

Row PerImage::step() {
  NTKROB_CHECK(!done(), ConfigError, "all ", steps(), " steps are done");
  const auto start = std::chrono::steady_clock::now();
  look_for_stop(setup_.input.backend->stop());
  const index t = steps_done();
  std::vector<index> counts(static_cast<std::size_t>(setup_.counts), 0);
  make_block(first_of(t), size_of(t), counts);

  std::vector<index> sums = sums_;
  for (std::size_t k = 0; k < sums.size(); ++k) sums[k] += counts[k];
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  Row row = row_of(t, sums, seconds);
  if (counts_.capacity() < counts_.size() + counts.size()) counts_.reserve(2 * counts_.size() + counts.size());
  rows_.push_back(row);  // what follows does not fail
  counts_.insert(counts_.end(), counts.begin(), counts.end());
  sums_ = std::move(sums);
  return row;
}

const std::string& PerImage::data_checksum() const {
  if (data_checksum_.empty()) data_checksum_ = checksum_text(setup_.input.data, setup_.input.targets);
  return data_checksum_;
}

StateDict PerImage::state() const {
  StateDict state;
  state.set("format", std::string(kFormat));
  state.set("recipe", setup_.recipe);
  set_options(state, "options/", setup_.options);
  state.set("data", data_checksum());
  if (!setup_.model.empty()) state.set("model", setup_.model);
  set_index(state, "step", steps_done());
  set_vector<std::int64_t>(state, "counts", counts_);
  std::vector<double> seconds;
  for (const Row& row : rows_) seconds.push_back(row.seconds);
  set_vector<double>(state, "seconds", seconds);
  const index made = std::min(first_of(steps_done()), setup_.images);
  if (made > 0)
    // Their names and places do not change the object.
    for (const auto& [name, matrix] : const_cast<PerImage*>(this)->kept())
      state.set_matrix("made/" + name, static_cast<const Matrix<float>*>(matrix)->view().middle_rows(0, made));
  return state;
}

void PerImage::restore(const StateDict& state) {
  const std::string& format = state.get<std::string>("format");
  check_same_recipe(state, setup_.recipe);
  NTKROB_CHECK(format == kFormat, IoError, "the checkpoint has format \"", format, "\", expected \"", kFormat, "\"");
  check_same_options(state, setup_.options);
  check_same_data(state, data_checksum());
  if (!setup_.model.empty()) {
    const std::string& model = state.get<std::string>("model");
    NTKROB_CHECK(model == setup_.model, ConfigError, "the checkpoint was made with another ", field("model"),
                 ", or on another backend (", given(model), "; here: ", limit(setup_.model), "); ",
                 advice("resume with the model and backend it was made with"));
  }

  // All is read before anything is changed: a damaged checkpoint leaves this object as it was.
  const index done = get_index(state, "step", steps());
  const index made = std::min(first_of(done), setup_.images);
  std::vector<index> counts;
  get_vector<std::int64_t>(state, "counts", static_cast<std::size_t>(done * setup_.counts), counts, 0, setup_.batch);
  for (std::size_t k = 0; k < counts.size(); ++k) {
    const index most = size_of(static_cast<index>(k) / setup_.counts);
    NTKROB_CHECK(counts[k] <= most, IoError, "entry \"counts\" has the value ", counts[k], " at place ", k,
                 ", must be from 0 to ", most);
  }
  std::vector<double> seconds;
  get_vector<double>(state, "seconds", static_cast<std::size_t>(done), seconds, 0);
  const auto targets = kept();
  const auto [low, high] = kept_range();
  std::vector<Matrix<float>> stored;
  for (const auto& [name, matrix] : targets)
    if (made > 0) stored.push_back(get_matrix<float>(state, "made/" + name, made, matrix->cols(), low, high));
  std::vector<Row> rows;
  std::vector<index> sums(sums_.size(), 0);
  for (std::size_t t = 0; t < static_cast<std::size_t>(done); ++t) {
    for (std::size_t k = 0; k < sums.size(); ++k) sums[k] += counts[t * sums.size() + k];
    rows.push_back(row_of(static_cast<index>(t), sums, seconds[t]));
  }

  if (targets.empty()) {
    // A block has the same bytes whenever it is made, so one that fails here costs nothing that was there before.
    for (index t = 0; t < done; ++t) {
      std::vector<index> again(static_cast<std::size_t>(setup_.counts), 0);
      make_block(first_of(t), size_of(t), again);
      for (index k = 0; k < setup_.counts; ++k)
        NTKROB_CHECK(again[static_cast<std::size_t>(k)] == counts[static_cast<std::size_t>(t * setup_.counts + k)],
                     IoError, "entry \"counts\" has the value ",
                     counts[static_cast<std::size_t>(t * setup_.counts + k)], " at place ", t * setup_.counts + k,
                     ", must be ", again[static_cast<std::size_t>(k)]);
    }
  }
  for (std::size_t k = 0; k < stored.size(); ++k)
    convert(stored[k].view(), targets[k].second->view().middle_rows(0, made));
  rows_ = std::move(rows);
  counts_ = std::move(counts);
  sums_ = std::move(sums);
}

}  // namespace ntkrob::robust
