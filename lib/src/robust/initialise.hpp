/// Where a robustification starts: the validation split and the initial support images. Private to robust.
#pragma once

#include <vector>

#include "ntkrob/robust/robustifier.hpp"

namespace ntkrob::robust {

/// The images of the data that batches and support are drawn from, and those kept for validation. Ascending indices.
struct DataSplit {
  std::vector<index> pool;
  std::vector<index> held_out;
};

/// Holds out the last `validation` images of a permutation of all.
/// throws: ConfigError when nothing would be left
DataSplit split_data(index n_data, index validation, std::uint64_t seed);

/// Leaves an image of every class in the pool: where validation has taken all of a class, one of them changes places
/// with one of the largest class. A split whose pool has all classes stays as it is.   labels: of all images, in [0,
/// classes)
void keep_every_class(const std::vector<int>& labels, index classes, DataSplit& split);

/// Rows of x. indices: k   returns: k x D
Matrix<float> gather(ConstView2D<float> x, const std::vector<index>& indices);
std::vector<int> gather(const std::vector<int>& labels, const std::vector<index>& indices);

struct SupportDraw {
  Matrix<float> images;        // n x D
  std::vector<int> labels;     // n
  std::vector<index> sources;  // n: rows of the data, or empty where the images are noise
  index duplicates_dropped = 0;
};

/// Classes as balanced as the data allow, in turn (0, 1, .., C-1, 0, ..): classes without images in the data get none,
/// those with few give all they have, and the log names both. Candidates closer than duplicate_angle to an image chosen
/// before are replaced by the next of their class.
/// throws: ConfigError when the data hold no n different images, or n is less than the number of classes that have any
SupportDraw draw_support(const RobustifyOptions& options, const TrainingData& data, const std::vector<index>& pool,
                         Backend& backend, const LogSink& log);

}  // namespace ntkrob::robust
