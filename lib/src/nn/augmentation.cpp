#include "ntkrob/nn/augmentation.hpp"

#include <algorithm>
#include <functional>

#include "nn/blocks.hpp"

namespace ntkrob {
namespace {

void flip_image(ImageShape shape, float* image) {
  const index c = shape.channels;
  for (index y = 0; y < shape.height; ++y) {
    float* const row = image + y * shape.width * c;
    for (index left = 0, right = shape.width - 1; left < right; ++left, --right)
      std::swap_ranges(row + left * c, row + (left + 1) * c, row + right * c);
  }
}

/// Rows and columns are walked away from where they come from, so that none is overwritten before it is read.
void shift_image(ImageShape shape, index down, index right, float* image) {
  const index c = shape.channels, row = shape.width * c, kept = std::max<index>(0, shape.width - std::abs(right)) * c;
  const index to = std::max<index>(0, right) * c, from = std::max<index>(0, -right) * c;
  for (index k = 0; k < shape.height; ++k) {
    const index y = down > 0 ? shape.height - 1 - k : k, source = y - down;
    float* const line = image + y * row;
    if (source < 0 || source >= shape.height) {
      std::fill_n(line, row, 0.0f);
      continue;
    }
    const float* const old = image + source * row;
    if (to > from)
      std::copy_backward(old + from, old + from + kept, line + to + kept);
    else
      std::copy(old + from, old + from + kept, line + to);
    std::fill_n(line, to, 0.0f);
    std::fill_n(line + to + kept, row - to - kept, 0.0f);
  }
}

void cut_image(ImageShape shape, index side, index y, index x, float* image) {
  const index top = std::max<index>(0, y - side / 2), bottom = std::min(shape.height, y - side / 2 + side);
  const index left = std::max<index>(0, x - side / 2), right = std::min(shape.width, x - side / 2 + side);
  for (index i = top; i < bottom; ++i)
    std::fill_n(image + (i * shape.width + left) * shape.channels, (right - left) * shape.channels, 0.0f);
}

/// T x 1 x C and 1 x T x C lie in memory alike.
ImageShape lying(ImageShape shape) { return shape.width == 1 ? ImageShape{1, shape.height, shape.channels} : shape; }

/// In [-most, most].
index draw_shift(const Rng& rng, std::uint64_t i, index most) { return rng.below(i, 2 * most + 1) - most; }

}  // namespace

void Augmentation::check(ImageShape shape) const {
  shape = lying(shape);
  const index smaller = shape.height == 1 ? shape.width : std::min(shape.height, shape.width);
  const std::string images = text("images are ", shape.height, " x ", shape.width);
  NTKROB_CHECK(!flip || shape.width > 1, ConfigError, field("flip"), ": ", images, ", nothing would change; ",
               advice("leave ", field("flip"), " out"));
  NTKROB_CHECK(shift < smaller || shift == 0, ConfigError, field("shift"), " is ", given(shift), ", ", images,
               "; at most ", limit(smaller - 1), " leave something of each");
  NTKROB_CHECK(cutout < smaller || cutout == 0, ConfigError, field("cutout"), " is ", given(cutout), ", ", images,
               "; at most ", limit(smaller - 1), " leave something of each");
}

void augment(const Augmentation& how, ImageShape shape, const Rng& random, Backend& backend, View2D<float> x) {
  NTKROB_CHECK_SHAPE(x, x.rows, shape.size());
  shape = lying(shape);
  nn::for_blocks(backend, x.rows, nn::rows_per_block(x.cols), [&](index begin, index count) {
    for (index i = begin; i < begin + count; ++i) {
      const Rng own = random.fork(static_cast<std::uint64_t>(i));
      if (how.flip && own.below(0, 2) == 1) flip_image(shape, x.row(i));
      if (how.shift > 0) {
        const index down = shape.height > 1 ? draw_shift(own, 1, how.shift) : 0;
        shift_image(shape, down, draw_shift(own, 2, how.shift), x.row(i));
      }
      if (how.cutout > 0) cut_image(shape, how.cutout, own.below(3, shape.height), own.below(4, shape.width), x.row(i));
    }
  });
}

}  // namespace ntkrob
