/// The random moves of the Square attack: where the next candidate differs from the best point so far.
/// Andriushchenko, Croce, Flammarion, Hein, "Square attack", ECCV 2020, arXiv 1912.00049, algorithms 2 and 3; l1 as in
/// Croce & Hein, "Mind the box", ICML 2021, arXiv 2103.01208.
#pragma once

#include <vector>

#include "ntkrob/attack/threat.hpp"
#include "ntkrob/base/random.hpp"

namespace ntkrob {

/// Sides of a window in an image.
struct WindowSize {
  index height = 0, width = 0;
  bool operator!=(const WindowSize& o) const { return height != o.height || width != o.width; }
};

/// A window of about `share` of the pixels, as square as the image allows. linf: any size; l2, l1: odd sides of 3 or
/// more, where the image has them.
WindowSize window_size(Norm norm, const ImageShape& shape, double share);

/// The share of pixels to change in query number `query`, from 0: p_init, halved after 10, 50, 200, 500, 1000, 2000,
/// 4000, 6000 and 8000 queries.
double square_share(double p_init, index query);

/// Moves of one threat model on images of one shape. Not changed by moves: rows may be served at once.
class SquareMoves {
 public:
  SquareMoves(const ThreatModel& threat, const ImageShape& shape);

  /// Chooses the size of the next moves.
  void resize(double share);
  /// The first point: stripes at the faces of the ball (linf), bumps of both signs on a grid (l2, l1).   x, z: D
  void start(const float* x, float* z, const Rng& rng) const;
  /// A candidate from the best point z.   x, z, out: D (out overwritten)   ensures: out in ball and box
  void propose(const float* x, const float* z, float* out, const Rng& rng) const;

 private:
  using Pattern = std::vector<double>;  // of a window, row-major

  void propose_linf(const float* x, const float* z, float* out, const Rng& rng) const;
  void propose_bumps(const float* x, const float* z, float* out, const Rng& rng) const;
  /// To a point of ball and box: l2 at the surface of the ball before the box clips it, l1 by projection.
  void finish(const float* x, const double* delta, float* out) const;
  double size(double sum) const;  // of a part, from the sum of its measures
  double measure(double value) const;

  /// Concentric rectangles whose heights fall off, of norm 1.
  Pattern peak(index height, index width) const;
  /// A peak and a pit side by side, of norm 1; split along the rows or the columns.
  Pattern bump(WindowSize size, bool along_rows) const;

  ThreatModel threat_;
  ImageShape shape_;
  WindowSize window_;
  Pattern bumps_[2];  // of window_, in both directions
};

}  // namespace ntkrob
