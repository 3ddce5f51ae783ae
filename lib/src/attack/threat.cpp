#include "ntkrob/attack/threat.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "attack/rows.hpp"
#include "ntkrob/base/multiversion.hpp"

namespace ntkrob {

namespace {

/// Sums over the components that are clipped by the box (fixed) and over the others (free) when the offset z - x is
/// scaled by s: squares of the room and of the offset.
NTKROB_MULTIVERSION void split_squares(const float* x, const float* z, index d, double s, double low, double high,
                                       double* fixed, double* free) {
  const auto term = [=](index j, bool clipped_part) {
    const double from = x[j], delta = z[j] - from;
    const double room = delta > 0 ? high - from : from - low;
    const double size = std::abs(delta);
    const bool clipped = s * size > room;
    const double value = clipped ? room : size;
    return clipped == clipped_part ? value * value : 0.0;
  };
  *fixed = sum_over(d, [=](index j) { return term(j, true); });
  *free = sum_over(d, [=](index j) { return term(j, false); });
}

/// The s in (0, 1] with sum_j min(s |delta_j|, room_j)^2 = eps^2, delta = z - x. The nearest point of ball and box is
/// clip(x + s delta) (the conditions of optimality: z = clip((z0 + lambda x) / (1 + lambda)), s = 1 / (1 + lambda)).
/// Each round solves for s with the clipped coordinates held; s only grows, so coordinates only join that set and the
/// loop ends after at most d rounds.
double l2_multiplier(const float* x, const float* z, index d, double eps, double low, double high) {
  double s = 0;
  for (index round = 0; round <= d; ++round) {
    double fixed = 0, free = 0;
    split_squares(x, z, d, s, low, high, &fixed, &free);
    if (!(free > 0)) return s;
    const double next = std::sqrt(std::max(0.0, eps * eps - fixed) / free);
    if (!(next > s)) return s;
    s = next;
  }
  return s;
}

/// sum_j clip(|delta_j| - lambda, 0, room_j) and the number of its terms that are inside of both limits.
NTKROB_MULTIVERSION void shifted_sum(const float* x, const float* z, index d, double lambda, double low, double high,
                                     double* sum, double* free) {
  const auto room_of = [=](index j) { return z[j] > x[j] ? high - x[j] : x[j] - low; };
  const auto size_of = [=](index j) { return std::abs(static_cast<double>(z[j]) - x[j]) - lambda; };
  *sum = sum_over(d, [=](index j) { return std::min(std::max(size_of(j), 0.0), room_of(j)); });
  *free = sum_over(d, [=](index j) { return size_of(j) > 0 && size_of(j) < room_of(j) ? 1.0 : 0.0; });
}

/// The lambda >= 0 with sum_j clip(|delta_j| - lambda, 0, room_j) = eps, delta = z - x. The nearest point of ball and
/// box has offsets sign(delta_j) clip(|delta_j| - lambda, 0, room_j): soft thresholding under the box (Croce & Hein,
/// "Mind the box", ICML 2021, arXiv 2103.01208, prop. 2.1). The sum is piecewise linear and falls with lambda: Newton
/// steps inside a bracket that every round narrows, and halving where they leave it or where they creep.
double l1_multiplier(const float* x, const float* z, index d, double eps, double low, double high) {
  double lambda = 0, least = 0, most = largest_distance(x, z, d);
  for (int round = 1; round <= 200; ++round) {
    double sum = 0, free = 0;
    shifted_sum(x, z, d, lambda, low, high, &sum, &free);
    if (sum == eps) return lambda;
    (sum > eps ? least : most) = lambda;
    const double middle = least + (most - least) / 2;
    const double newton = free > 0 ? lambda + (sum - eps) / free : middle;
    const double next = newton > least && newton < most && round % 4 != 0 ? newton : middle;
    if (!(next > least && next < most)) break;
    lambda = next;
  }
  return most;
}

NTKROB_MULTIVERSION void project_linf(const float* x, float* z, index d, float eps, float low, float high) {
  for (index j = 0; j < d; ++j) {
    const float least = std::max(x[j] - eps, low);
    const float most = std::min(x[j] + eps, high);
    z[j] = std::min(std::max(z[j], least), most);
  }
}

/// True if project_linf would leave z as it is. NaN is outside.
NTKROB_MULTIVERSION bool inside_linf(const float* x, const float* z, index d, float eps, float low, float high) {
  int outside = 0;
  for (index j = 0; j < d; ++j) {
    const float least = std::max(x[j] - eps, low);
    const float most = std::min(x[j] + eps, high);
    outside |= !(z[j] >= least && z[j] <= most);
  }
  return outside == 0;
}

NTKROB_MULTIVERSION void add_scaled(const float* g, float* z, index d, double scale) {
  for (index j = 0; j < d; ++j) z[j] = static_cast<float>(z[j] + scale * g[j]);
}

NTKROB_MULTIVERSION void add_signs(const float* g, float* z, index d, float step) {
  for (index j = 0; j < d; ++j) z[j] += static_cast<float>((g[j] > 0) - (g[j] < 0)) * step;
}

float clip(const ThreatModel& threat, float value) { return std::min(std::max(value, threat.low), threat.high); }

/// Projection for the norms whose ball couples the components.
///   nearest(): replaces z by the nearest point of ball and box, up to rounding
template <class Nearest>
void project_coupled(const ThreatModel& threat, const float* x, float* z, index d, const Nearest& nearest) {
  std::vector<float> clipped(static_cast<std::size_t>(d));
  for (index j = 0; j < d; ++j) clipped[static_cast<std::size_t>(j)] = clip(threat, z[j]);
  if (threat.distance(x, clipped.data(), d) <= threat.eps) {
    std::copy(clipped.begin(), clipped.end(), z);
    return;
  }
  nearest();
  // Rounding to float32 may leave the ball by an ulp: shrink towards x, first by one part in 2^24, then ever more. A
  // point between x and z rounds to a float between x and z, so the box still holds; the last rung is x itself.
  for (double shrink = std::ldexp(1.0, -24); threat.distance(x, z, d) > threat.eps; shrink *= 2) {
    const double keep = std::max(0.0, 1 - shrink);
    for (index j = 0; j < d; ++j) {
      const double offset = static_cast<double>(z[j]) - x[j];
      z[j] = static_cast<float>(x[j] + keep * offset);
    }
  }
}

void project_l2(const ThreatModel& threat, const float* x, float* z, index d) {
  project_coupled(threat, x, z, d, [&] {
    const double s = l2_multiplier(x, z, d, threat.eps, threat.low, threat.high);
    for (index j = 0; j < d; ++j)
      z[j] = clip(threat, static_cast<float>(x[j] + s * (static_cast<double>(z[j]) - x[j])));
  });
}

void project_l1(const ThreatModel& threat, const float* x, float* z, index d) {
  project_coupled(threat, x, z, d, [&] {
    const double lambda = l1_multiplier(x, z, d, threat.eps, threat.low, threat.high);
    for (index j = 0; j < d; ++j) {
      const double delta = static_cast<double>(z[j]) - x[j];
      const double size = std::max(std::abs(delta) - lambda, 0.0);
      z[j] = clip(threat, static_cast<float>(x[j] + (delta > 0 ? size : -size)));
    }
  });
}

/// Exponential sizes with random signs, divided by the sum of all and of one more, are uniform in the l1 ball.
void random_l1(const ThreatModel& threat, const float* x, float* z, index d, const Rng& rng) {
  std::vector<double> v(static_cast<std::size_t>(d));
  double sum = -std::log1p(-rng.uniform(static_cast<std::uint64_t>(d)));
  for (index j = 0; j < d; ++j) {
    const double u = 2 * rng.uniform(static_cast<std::uint64_t>(j)) - 1;  // sign and size
    const double size = -std::log1p(-std::min(std::abs(u), 1 - 0x1p-53));
    sum += size;
    v[static_cast<std::size_t>(j)] = u < 0 ? -size : size;
  }
  for (index j = 0; j < d; ++j)
    z[j] = static_cast<float>(x[j] + (sum > 0 ? threat.eps * v[static_cast<std::size_t>(j)] / sum : 0));
}

void random_l2(const ThreatModel& threat, const float* x, float* z, index d, const Rng& rng) {
  // A normal vector has a uniform direction; U^(1/d) is the radius of a uniform point of the ball.
  std::vector<double> direction(static_cast<std::size_t>(d));
  double sum = 0;
  for (index j = 0; j < d; ++j) {
    const double g = rng.normal(static_cast<std::uint64_t>(j));
    direction[static_cast<std::size_t>(j)] = g;
    sum += g * g;
  }
  const double u = rng.uniform(static_cast<std::uint64_t>(d));
  const double scale = sum > 0 ? threat.eps * std::pow(u, 1.0 / static_cast<double>(d)) / std::sqrt(sum) : 0;
  for (index j = 0; j < d; ++j) z[j] = static_cast<float>(x[j] + scale * direction[static_cast<std::size_t>(j)]);
}

constexpr index kSparseShare = 100;  // an l1 step moves every hundredth component

}  // namespace

Norm parse_norm(const std::string& text) {
  for (const Norm norm : {Norm::linf, Norm::l2, Norm::l1})
    if (text == to_string(norm)) return norm;
  throw ConfigError(ntkrob::text("unknown norm \"", text, "\"; the norms are: linf, l2, l1"));
}

std::string to_string(Norm norm) { return norm == Norm::linf ? "linf" : norm == Norm::l2 ? "l2" : "l1"; }

void ThreatModel::validate(index d) const {
  NTKROB_CHECK(std::isfinite(low) && std::isfinite(high) && low < high, ConfigError, "the box is [", low, ", ", high,
               "], must be finite with low below high");
  NTKROB_CHECK(std::isfinite(eps) && eps >= 0, ConfigError, "eps is ", eps, ", must be finite and 0 or more");
  const double width = static_cast<double>(high) - static_cast<double>(low);
  const auto components = static_cast<double>(std::max<index>(d, 1));
  const double most = norm == Norm::linf ? width : width * (norm == Norm::l2 ? std::sqrt(components) : components);
  NTKROB_CHECK(eps <= most, ConfigError, "eps is ", eps, " (", to_string(norm), "), must be at most ", most,
               ", the size of the box [", low, ", ", high, "]; eps is in units of pixels scaled to [0,1]: write ", eps,
               "/255 if it was meant in units of 0..255");
}

void ThreatModel::project(const float* x, float* z, index d) const {
  if (eps == 0) {
    std::copy(x, x + d, z);
  } else if (norm == Norm::linf) {
    project_linf(x, z, d, eps, low, high);
  } else if (norm == Norm::l2) {
    project_l2(*this, x, z, d);
  } else {
    project_l1(*this, x, z, d);
  }
}

bool ThreatModel::contains(const float* x, const float* z, index d) const {
  if (eps == 0) return std::equal(x, x + d, z);
  if (norm == Norm::linf) return inside_linf(x, z, d, eps, low, high);
  // A ball without radius to spare but the box: x - inf and x + inf are no bounds.
  return inside_linf(x, z, d, std::numeric_limits<float>::infinity(), low, high) && distance(x, z, d) <= eps;
}

void ThreatModel::random_start(const float* x, float* z, index d, const Rng& rng) const {
  if (norm == Norm::linf) {
    rng.symmetric_uniform(d, z);
    for (index j = 0; j < d; ++j) z[j] = x[j] + eps * z[j];
  } else if (norm == Norm::l2) {
    random_l2(*this, x, z, d, rng);
  } else {
    random_l1(*this, x, z, d, rng);
  }
  project(x, z, d);
}

void ThreatModel::ascend(const float* g, float* z, index d, float step) const {
  if (norm == Norm::linf) {
    add_signs(g, z, d, step);
  } else if (norm == Norm::l2) {
    const double sum = dot(g, g, d);
    if (sum > 0) add_scaled(g, z, d, static_cast<double>(step) / std::sqrt(sum));
  } else {
    add_sparse_signs(g, z, d, step, d / kSparseShare);
  }
}

double ThreatModel::distance(const float* x, const float* z, index d) const {
  if (norm == Norm::l2) return std::sqrt(squared_distance(x, z, d));
  return norm == Norm::linf ? largest_distance(x, z, d) : absolute_distance(x, z, d);
}

}  // namespace ntkrob
