#include "robust/given.hpp"

#include <cmath>
#include <cstring>

#include "ntkrob/model/classes.hpp"

namespace ntkrob::robust {

void check_images(const TrainingData& data) {
  NTKROB_CHECK(data.labels != nullptr && static_cast<index>(data.labels->size()) == data.x.rows, ShapeError,
               "the training data have ", data.x.rows, " images and ", data.labels ? data.labels->size() : 0,
               " labels");
  NTKROB_CHECK(data.x.cols == data.shape.size(), ShapeError, "training images have ", data.x.cols,
               " numbers, expected ", data.shape.height, " x ", data.shape.width, " x ", data.shape.channels);
  for (index i = 0; i < data.x.rows; ++i) {
    for (index j = 0; j < data.x.cols; ++j) {
      const float v = data.x(i, j);
      NTKROB_CHECK(std::isfinite(v), NonFinite, "training image ", i, " has the value ", v, " at position ", j);
      NTKROB_CHECK(v >= 0 && v <= 1, ConfigError, "training image ", i, " has the value ", v, " at position ", j,
                   ", must be in [0, 1]");
    }
    const int label = (*data.labels)[static_cast<std::size_t>(i)];
    NTKROB_CHECK(label >= 0 && label < data.classes, ConfigError, "training image ", i, " has the label ", label,
                 ", must be in [0, ", data.classes - 1, "]");
  }
}

void check_several_classes(const TrainingData& data) {
  const std::vector<index> present = classes_present(class_counts(*data.labels, data.classes));
  NTKROB_CHECK(present.size() >= 2, ConfigError, "all ", data.x.rows, " training images are of one class, ",
               present.empty() ? std::string("none") : text(present.front()), ", at least 2 classes are needed");
}

void Checksum::add(ConstView2D<float> values) {
  for (index i = 0; i < values.rows; ++i)
    for (index j = 0; j < values.cols; ++j) {
      std::uint32_t word;
      std::memcpy(&word, &values(i, j), sizeof word);
      add(word);
    }
}

std::string checksum_text(const TrainingData& data, ConstView2D<float> targets) {
  Checksum sum;
  for (index i = 0; i < data.x.rows; ++i) {
    sum.add(data.x.middle_rows(i, 1));
    sum.add(static_cast<std::uint32_t>((*data.labels)[static_cast<std::size_t>(i)]));
  }
  std::string line =
      text(data.x.rows, " x ", data.x.cols, ", ", data.classes, " classes, fnv1a:", std::hex, sum.value());
  if (targets.empty()) return line;
  Checksum of_targets;
  of_targets.add(targets);
  return line + text(", targets fnv1a:", std::hex, of_targets.value());
}

void check_same_options(const StateDict& state, const OptionTexts& options, const std::string& free) {
  for (const auto& [name, here] : options) {
    if (name == free) continue;
    const std::string& there = state.get<std::string>("options/" + name);
    const auto shown = [](const std::string& value) { return value.empty() ? std::string("\"\"") : value; };
    NTKROB_CHECK(there == here, ConfigError, "the checkpoint was made with ", field(name, shown(there)),
                 ", this run has ", field(name, shown(here)), "; ",
                 advice("resume with the options of the checkpoint"));
  }
}

void check_same_data(const StateDict& state, const std::string& checksum) {
  const std::string& data = state.get<std::string>("data");
  NTKROB_CHECK(data == checksum, ConfigError, "the checkpoint was made from other training data (", data,
               "; given: ", checksum, "); ", advice("resume with the data it was made from"));
}

void check_same_recipe(const StateDict& state, const std::string& recipe) {
  NTKROB_CHECK(state.contains("recipe"), ConfigError, "the checkpoint was written by ntkrob before it had recipes; ",
               advice("start anew"));
  const std::string& there = state.get<std::string>("recipe");
  NTKROB_CHECK(there == recipe, ConfigError, "the checkpoint was made with ", field("recipe", there), ", this run has ",
               field("recipe", recipe), "; ", advice("resume with the recipe of the checkpoint"));
}

}  // namespace ntkrob::robust
