#include "ntkrob/attack/threat.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "ntkrob/base/multiversion.hpp"

namespace ntkrob {

namespace {

double squared_distance(const float* x, const float* z, index d) {
  double sum = 0;
  for (index j = 0; j < d; ++j) {
    const double difference = static_cast<double>(z[j]) - static_cast<double>(x[j]);
    sum += difference * difference;
  }
  return sum;
}

/// The s in (0, 1] with sum_j min(s |delta_j|, room_j)^2 = eps^2, delta = z - x. The nearest point of ball and box is
/// clip(x + s delta) (the conditions of optimality: z = clip((z0 + lambda x) / (1 + lambda)), s = 1 / (1 + lambda)).
/// Each round solves for s with the clipped coordinates held; s only grows, so coordinates only join that set and the
/// loop ends after at most d rounds.
double ball_multiplier(const float* x, const float* z, index d, double eps, double low, double high) {
  double s = 0;
  for (index round = 0; round <= d; ++round) {
    double fixed = 0, free = 0;
    for (index j = 0; j < d; ++j) {
      const double delta = static_cast<double>(z[j]) - x[j];
      const double room = delta > 0 ? high - x[j] : x[j] - low;
      const double size = std::abs(delta);
      if (s * size > room) {
        fixed += room * room;
      } else {
        free += size * size;
      }
    }
    if (!(free > 0)) return s;
    const double next = std::sqrt(std::max(0.0, eps * eps - fixed) / free);
    if (!(next > s)) return s;
    s = next;
  }
  return s;
}

NTKROB_MULTIVERSION void project_linf(const float* x, float* z, index d, float eps, float low, float high) {
  for (index j = 0; j < d; ++j) {
    const float least = std::max(x[j] - eps, low);
    const float most = std::min(x[j] + eps, high);
    z[j] = std::min(std::max(z[j], least), most);
  }
}

NTKROB_MULTIVERSION void add_signs(const float* g, float* z, index d, float step) {
  for (index j = 0; j < d; ++j) z[j] += static_cast<float>((g[j] > 0) - (g[j] < 0)) * step;
}

void project_l2(const ThreatModel& threat, const float* x, float* z, index d) {
  const double eps = threat.eps;
  const auto clip = [&](float value) { return std::min(std::max(value, threat.low), threat.high); };
  double sum = 0;
  for (index j = 0; j < d; ++j) {
    const double difference = static_cast<double>(clip(z[j])) - x[j];
    sum += difference * difference;
  }
  if (std::sqrt(sum) <= eps) {
    for (index j = 0; j < d; ++j) z[j] = clip(z[j]);
    return;
  }
  const double s = ball_multiplier(x, z, d, eps, threat.low, threat.high);
  for (index j = 0; j < d; ++j) z[j] = clip(static_cast<float>(x[j] + s * (static_cast<double>(z[j]) - x[j])));
  // Rounding to float32 may leave the ball by an ulp: shrink towards x, first by one part in 2^24, then ever more. A
  // point between x and z rounds to a float between x and z, so the box still holds; the last rung is x itself.
  for (double shrink = std::ldexp(1.0, -24); std::sqrt(squared_distance(x, z, d)) > eps; shrink *= 2) {
    const double keep = std::max(0.0, 1 - shrink);
    for (index j = 0; j < d; ++j) {
      const double offset = static_cast<double>(z[j]) - x[j];
      z[j] = static_cast<float>(x[j] + keep * offset);
    }
  }
}

}  // namespace

Norm parse_norm(const std::string& text) {
  if (text == "linf") return Norm::linf;
  if (text == "l2") return Norm::l2;
  throw ConfigError(ntkrob::text("unknown norm \"", text, "\"; the norms are: linf, l2"));
}

std::string to_string(Norm norm) { return norm == Norm::linf ? "linf" : "l2"; }

void ThreatModel::validate(index d) const {
  NTKROB_CHECK(std::isfinite(low) && std::isfinite(high) && low < high, ConfigError, "the box is [", low, ", ", high,
               "], must be finite with low below high");
  NTKROB_CHECK(std::isfinite(eps) && eps >= 0, ConfigError, "eps is ", eps, ", must be finite and 0 or more");
  const double width = static_cast<double>(high) - static_cast<double>(low);
  const double most = norm == Norm::linf ? width : width * std::sqrt(static_cast<double>(std::max<index>(d, 1)));
  NTKROB_CHECK(eps <= most, ConfigError, "eps is ", eps, " (", to_string(norm), "), must be at most ", most,
               ", the size of the box [", low, ", ", high, "]; eps is in units of pixels scaled to [0,1]: write ", eps,
               "/255 if it was meant in units of 0..255");
}

void ThreatModel::project(const float* x, float* z, index d) const {
  if (eps == 0) {
    std::copy(x, x + d, z);
  } else if (norm == Norm::linf) {
    project_linf(x, z, d, eps, low, high);
  } else {
    project_l2(*this, x, z, d);
  }
}

void ThreatModel::random_start(const float* x, float* z, index d, const Rng& rng) const {
  if (norm == Norm::linf) {
    rng.symmetric_uniform(d, z);
    for (index j = 0; j < d; ++j) z[j] = x[j] + eps * z[j];
  } else {
    // A normal vector has a uniform direction; U^(1/d) is the radius of a uniform point of the ball.
    std::vector<double> direction(static_cast<std::size_t>(d));
    double sum = 0;
    for (index j = 0; j < d; ++j) {
      const double g = rng.normal(static_cast<std::uint64_t>(j));
      direction[static_cast<std::size_t>(j)] = g;
      sum += g * g;
    }
    const double u = rng.uniform(static_cast<std::uint64_t>(d));
    const double scale = sum > 0 ? eps * std::pow(u, 1.0 / static_cast<double>(d)) / std::sqrt(sum) : 0;
    for (index j = 0; j < d; ++j) z[j] = static_cast<float>(x[j] + scale * direction[static_cast<std::size_t>(j)]);
  }
  project(x, z, d);
}

void ThreatModel::ascend(const float* g, float* z, index d, float step) const {
  if (norm == Norm::linf) {
    add_signs(g, z, d, step);
    return;
  }
  double sum = 0;
  for (index j = 0; j < d; ++j) sum += static_cast<double>(g[j]) * g[j];
  if (!(sum > 0)) return;
  const double scale = static_cast<double>(step) / std::sqrt(sum);
  for (index j = 0; j < d; ++j) z[j] = static_cast<float>(z[j] + scale * g[j]);
}

double ThreatModel::distance(const float* x, const float* z, index d) const {
  if (norm == Norm::l2) return std::sqrt(squared_distance(x, z, d));
  double largest = 0;
  for (index j = 0; j < d; ++j)
    largest = std::max(largest, std::abs(static_cast<double>(z[j]) - static_cast<double>(x[j])));
  return largest;
}

}  // namespace ntkrob
