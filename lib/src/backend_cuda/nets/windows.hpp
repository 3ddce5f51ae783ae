/// Windows on images: patches of convolutions and back, and pools. Images are rows in the order H W C; a thread has one
/// number, neighbours are channels. Backward passes gather: a pixel adds what the windows around it have for it, in the
/// order of their positions, so that sums have one order and nobody shares a target.
#pragma once

#include <limits>

#include "backend_cuda/nets/elements.hpp"
#include "ntkrob/backend/net.hpp"

namespace ntkrob::cuda::nets {

/// A window on images of one shape.
struct Geometry {
  int height = 1, width = 1, channels = 1;  // of the image
  int kh = 1, kw = 1, stride = 1, top = 0, left = 0;
  int rows = 1, cols = 1;                  // positions
  Divider by_channels, by_line, by_image;  // C, W C, H W C: numbers of an image
  Divider by_run, by_patch;                // kw C, kh kw C: numbers of a patch
  Divider by_cols, by_positions;           // cols, rows cols: positions
  Divider by_stride;

  Geometry() = default;
  explicit Geometry(const NetLayer& layer)
      : height(static_cast<int>(layer.in.height)),
        width(static_cast<int>(layer.in.width)),
        channels(static_cast<int>(layer.in.channels)),
        rows(static_cast<int>(layer.out.height)),
        cols(static_cast<int>(layer.out.width)) {
    if (layer.kind == NetLayer::Kind::gap) {  // one window
      kh = height;
      kw = width;
    } else {
      kh = static_cast<int>(layer.kh);
      kw = static_cast<int>(layer.kw);
      stride = static_cast<int>(layer.stride);
      top = static_cast<int>(layer.top);
      left = static_cast<int>(layer.left);
    }
    by_channels = Divider(channels);
    by_line = Divider(index{1} * width * channels);
    by_image = Divider(index{1} * height * width * channels);
    by_run = Divider(index{1} * kw * channels);
    by_patch = Divider(index{1} * kh * kw * channels);
    by_cols = Divider(cols);
    by_positions = Divider(index{1} * rows * cols);
    by_stride = Divider(stride);
  }

  NTKROB_HD index image_numbers() const { return by_image.by; }
  NTKROB_HD index positions() const { return by_positions.by; }
  NTKROB_HD index patch_numbers() const { return by_patch.by; }
  /// Every position sees one pixel, its own: patches are the image.
  bool pointwise() const { return kh == 1 && kw == 1 && stride == 1 && top == 0 && left == 0; }

  NTKROB_HD static int low(int a) { return a > 0 ? a : 0; }
  NTKROB_HD static int high(int a, int b) { return a < b ? a : b; }

  /// Calls tap(number of the tap, first number of the pixel) for the taps of position (oy, ox) inside the image.
  template <class Tap>
  NTKROB_HD void for_taps(int oy, int ox, const Tap& tap) const {
    const int y0 = oy * stride - top, x0 = ox * stride - left;
    const int y_end = high(kh, height - y0), x_end = high(kw, width - x0);
    for (int ky = low(-y0); ky < y_end; ++ky)
      for (int kx = low(-x0); kx < x_end; ++kx) tap(ky * kw + kx, ((y0 + ky) * width + x0 + kx) * channels);
  }
  /// Taps of position (oy, ox) inside the image.
  NTKROB_HD int taps(int oy, int ox) const {
    const int y0 = oy * stride - top, x0 = ox * stride - left;
    return low(high(kh, height - y0) - low(-y0)) * low(high(kw, width - x0) - low(-x0));
  }
  /// Calls window(oy, ox, number of the tap) for the positions that see pixel (y, x), in their order.
  template <class Visit>
  NTKROB_HD void for_windows(int y, int x, const Visit& window) const {
    const int a = y + top, b = x + left;
    const int oy_end = high(quotient(a) + 1, rows), ox_end = high(quotient(b) + 1, cols);
    for (int oy = a < kh ? 0 : quotient(a - kh) + 1; oy < oy_end; ++oy)
      for (int ox = b < kw ? 0 : quotient(b - kw) + 1; ox < ox_end; ++ox)
        window(oy, ox, (a - oy * stride) * kw + b - ox * stride);
  }

  /// Number e of a batch of images, taken apart.
  struct Place {
    std::uint32_t image;
    int y, x, c;
  };
  NTKROB_HD Place pixel(std::uint32_t e) const {
    const std::uint32_t image = by_image.quotient(e), in_image = e - image * by_image.by;
    const std::uint32_t y = by_line.quotient(in_image), in_line = in_image - y * by_line.by;
    const std::uint32_t x = by_channels.quotient(in_line);
    return {image, static_cast<int>(y), static_cast<int>(x), static_cast<int>(in_line - x * by_channels.by)};
  }
  /// Position p of a batch of images.
  NTKROB_HD Place position(std::uint32_t p) const {
    const std::uint32_t image = by_positions.quotient(p), in_image = p - image * by_positions.by;
    const std::uint32_t y = by_cols.quotient(in_image);
    return {image, static_cast<int>(y), static_cast<int>(in_image - y * by_cols.by), 0};
  }

 private:
  NTKROB_HD int quotient(int n) const { return static_cast<int>(by_stride.quotient(static_cast<std::uint32_t>(n))); }
};

/// What positions [first, first + count) of a batch see, one per row, zeros outside the image.
template <class R>
struct Patches : Elements<Patches<R>> {
  Geometry w;
  const R* x = nullptr;  // images
  index first = 0, count = 0;
  R* patches = nullptr;  // count x kh kw C
  NTKROB_HD long long elements() const { return count * w.patch_numbers(); }
  NTKROB_HD void element(std::uint32_t e) const {
    const std::uint32_t p = w.by_patch.quotient(e), in_patch = e - p * w.by_patch.by;
    const std::uint32_t ky = w.by_run.quotient(in_patch), in_run = in_patch - ky * w.by_run.by;
    const Geometry::Place at = w.position(static_cast<std::uint32_t>(first) + p);
    // A run of kw pixels lies in the image as it lies in the patch.
    const int y = at.y * w.stride - w.top + static_cast<int>(ky);
    const int in_line = (at.x * w.stride - w.left) * w.channels + static_cast<int>(in_run);
    const bool inside = y >= 0 && y < w.height && in_line >= 0 && in_line < w.width * w.channels;
    patches[e] = inside ? x[at.image * w.image_numbers() + index{1} * y * w.width * w.channels + in_line] : R(0);
  }
};

/// The transpose of Patches: derivatives by pixels from those by patches. An image that is cut between two launches
/// goes on with the sums of the first.
template <class R>
struct FromPatches : Elements<FromPatches<R>> {
  Geometry w;
  const R* patches = nullptr;  // count x kh kw C
  index first = 0, count = 0;
  const R* hidden = nullptr;                                           // the input of the layer behind a ReLU, or null
  R* dx = nullptr;                                                     // images
  NTKROB_HD long long image() const { return first / w.positions(); }  // the first
  NTKROB_HD long long elements() const {
    return count == 0 ? 0 : ((first + count - 1) / w.positions() + 1 - image()) * w.image_numbers();
  }
  NTKROB_HD void element(std::uint32_t e) const {
    const Geometry::Place at = w.pixel(e);
    const index target = image() * w.image_numbers() + e;
    const index before = (image() + at.image) * w.positions() - first;  // row of the image's first position
    R sum = before < 0 ? dx[target] : R(0);
    w.for_windows(at.y, at.x, [&](int oy, int ox, int tap) {
      const index p = before + index{1} * oy * w.cols + ox;
      if (p >= 0 && p < count) sum += patches[p * w.patch_numbers() + tap * w.channels + at.c];
    });
    dx[target] = hidden != nullptr && hidden[target] <= R(0) ? R(0) : sum;
  }
};

/// The largest number of each window, and which tap has it: the first of equals, a NaN before all others.
template <class R>
struct MaxPool : Elements<MaxPool<R>> {
  Geometry w;
  const R* x = nullptr;
  index n = 0;  // images
  bool open = false;
  R* y = nullptr;
  std::int32_t* tap = nullptr;  // like y, or null if not wanted
  NTKROB_HD long long elements() const { return n * w.positions() * w.channels; }
  NTKROB_HD void element(std::uint32_t e) const {
    const std::uint32_t p = w.by_channels.quotient(e);
    const Geometry::Place at = w.position(p);
    const R* image = x + at.image * w.image_numbers() + (e - p * w.by_channels.by);
    R best = -std::numeric_limits<R>::infinity();
    int chosen = -1;
    w.for_taps(at.y, at.x, [&](int number, int from) {
      const R v = image[from];
      if (chosen < 0 || v > best || v != v) best = v, chosen = number;
    });
    y[e] = open ? relu(best) : best;
    if (tap != nullptr) tap[e] = chosen;
  }
};

template <class R>
struct MaxPoolBack : Elements<MaxPoolBack<R>> {
  Geometry w;
  const R* delta = nullptr;
  const std::int32_t* tap = nullptr;
  const R* hidden = nullptr;
  index n = 0;
  R* dx = nullptr;
  NTKROB_HD long long elements() const { return n * w.image_numbers(); }
  NTKROB_HD void element(std::uint32_t e) const {
    const Geometry::Place at = w.pixel(e);
    const index before = at.image * w.positions();
    R sum = 0;
    w.for_windows(at.y, at.x, [&](int oy, int ox, int number) {
      const index from = (before + index{1} * oy * w.cols + ox) * w.channels + at.c;
      if (tap[from] == number) sum += delta[from];
    });
    dx[e] = hidden != nullptr && hidden[e] <= R(0) ? R(0) : sum;
  }
};

/// The mean of each window.
template <class R>
struct AvgPool : Elements<AvgPool<R>> {
  Geometry w;
  bool inside = false;  // divides by the taps inside the image
  const R* x = nullptr;
  index n = 0;
  bool open = false;
  R* y = nullptr;
  NTKROB_HD long long elements() const { return n * w.positions() * w.channels; }
  NTKROB_HD void element(std::uint32_t e) const {
    const std::uint32_t p = w.by_channels.quotient(e);
    const Geometry::Place at = w.position(p);
    const R* image = x + at.image * w.image_numbers() + (e - p * w.by_channels.by);
    R sum = 0;
    w.for_taps(at.y, at.x, [&](int, int from) { sum += image[from]; });
    sum /= static_cast<R>(inside ? w.taps(at.y, at.x) : w.kh * w.kw);
    y[e] = open ? relu(sum) : sum;
  }
};

template <class R>
struct AvgPoolBack : Elements<AvgPoolBack<R>> {
  Geometry w;
  bool inside = false;
  const R* delta = nullptr;
  const R* hidden = nullptr;
  index n = 0;
  R* dx = nullptr;
  NTKROB_HD long long elements() const { return n * w.image_numbers(); }
  NTKROB_HD void element(std::uint32_t e) const {
    const Geometry::Place at = w.pixel(e);
    const index before = at.image * w.positions();
    R sum = 0;
    w.for_windows(at.y, at.x, [&](int oy, int ox, int) {
      sum += delta[(before + index{1} * oy * w.cols + ox) * w.channels + at.c] /
             static_cast<R>(inside ? w.taps(oy, ox) : w.kh * w.kw);
    });
    dx[e] = hidden != nullptr && hidden[e] <= R(0) ? R(0) : sum;
  }
};

}  // namespace ntkrob::cuda::nets
