/// make_strokes: skeleton -> varied control points -> smooth curve -> warp and affine map -> distance field -> ink.
///
/// All arithmetic is float64, so that a rounding difference of a compiler or a math library does not show in the 8-bit
/// pixels.
#include "ntkrob/data/strokes.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "ntkrob/base/random.hpp"
#include "strokes_skeletons.hpp"

namespace ntkrob {
namespace {

using io::Glyph;
using io::Path;
using io::Point;

constexpr int kSide = 28;
constexpr int kClasses = 10;
constexpr double kPi = 3.14159265358979323846;

// How much writers differ. Chosen so that a plainly trained 784-256-128-10 net on 5000 images classifies fresh ones
// about as well as MNIST's, with the many look-alikes (1 and 7, 4 and 9, 3 and 5) that handwriting has.
constexpr double kControlJitter = 0.024;
constexpr double kWarp = 0.024;
constexpr double kSlantMean = 0.16, kSlantSpread = 0.17;
constexpr double kRotationSpread = 0.08;
constexpr double kAspectLow = 0.65, kAspectHigh = 1.00;
constexpr double kSizeLow = 17.0, kSizeHigh = 20.5;  // pixels, the longer side of the ink
constexpr double kShiftSpread = 0.6;                 // pixels
constexpr double kPenLow = 1.2, kPenHigh = 3.2;      // pixels
constexpr double kInkLow = 0.75;
constexpr double kPressure = 0.2;                          // relative change of the pen's width along a path
constexpr double kSoftnessLow = 1.0, kSoftnessHigh = 1.7;  // width of the edge of the ink, pixels
constexpr double kGrain = 0.08;                            // relative, inside the ink only

/// Numbers drawn one after the other from a stream of one image.
class Draws {
 public:
  explicit Draws(const Rng& rng) : rng_(rng) {}
  double normal(double spread) {
    // Cut at 2.5 sigma: a digit nobody would write teaches nothing.
    return spread * std::min(2.5, std::max(-2.5, rng_.normal(next_++)));
  }
  double uniform(double low, double high) { return rng_.uniform(next_++, low, high); }
  index below(index n) { return rng_.below(next_++, n); }
  std::uint32_t bits() { return rng_.bits(next_++); }

 private:
  Rng rng_;
  std::uint64_t next_ = 0;
};

/// Moves control points; points of different paths that coincide move together, so corners stay joined.
Glyph vary(const Glyph& glyph, Draws& draws) {
  Glyph result = glyph;
  for (std::size_t p = 0; p < glyph.size(); ++p)
    for (std::size_t k = 0; k < glyph[p].points.size(); ++k) {
      const Point at = glyph[p].points[k];
      Point moved = {at.x + draws.normal(kControlJitter), at.y + draws.normal(kControlJitter)};
      for (std::size_t q = 0; q < p; ++q)
        for (std::size_t l = 0; l < glyph[q].points.size(); ++l)
          if (glyph[q].points[l].x == at.x && glyph[q].points[l].y == at.y) moved = result[q].points[l];
      result[p].points[k] = moved;
    }
  return result;
}

/// Uniform Catmull-Rom spline through the points; the phantom end points continue straight on.
std::vector<Point> curve_of(const Path& path) {
  constexpr int kPieces = 6;
  const auto n = static_cast<index>(path.points.size());
  const auto at = [&](index i) -> Point {
    const auto& p = path.points;
    if (path.closed) return p[static_cast<std::size_t>((i % n + n) % n)];
    if (i < 0) return {2 * p[0].x - p[1].x, 2 * p[0].y - p[1].y};
    if (i >= n) return {2 * p[n - 1].x - p[n - 2].x, 2 * p[n - 1].y - p[n - 2].y};
    return p[static_cast<std::size_t>(i)];
  };
  std::vector<Point> curve;
  const index spans = path.closed ? n : n - 1;
  for (index i = 0; i < spans; ++i) {
    const Point a = at(i - 1), b = at(i), c = at(i + 1), d = at(i + 2);
    for (int s = 0; s < kPieces; ++s) {
      const double t = static_cast<double>(s) / kPieces;
      const auto blend = [t](double p, double q, double r, double u) {
        return 0.5 * (2 * q + t * (r - p + t * (2 * p - 5 * q + 4 * r - u + t * (3 * (q - r) + u - p))));
      };
      curve.push_back({blend(a.x, b.x, c.x, d.x), blend(a.y, b.y, c.y, d.y)});
    }
  }
  curve.push_back(at(spans));
  return curve;
}

/// A smooth displacement field: two sine waves per direction, about one period across the digit.
class Warp {
 public:
  explicit Warp(Draws& draws) {
    for (Wave& wave : waves_)
      wave = {draws.uniform(-1.2, 1.2), draws.uniform(-1.2, 1.2), draws.uniform(0, 2 * kPi), draws.normal(kWarp)};
  }
  Point operator()(Point p) const {
    return {p.x + value(waves_[0], p) + value(waves_[1], p), p.y + value(waves_[2], p) + value(waves_[3], p)};
  }

 private:
  struct Wave {
    double fx, fy, phase, amplitude;
  };
  static double value(const Wave& w, Point p) {
    return w.amplitude * std::sin(2 * kPi * (w.fx * p.x + w.fy * p.y) + w.phase);
  }
  std::array<Wave, 4> waves_;
};

using Curves = std::vector<std::vector<Point>>;

/// Warp, aspect, slant, rotation; then scaled so that the longer side has the drawn size and placed near the middle.
void place(Curves& curves, Draws& draws) {
  const Warp warp(draws);
  const double aspect = draws.uniform(kAspectLow, kAspectHigh);
  const double slant = kSlantMean + draws.normal(kSlantSpread);
  const double angle = draws.normal(kRotationSpread);
  const double c = std::cos(angle), s = std::sin(angle);
  Point low{1e9, 1e9}, high{-1e9, -1e9};
  for (auto& curve : curves)
    for (Point& p : curve) {
      const Point w = warp(p);
      const double y = w.y - 0.5, x = aspect * (w.x - 0.5) - slant * y;
      p = {c * x - s * y, s * x + c * y};
      low = {std::min(low.x, p.x), std::min(low.y, p.y)};
      high = {std::max(high.x, p.x), std::max(high.y, p.y)};
    }
  const double scale = draws.uniform(kSizeLow, kSizeHigh) / std::max(high.x - low.x, high.y - low.y);
  // Limited so that the pixels along the border stay empty, as with a digit written into a box.
  constexpr double kWidestInk = 0.5 * kPenHigh * (1 + kPressure) + kSoftnessHigh / 2;
  const auto shift = [&](double extent) {
    const double room = kSide / 2.0 - 0.5 - scale * extent / 2 - kWidestInk;
    return std::min(room, std::max(-room, draws.normal(kShiftSpread)));
  };
  const double shift_x = shift(high.x - low.x), shift_y = shift(high.y - low.y);
  const Point middle{(low.x + high.x) / 2, (low.y + high.y) / 2};
  for (auto& curve : curves)
    for (Point& p : curve)
      p = {kSide / 2.0 + shift_x + scale * (p.x - middle.x), kSide / 2.0 + shift_y + scale * (p.y - middle.y)};
}

/// depth[pixel] = max over segments of (pen radius - distance to the segment), in pixels; below -kReach it is left
/// alone.
constexpr double kReach = 1.0;
using Field = std::array<double, kSide * kSide>;

void draw_segment(Point a, Point b, double radius, Field& depth) {
  const double reach = radius + kReach;
  const auto first = [&](double v) { return std::max(0, static_cast<int>(std::floor(v - reach))); };
  const auto last = [&](double v) { return std::min(kSide - 1, static_cast<int>(std::ceil(v + reach))); };
  const double dx = b.x - a.x, dy = b.y - a.y, length2 = std::max(dx * dx + dy * dy, 1e-12);
  for (int y = first(std::min(a.y, b.y)); y <= last(std::max(a.y, b.y)); ++y)
    for (int x = first(std::min(a.x, b.x)); x <= last(std::max(a.x, b.x)); ++x) {
      const double px = x + 0.5 - a.x, py = y + 0.5 - a.y;
      const double t = std::min(1.0, std::max(0.0, (px * dx + py * dy) / length2));
      const double ex = px - t * dx, ey = py - t * dy;
      double& value = depth[static_cast<std::size_t>(y * kSide + x)];
      value = std::max(value, radius - std::sqrt(ex * ex + ey * ey));
    }
}

void draw(const Curves& curves, Draws& draws, std::uint8_t* pixels) {
  // Half of the range twice: middling pens are more usual than extreme ones.
  const double pen = (draws.uniform(kPenLow, kPenHigh) + draws.uniform(kPenLow, kPenHigh)) / 2;
  const double ink = draws.uniform(kInkLow, 1.0);
  const double softness = draws.uniform(kSoftnessLow, kSoftnessHigh);
  const double pressure = draws.uniform(0, kPressure), pressure_phase = draws.uniform(0, 2 * kPi);
  Field depth;
  depth.fill(-1e9);
  int step = 0;
  for (const auto& curve : curves)
    for (std::size_t i = 0; i + 1 < curve.size(); ++i) {
      const double radius = 0.5 * pen * (1 + pressure * std::sin(pressure_phase + 0.12 * step++));
      draw_segment(curve[i], curve[i + 1], radius, depth);
    }
  for (std::size_t i = 0; i < depth.size(); ++i) {
    const double cover = std::min(1.0, std::max(0.0, 0.5 + depth[i] / softness));
    pixels[i] = 0;
    if (cover == 0) continue;
    const double grain = 1 + kGrain * (draws.bits() * (2.0 / 4294967296.0) - 1);
    pixels[i] = static_cast<std::uint8_t>(std::lround(255 * std::min(1.0, ink * cover * grain)));
  }
}

/// Each run of ten images holds every class once, in an order of its own: balanced, and independent of the number of
/// images.
int class_of(const Rng& order, index i) {
  return static_cast<int>(order.fork(static_cast<std::uint64_t>(i / kClasses))
                              .permutation(kClasses)[static_cast<std::size_t>(i % kClasses)]);
}

void fill(Split& split, index n, std::uint64_t seed, const std::string& name) {
  const Rng order(seed, "strokes/" + name + "/class"), stream(seed, "strokes/" + name);
  split.n = n;
  split.bytes.resize(checked_mul(static_cast<std::size_t>(n), kSide * kSide, "strokes"));
  split.labels.resize(static_cast<std::size_t>(n));
  for (index i = 0; i < n; ++i) {
    const int digit = class_of(order, i);
    split.labels[static_cast<std::size_t>(i)] = digit;
    Draws draws(stream.fork(static_cast<std::uint64_t>(i)));
    const std::vector<Glyph>& variants = io::glyphs(digit);
    const Glyph glyph =
        vary(variants[static_cast<std::size_t>(draws.below(static_cast<index>(variants.size())))], draws);
    Curves curves;
    for (const Path& path : glyph) curves.push_back(curve_of(path));
    place(curves, draws);
    draw(curves, draws, split.bytes.data() + i * kSide * kSide);
  }
}

}  // namespace

Dataset make_strokes(index n_train, index n_test, std::uint64_t seed) {
  constexpr index kMaxImages = 10'000'000;
  NTKROB_CHECK_RANGE("number of training images", n_train, 0, kMaxImages);
  NTKROB_CHECK_RANGE("number of test images", n_test, 0, kMaxImages);
  NTKROB_CHECK(n_train + n_test > 0, ConfigError,
               "strokes: asked for 0 training and 0 test images; ask for at least one");
  Dataset data;
  data.shape = {kSide, kSide, 1};
  data.classes = kClasses;
  for (int digit = 0; digit < kClasses; ++digit) data.class_names.push_back(std::to_string(digit));
  fill(data.train, n_train, seed, "train");
  fill(data.test, n_test, seed, "test");
  return data;
}

}  // namespace ntkrob
