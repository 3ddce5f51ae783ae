/// Random changes of training images, each a switch of its own and off by default: a robust set is trained on as it is.
#pragma once

#include "ntkrob/backend/backend.hpp"
#include "ntkrob/base/fields.hpp"
#include "ntkrob/base/random.hpp"

namespace ntkrob {

/// In the order in which an image goes through them.
struct Augmentation {
  bool flip = false;  // left and right, every other image; first and last of signals
  index shift = 0;    // up to so many pixels up, down, left and right, each as likely; what comes in is 0. Known as a
                      // random crop after padding by `shift`
  index cutout = 0;   // the side of a square of zeros, whose centre is any pixel (DeVries & Taylor 2017); 0: none
  bool any() const { return flip || shift > 0 || cutout > 0; }
  /// throws: ConfigError where images of this shape have not the room for it
  void check(ImageShape shape) const;
};

/// Calls visitor(name, field, help, about) for every field (base/fields.hpp).
template <class Options, class Visitor>
void visit_augmentation(Options& o, Visitor&& visitor) {
  visitor("flip", o.flip, "augmentation: mirror every other training image, left and right");
  visitor("shift", o.shift, "augmentation: shift training images by up to N pixels, zeros come in", within(0, 10'000));
  visitor("cutout", o.cutout, "augmentation: a square of zeros, N pixels wide, in every training image",
          within(0, 10'000));
}

/// Changes images in place; signals (T x 1 x C) along their length only: a flip turns time around.
///   x: n x shape.size()   random: image i is changed by its sub-stream i, whatever its neighbours
void augment(const Augmentation& how, ImageShape shape, const Rng& random, Backend& backend, View2D<float> x);

}  // namespace ntkrob
