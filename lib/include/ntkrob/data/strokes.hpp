/// strokes: the built-in data set, 28 x 28 grey images of handwritten-like digits.
///
/// Each digit is drawn from stroke skeletons of our own (poly-lines and arcs in the unit square), several variants per
/// digit, with random affine maps, elastic displacement, pen width and ink, anti-aliased. Any number, seeded: image i
/// of a split is a function of (seed, split, i) alone.
#pragma once

#include "ntkrob/data/dataset.hpp"

namespace ntkrob {

/// n_train and n_test images, classes balanced (image i has class i mod 10 after a seeded shuffle), uint8.
Dataset make_strokes(index n_train, index n_test, std::uint64_t seed);

}  // namespace ntkrob
