/// Balls within a box, and the arithmetic of a step inside of them: scalar functions that processors and devices share.
///
/// A step is made in rounds over the components of a row. In a round each component gives a share of one or two sums,
/// and may move; between the rounds the sums decide what comes next. Whoever runs a round adds the shares in kLanes
/// lanes, component j to lane j % kLanes in ascending order, and folds the lanes in halves: then results have the same
/// bits everywhere.
#pragma once

#include <cmath>
#include <cstdint>

#include "ntkrob/base/random_stream.hpp"
#include "ntkrob/base/view.hpp"

namespace ntkrob {

enum class Norm { linf, l2, l1 };

/// { x + delta : ||delta|| <= eps, low <= x + delta <= high }.
struct Ball {
  Norm norm = Norm::linf;
  float eps = 0;
  float low = 0;
  float high = 1;
};

namespace ball {

constexpr index kLanes = 16;
constexpr index kSparseShare = 100;  // an l1 step moves every hundredth component

NTKROB_HD inline float smaller(float a, float b) { return b < a ? b : a; }
NTKROB_HD inline float larger(float a, float b) { return a < b ? b : a; }
NTKROB_HD inline double smaller(double a, double b) { return b < a ? b : a; }
NTKROB_HD inline double larger(double a, double b) { return a < b ? b : a; }

NTKROB_HD inline float clip(const Ball& b, float value) { return smaller(larger(value, b.low), b.high); }
NTKROB_HD inline float least_linf(const Ball& b, float x) { return larger(x - b.eps, b.low); }
NTKROB_HD inline float most_linf(const Ball& b, float x) { return smaller(x + b.eps, b.high); }
NTKROB_HD inline double difference(float a, float b) { return static_cast<double>(a) - static_cast<double>(b); }
NTKROB_HD inline double square(double v) { return v * v; }
/// What a component of z adds to the distance from x, before a root.
NTKROB_HD inline double size(Norm norm, float x, float z) {
  const double offset = difference(x, z);
  return norm == Norm::l2 ? offset * offset : std::fabs(offset);
}

// What follows computes both sides of every choice, so that loops over it are vectorised.

/// Room between x and the box in the direction of z.
NTKROB_HD inline double room(const Ball& b, float x, float z) {
  const double up = static_cast<double>(b.high) - x, down = x - static_cast<double>(b.low);
  return z > x ? up : down;
}
/// When the offset z - x is scaled by s: the square of the room where the box clips it, else of the offset.
struct Split {
  double fixed, free;
};
NTKROB_HD inline Split split(const Ball& b, double s, float x, float z) {
  const double space = room(b, x, z), offset = std::fabs(difference(z, x));
  const double fixed = space * space, free = offset * offset;
  const bool clipped = s * offset > space;
  return {clipped ? fixed : 0.0, clipped ? 0.0 : free};
}
/// clip(|z - x| - lambda, 0, room), and whether it is inside of both limits.
NTKROB_HD inline Split shifted(const Ball& b, double lambda, float x, float z) {
  const double space = room(b, x, z), offset = std::fabs(difference(z, x)) - lambda;
  const double above = offset > 0 ? 1.0 : 0.0;
  return {smaller(larger(offset, 0.0), space), offset < space ? above : 0.0};
}
NTKROB_HD inline float scaled(const Ball& b, double s, float x, float z) {
  return clip(b, static_cast<float>(x + s * difference(z, x)));
}
NTKROB_HD inline float thresholded(const Ball& b, double lambda, float x, float z) {
  const double delta = difference(z, x), offset = larger(std::fabs(delta) - lambda, 0.0);
  return clip(b, static_cast<float>(x + (delta > 0 ? offset : -offset)));
}
NTKROB_HD inline float drawn_in(double keep, float x, float z) {
  return static_cast<float>(x + keep * difference(z, x));
}

/// z = the nearest point of ball and box, round by round.
struct Projection {
  enum Round {
    centre,      // z = x
    bounds,      // linf: z between its bounds
    fits,        // sum: size of clip(z)
    clipping,    // z = clip(z)
    scaling,     // l2   sums: split
    widest,      // l1   the largest |z - x|, not a sum
    thresholds,  // l1   sums: shifted
    placing,     // z = the nearest point, up to rounding   sum: its size
    drawing_in,  // z a little closer to x   sum: its size
    done
  };
  Ball of;
  Round round = done;
  double s = 0;  // l2: factor of the offset; l1: what is taken from it; then what is kept of it
  double least = 0, most = 0, shrink = 0;
  index count = 0;

  Projection() = default;
  NTKROB_HD explicit Projection(const Ball& ball)
      : of(ball),
        round(ball.eps == 0             ? centre
              : ball.norm == Norm::linf ? bounds
                                        : fits) {}

  NTKROB_HD bool sums() const { return !(round == centre || round == bounds || round == clipping || round == done); }
  /// What follows a round with these sums.   d: components
  NTKROB_HD void decide(double sum, double other, index d) {
    switch (round) {
      case fits:
        count = 0;
        round = length(sum) <= of.eps ? clipping : of.norm == Norm::l2 ? scaling : widest;
        break;
      case scaling:
        scale(sum, other, d);
        break;
      case widest:
        most = sum;
        round = thresholds;
        break;
      case thresholds:
        threshold(sum, other);
        break;
      case placing:
        shrink = 0x1p-24;
        check(sum);
        break;
      case drawing_in:
        shrink *= 2;
        check(sum);
        break;
      default:
        round = done;
    }
  }

 private:
  NTKROB_HD double length(double sum) const { return of.norm == Norm::l2 ? std::sqrt(sum) : sum; }

  /// The s in (0, 1] with sum_j min(s |delta_j|, room_j)^2 = eps^2, delta = z - x. The nearest point of ball and box is
  /// clip(x + s delta) (the conditions of optimality: z = clip((z0 + lambda x) / (1 + lambda)), s = 1 / (1 + lambda)).
  /// Each round solves for s with the clipped coordinates held; s only grows, so coordinates only join that set and the
  /// rounds end after at most d + 1.
  NTKROB_HD void scale(double fixed, double free, index d) {
    const double eps = of.eps;
    if (free > 0) {
      const double next = std::sqrt(larger(0.0, eps * eps - fixed) / free);
      if (next > s) {
        s = next;
        if (count++ < d) return;
      }
    }
    round = placing;
  }

  /// The lambda >= 0 with sum_j clip(|delta_j| - lambda, 0, room_j) = eps, delta = z - x. The nearest point of ball and
  /// box has offsets sign(delta_j) clip(|delta_j| - lambda, 0, room_j): soft thresholding under the box (Croce & Hein,
  /// "Mind the box", ICML 2021, arXiv 2103.01208, prop. 2.1). The sum is piecewise linear and falls with lambda: Newton
  /// steps inside a bracket that every round narrows, and halving where they leave it or where they creep.
  NTKROB_HD void threshold(double sum, double free) {
    const double eps = of.eps, lambda = s;
    ++count;
    if (sum == eps) {
      round = placing;
      return;
    }
    (sum > eps ? least : most) = lambda;
    const double middle = least + (most - least) / 2;
    const double newton = free > 0 ? lambda + (sum - eps) / free : middle;
    s = newton > least && newton < most && count % 4 != 0 ? newton : middle;
    if (s > least && s < most && count < 200) return;
    s = most;
    round = placing;
  }

  /// Rounding to float32 may leave the ball by an ulp: shrink towards x, first by one part in 2^24, then ever more. A
  /// point between x and z rounds to a float between x and z, so the box still holds; the last rung is x itself.
  NTKROB_HD void check(double sum) {
    round = length(sum) > of.eps ? drawing_in : done;
    s = larger(0.0, 1 - shrink);
  }
};

/// The sign of g, and 0 for what is no number.
NTKROB_HD inline float sign(float g) { return static_cast<float>((g > 0) - (g < 0)); }
NTKROB_HD inline float moved_along(double scale, float g, float z) { return static_cast<float>(z + scale * g); }
/// Whether a component takes part in an l1 step, `least` being the smallest of the largest |g|.
NTKROB_HD inline bool takes_part(float g, float least) { return g != 0 && std::fabs(g) >= least; }
NTKROB_HD inline float moved_sparsely(float share, float g, float z) { return z + (g > 0 ? share : -share); }
/// How many components an l1 step is meant to move.
NTKROB_HD inline index sparse_count(index d) { return d / kSparseShare > 1 ? d / kSparseShare : 1; }

/// z += step * the direction of steepest ascent for g (ThreatModel::ascend), round by round, and whether g is 0 or has
/// numbers that are not finite; then z stays.
struct Ascent {
  enum Round {
    gauge,      // sum: squares of g
    signs,      // linf: z += step sign(g)
    along,      // l2: z += step g / ||g||
    selecting,  // l1   sum: how many |g| reach candidate()
    counting,   // l1   sum: how many take part
    sharing,    // l1: those move
    done
  };
  enum Verdict { ascends, zero, not_finite };
  Norm norm;
  float step;
  Round round = gauge;
  Verdict verdict = ascends;
  double scale = 0;
  float share = 0;
  std::uint32_t least = 0;  // the bits of a number that is 0 or more are in the order of the numbers
  int bit = 30;

  Ascent() = default;
  NTKROB_HD Ascent(Norm norm_, float step_) : norm(norm_), step(step_) {}

  NTKROB_HD bool sums() const { return round == gauge || round == selecting || round == counting; }
  NTKROB_HD std::uint32_t candidate() const { return least | (std::uint32_t{1} << bit); }
  NTKROB_HD static std::uint32_t bits_of(float size) {
    std::uint32_t bits;
    __builtin_memcpy(&bits, &size, sizeof(bits));
    return bits;
  }
  NTKROB_HD float least_size() const {
    float size;
    __builtin_memcpy(&size, &least, sizeof(size));
    return size;
  }
  /// What follows a round with this sum.   d: components
  NTKROB_HD void decide(double sum, index d) {
    switch (round) {
      case gauge:
        verdict = sum == 0 ? zero : sum - sum == 0 ? ascends : not_finite;
        if (verdict == not_finite || (verdict == zero && norm != Norm::linf)) {
          round = done;
        } else {
          round = norm == Norm::linf ? signs : norm == Norm::l2 ? along : selecting;
          scale = static_cast<double>(step) / std::sqrt(sum);
        }
        break;
      case selecting:
        if (sum >= static_cast<double>(sparse_count(d))) least = candidate();
        if (bit-- == 0) round = counting;
        break;
      case counting:
        share = static_cast<float>(static_cast<double>(step) / sum);
        round = sharing;
        break;
      default:
        round = done;
    }
  }
};

/// A uniformly random point of the ball, before its projection on the box. linf: x + eps u with u of symmetric(). l2: a
/// normal vector has a uniform direction, and U^(1/d) is the radius of a uniform point. l1: exponential sizes with
/// random signs, divided by the sum of all and of one more. Uses indices 0 .. d of the stream; the shares of the sum
/// are added in the order of the components, to first().
struct RandomStart {
  Norm norm;
  double eps;
  double sum = 0, scale = 0;

  NTKROB_HD explicit RandomStart(const Ball& ball) : norm(ball.norm), eps(ball.eps) {}
  NTKROB_HD double first(const RandomStream& random, index d) const {
    return norm == Norm::l1 ? -std::log1p(-random.uniform(static_cast<std::uint64_t>(d))) : 0.0;
  }
  /// Component j of the offset, up to its scale.
  NTKROB_HD double offset(const RandomStream& random, index j) const {
    if (norm == Norm::l2) return random.normal(static_cast<std::uint64_t>(j));
    const double u = 2 * random.uniform(static_cast<std::uint64_t>(j)) - 1;  // sign and size
    const double size = -std::log1p(-smaller(std::fabs(u), 1 - 0x1p-53));
    return u < 0 ? -size : size;
  }
  NTKROB_HD double share(double offset) const { return norm == Norm::l2 ? offset * offset : std::fabs(offset); }
  NTKROB_HD void close(const RandomStream& random, index d, double total) {
    sum = total;
    if (norm == Norm::l2 && sum > 0)
      scale =
          eps * std::pow(random.uniform(static_cast<std::uint64_t>(d)), 1.0 / static_cast<double>(d)) / std::sqrt(sum);
  }
  NTKROB_HD float at(float x, double offset) const {
    if (norm == Norm::l2) return static_cast<float>(x + scale * offset);
    return static_cast<float>(x + (sum > 0 ? eps * offset / sum : 0));
  }
  NTKROB_HD static float at_linf(const Ball& ball, float x, float u) { return x + ball.eps * u; }
};

}  // namespace ball
}  // namespace ntkrob
