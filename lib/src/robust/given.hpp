/// What a run was given: checks of images, labels and checkpoints that every recipe makes. Private to robust.
#pragma once

#include <cstdint>
#include <string>

#include "ntkrob/base/fnv1a.hpp"
#include "ntkrob/base/state_entries.hpp"
#include "ntkrob/robust/robustifier.hpp"

namespace ntkrob::robust {

/// throws: ShapeError (labels, shape), NonFinite, ConfigError naming image, position and value (pixels in [0, 1],
/// labels in [0, classes))
void check_images(const TrainingData& data);
/// throws: ConfigError where all images are of one class
void check_several_classes(const TrainingData& data);

/// FNV-1a over 32-bit words: detects other data, is not meant against forgery.
class Checksum {
 public:
  void add(std::uint32_t word) { hash_ = fnv1a_step(hash_, word); }
  /// Row by row.
  void add(ConstView2D<float> values);
  std::uint64_t value() const { return hash_; }

 private:
  std::uint64_t hash_ = kFnv1aStart;
};

/// Shape, classes, and the checksum of all pixels and labels; of targets too, where there are any.
std::string checksum_text(const TrainingData& data, ConstView2D<float> targets = {});

/// The entries "options/<name>" of a checkpoint are these, but for the option `free`, which no result depends on.
///   throws: ConfigError about the first that differs, with both values; IoError naming an entry that is missing
void check_same_options(const StateDict& state, const OptionTexts& options, const std::string& free = {});
/// throws: ConfigError where the entry "data" is another text
void check_same_data(const StateDict& state, const std::string& checksum);
/// The entry "recipe".   throws: ConfigError where there is none, or another recipe's
void check_same_recipe(const StateDict& state, const std::string& recipe);

}  // namespace ntkrob::robust
