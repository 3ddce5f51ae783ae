/// Arranges images for a picture: one row per class, singly or in pairs.
#pragma once

#include <vector>

#include "ntkrob/base/view.hpp"

namespace ntkrob::jobs {

struct ImageGrid {
  Matrix<float> images;  // in drawing order, row by row; empty cells are mid-grey
  index per_row = 0;
};

/// Takes about n images (the first of each class, the same number of each) and orders them by class.
///   left: N x D   right: M x D or empty: then each image i < min(N, M) is followed by image i of right
///   labels: N, in [0, classes)
ImageGrid class_grid(ConstView2D<float> left, ConstView2D<float> right, const std::vector<int>& labels, index classes,
                     index n);
/// Pixels per image pixel, so that an image is about 60 to 120 pixels wide.
int default_scale(const ImageShape& shape);

}  // namespace ntkrob::jobs
