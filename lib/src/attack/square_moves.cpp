#include "attack/square_moves.hpp"

#include <algorithm>
#include <cmath>

namespace ntkrob {

namespace {

constexpr double kTiny = 1e-12;  // keeps empty windows from dividing by 0
constexpr index kGrid = 5;       // bumps per side in the first point
constexpr index kLeastBump = 3;

index odd(index n) { return n % 2 == 0 ? n + 1 : n; }

/// Corner of a window of this size, uniformly over all places.
struct Corner {
  Corner(const ImageShape& shape, WindowSize size, const Rng& rng, std::uint64_t first)
      : row(rng.below(first, shape.height - size.height + 1)),
        col(rng.below(first + 1, shape.width - size.width + 1)) {}
  index row, col;
};

/// Calls visit(offset of the pixel in the image, number of the pixel in the window).
template <class Visit>
void for_window(const ImageShape& shape, const Corner& corner, WindowSize size, const Visit& visit) {
  for (index r = 0; r < size.height; ++r)
    for (index c = 0; c < size.width; ++c)
      visit(((corner.row + r) * shape.width + corner.col + c) * shape.channels, r * size.width + c);
}

double random_sign(const Rng& rng, std::uint64_t i) { return (rng.bits(i) & 1) != 0 ? 1.0 : -1.0; }

}  // namespace

WindowSize window_size(Norm norm, const ImageShape& shape, double share) {
  const double area = share * static_cast<double>(shape.height * shape.width);
  const bool bump = norm != Norm::linf;
  index side = std::max<index>(static_cast<index>(std::lround(std::sqrt(area))), bump ? kLeastBump : 1);
  if (bump) side = odd(side);
  WindowSize size{std::min(side, shape.height), std::min(side, shape.width)};
  // A flat image cannot hold the square: keep its area.
  const auto stretch = [&](index other) {
    return std::max<index>(static_cast<index>(std::lround(area / static_cast<double>(other))), bump ? kLeastBump : 1);
  };
  if (side > shape.height && shape.width > shape.height) size.width = std::min(stretch(size.height), shape.width);
  if (side > shape.width && shape.height > shape.width) size.height = std::min(stretch(size.width), shape.height);
  return size;
}

double square_share(double p_init, index query) {
  constexpr index kHalvings[] = {10, 50, 200, 500, 1000, 2000, 4000, 6000, 8000};
  for (const index after : kHalvings)
    if (query > after) p_init /= 2;
  return p_init;
}

SquareMoves::SquareMoves(const ThreatModel& threat, const ImageShape& shape) : threat_(threat), shape_(shape) {}

void SquareMoves::resize(double share) {
  const WindowSize size = window_size(threat_.norm, shape_, share);
  if (!(size != window_)) return;
  window_ = size;
  if (threat_.norm == Norm::linf) return;
  for (const bool along_rows : {false, true}) bumps_[along_rows] = bump(size, along_rows);
}

void SquareMoves::start(const float* x, float* z, const Rng& rng) const {
  const index channels = shape_.channels;
  if (threat_.norm == Norm::linf) {
    for (index r = 0; r < shape_.height; ++r)
      for (index k = 0; k < shape_.width * channels; ++k) {
        const index j = r * shape_.width * channels + k;
        z[j] = static_cast<float>(x[j] + 2 * threat_.eps * random_sign(rng, static_cast<std::uint64_t>(k)));
      }
    return threat_.project(x, z, shape_.size());
  }
  const WindowSize tile{std::max<index>(shape_.height / kGrid, 1), std::max<index>(shape_.width / kGrid, 1)};
  const auto margin = [](index side, index part) { return std::max<index>((side - kGrid * part) / 2, 0); };
  const Pattern bumps[2] = {bump(tile, false), bump(tile, true)};
  std::vector<double> delta(static_cast<std::size_t>(shape_.size()));
  std::uint64_t draw = 0;
  for (index r = margin(shape_.height, tile.height); r + tile.height <= shape_.height; r += tile.height)
    for (index c = margin(shape_.width, tile.width); c + tile.width <= shape_.width; c += tile.width) {
      const Pattern& pattern = bumps[rng.bits(draw++) & 1];
      for (index ch = 0; ch < channels; ++ch) {
        const double sign = random_sign(rng, draw++);
        for (index k = 0; k < tile.height * tile.width; ++k) {
          const index pixel = (r + k / tile.width) * shape_.width + c + k % tile.width;
          delta[static_cast<std::size_t>(pixel * channels + ch)] += sign * pattern[static_cast<std::size_t>(k)];
        }
      }
    }
  finish(x, delta.data(), z);
}

void SquareMoves::propose(const float* x, const float* z, float* out, const Rng& rng) const {
  if (threat_.norm == Norm::linf) {
    propose_linf(x, z, out, rng);
  } else {
    propose_bumps(x, z, out, rng);
  }
}

/// A window of one colour at the faces of the ball: the sign of every channel is drawn.
void SquareMoves::propose_linf(const float* x, const float* z, float* out, const Rng& rng) const {
  std::copy_n(z, shape_.size(), out);
  const Corner corner(shape_, window_, rng, 0);
  for (index ch = 0; ch < shape_.channels; ++ch) {
    const bool up = random_sign(rng, static_cast<std::uint64_t>(2 + ch)) > 0;
    for_window(shape_, corner, window_, [&](index offset, index) {
      const float from = x[offset + ch];
      out[offset + ch] = up ? std::min(from + threat_.eps, threat_.high) : std::max(from - threat_.eps, threat_.low);
    });
  }
}

/// The mass of two windows goes into the first, whose pattern turns towards a bump of random signs.
void SquareMoves::propose_bumps(const float* x, const float* z, float* out, const Rng& rng) const {
  const index channels = shape_.channels, d = shape_.size(), area = window_.height * window_.width;
  const Corner to(shape_, window_, rng, 0), from(shape_, window_, rng, 2);
  const Pattern& pattern = bumps_[rng.bits(4) & 1];
  std::vector<double> delta(static_cast<std::size_t>(d)), fresh(static_cast<std::size_t>(area * channels));
  double whole = 0;
  for (index j = 0; j < d; ++j) {
    const double value = static_cast<double>(z[j]) - x[j];
    delta[static_cast<std::size_t>(j)] = value;
    whole += measure(value);
  }
  const auto at = [&](index offset) -> double& { return delta[static_cast<std::size_t>(offset)]; };
  const double spare = std::max(measure(threat_.eps) - whole, 0.0);
  for (index ch = 0; ch < channels; ++ch) {
    double here = 0, both = 0;
    for_window(shape_, to, window_, [&](index offset, index) { here += measure(at(offset + ch)); });
    both = here;
    for_window(shape_, from, window_, [&](index offset, index) {
      const index row = offset / channels / shape_.width - to.row, col = offset / channels % shape_.width - to.col;
      const bool shared = row >= 0 && row < window_.height && col >= 0 && col < window_.width;
      if (!shared) both += measure(at(offset + ch));
    });
    const double sign = random_sign(rng, static_cast<std::uint64_t>(5 + ch)), scale = 1 / (kTiny + size(here));
    double mixed = 0;
    for_window(shape_, to, window_, [&](index offset, index k) {
      const double value = sign * pattern[static_cast<std::size_t>(k)] + at(offset + ch) * scale;
      fresh[static_cast<std::size_t>(k * channels + ch)] = value;
      mixed += measure(value);
    });
    const double mass = size(spare / static_cast<double>(channels) + both) / (kTiny + size(mixed));
    for (index k = 0; k < area; ++k) fresh[static_cast<std::size_t>(k * channels + ch)] *= mass;
  }
  for_window(shape_, from, window_, [&](index offset, index) { std::fill_n(&at(offset), channels, 0.0); });
  for_window(shape_, to, window_,
             [&](index offset, index k) { std::copy_n(fresh.data() + k * channels, channels, &at(offset)); });
  finish(x, delta.data(), out);
}

void SquareMoves::finish(const float* x, const double* delta, float* out) const {
  const index d = shape_.size();
  double scale = 1;
  if (threat_.norm == Norm::l2) {
    double sum = 0;
    for (index j = 0; j < d; ++j) sum += measure(delta[j]);
    scale = threat_.eps / (size(sum) + kTiny);
  }
  for (index j = 0; j < d; ++j) {
    const auto value = static_cast<float>(x[j] + scale * delta[j]);
    // l2 clips and does not make up for what it clips, as published.
    out[j] = threat_.norm == Norm::l2 ? std::min(std::max(value, threat_.low), threat_.high) : value;
  }
  threat_.project(x, out, d);
}

double SquareMoves::size(double sum) const { return threat_.norm == Norm::l2 ? std::sqrt(sum) : sum; }
double SquareMoves::measure(double value) const { return threat_.norm == Norm::l2 ? value * value : std::abs(value); }

SquareMoves::Pattern SquareMoves::peak(index height, index width) const {
  Pattern result(static_cast<std::size_t>(height * width));
  const index rings = std::max(height / 2, width / 2) + 1;
  for (index k = 0; k < rings; ++k) {
    const index top = height / 2 - k, left = width / 2 - k, side = 2 * k + 1;
    const double level = std::pow(1.0 / static_cast<double>(k + 1), threat_.norm == Norm::l2 ? 2 : 4);
    for (index r = std::max<index>(top, 0); r < std::min(top + side, height); ++r)
      for (index c = std::max<index>(left, 0); c < std::min(left + side, width); ++c)
        result[static_cast<std::size_t>(r * width + c)] += level;
  }
  double sum = 0;
  for (const double value : result) sum += measure(value);
  for (double& value : result) value /= size(sum);
  return result;
}

SquareMoves::Pattern SquareMoves::bump(WindowSize window, bool along_rows) const {
  // One row or column cannot be split across.
  if (window.height == 1 && window.width > 1) along_rows = false;
  if (window.width == 1 && window.height > 1) along_rows = true;
  const index length = along_rows ? window.height : window.width, across = along_rows ? window.width : window.height;
  const index half = length / 2;
  Pattern peak_part(0), pit_part = peak(length - half, across);
  if (half > 0) peak_part = peak(half, across);
  Pattern result(static_cast<std::size_t>(length * across));
  for (index a = 0; a < length; ++a)
    for (index b = 0; b < across; ++b) {
      const double value = a < half ? peak_part[static_cast<std::size_t>(a * across + b)]
                                    : -pit_part[static_cast<std::size_t>((a - half) * across + b)];
      result[static_cast<std::size_t>(along_rows ? a * across + b : b * length + a)] = value;
    }
  double sum = 0;
  for (const double value : result) sum += measure(value);
  for (double& value : result) value /= size(sum);
  return result;
}

}  // namespace ntkrob
