#include "ntkrob/attack/threat.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "attack/rows.hpp"
#include "ntkrob/base/multiversion.hpp"
#include "ntkrob/base/printable.hpp"
#include "ntkrob/base/spec_text.hpp"

namespace ntkrob {

namespace {

// The rounds of a projection: sums over a row, and moves.

NTKROB_MULTIVERSION void sum_splits(Ball of, double s, const float* x, const float* z, index d, double* fixed,
                                    double* free) {
  *fixed = sum_over(d, [=](index j) { return ball::split(of, s, x[j], z[j]).fixed; });
  *free = sum_over(d, [=](index j) { return ball::split(of, s, x[j], z[j]).free; });
}

NTKROB_MULTIVERSION void sum_shifted(Ball of, double lambda, const float* x, const float* z, index d, double* sum,
                                     double* free) {
  *sum = sum_over(d, [=](index j) { return ball::shifted(of, lambda, x[j], z[j]).fixed; });
  *free = sum_over(d, [=](index j) { return ball::shifted(of, lambda, x[j], z[j]).free; });
}

NTKROB_MULTIVERSION double clipped_squares(Ball of, const float* x, const float* z, index d) {
  return sum_over(d, [=](index j) { return ball::size(Norm::l2, x[j], ball::clip(of, z[j])); });
}

NTKROB_MULTIVERSION double clipped_sizes(Ball of, const float* x, const float* z, index d) {
  return sum_over(d, [=](index j) { return ball::size(Norm::l1, x[j], ball::clip(of, z[j])); });
}

NTKROB_MULTIVERSION void project_linf(Ball of, const float* x, float* z, index d) {
  for (index j = 0; j < d; ++j)
    z[j] = ball::smaller(ball::larger(z[j], ball::least_linf(of, x[j])), ball::most_linf(of, x[j]));
}

NTKROB_MULTIVERSION void place(Ball of, double s, const float* x, float* z, index d) {
  for (index j = 0; j < d; ++j) z[j] = ball::scaled(of, s, x[j], z[j]);
}

NTKROB_MULTIVERSION void place_sparse(Ball of, double lambda, const float* x, float* z, index d) {
  for (index j = 0; j < d; ++j) z[j] = ball::thresholded(of, lambda, x[j], z[j]);
}

NTKROB_MULTIVERSION void draw_in(double keep, const float* x, float* z, index d) {
  for (index j = 0; j < d; ++j) z[j] = ball::drawn_in(keep, x[j], z[j]);
}

void run_round(const ball::Projection& p, const float* x, float* z, index d, double* sum, double* other) {
  using Round = ball::Projection::Round;
  const bool euclidean = p.of.norm == Norm::l2;
  switch (p.round) {
    case Round::centre:
      std::copy(x, x + d, z);
      break;
    case Round::bounds:
      project_linf(p.of, x, z, d);
      break;
    case Round::fits:
      *sum = euclidean ? clipped_squares(p.of, x, z, d) : clipped_sizes(p.of, x, z, d);
      break;
    case Round::clipping:
      for (index j = 0; j < d; ++j) z[j] = ball::clip(p.of, z[j]);
      break;
    case Round::scaling:
      sum_splits(p.of, p.s, x, z, d, sum, other);
      break;
    case Round::widest:
      *sum = largest_distance(x, z, d);
      break;
    case Round::thresholds:
      sum_shifted(p.of, p.s, x, z, d, sum, other);
      break;
    case Round::placing:
    case Round::drawing_in:
      if (p.round == Round::drawing_in)
        draw_in(p.s, x, z, d);
      else if (euclidean)
        place(p.of, p.s, x, z, d);
      else
        place_sparse(p.of, p.s, x, z, d);
      *sum = euclidean ? squared_distance(x, z, d) : absolute_distance(x, z, d);
      break;
    case Round::done:
      break;
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
  for (index j = 0; j < d; ++j) z[j] = ball::moved_along(scale, g[j], z[j]);
}

NTKROB_MULTIVERSION void add_signs(const float* g, float* z, index d, float step) {
  for (index j = 0; j < d; ++j) z[j] += ball::sign(g[j]) * step;
}

void random_coupled(const Ball& ball, const float* x, float* z, index d, const RandomStream& random) {
  std::vector<double> offset(static_cast<std::size_t>(d));
  ball::RandomStart start(ball);
  double sum = start.first(random, d);
  for (index j = 0; j < d; ++j) {
    const double v = start.offset(random, j);
    sum += start.share(v);
    offset[static_cast<std::size_t>(j)] = v;
  }
  start.close(random, d, sum);
  for (index j = 0; j < d; ++j) z[j] = start.at(x[j], offset[static_cast<std::size_t>(j)]);
}

}  // namespace

Norm parse_norm(const std::string& text) {
  for (const Norm norm : {Norm::linf, Norm::l2, Norm::l1})
    if (text == to_string(norm)) return norm;
  throw ConfigError(ntkrob::text("unknown norm \"", text, "\"; the norms are: linf, l2, l1"));
}

std::string to_string(Norm norm) { return norm == Norm::linf ? "linf" : norm == Norm::l2 ? "l2" : "l1"; }

ThreatModel ThreatModel::of(const std::string& norm, double eps, index d) {
  ThreatModel threat;
  threat.norm = parse_norm(norm);
  // Beyond, the conversion would be infinite, and the message would not name what was given.
  constexpr double kMost = 1e30;
  NTKROB_CHECK(eps <= kMost, ConfigError, field("eps"), " is ", given(eps), ", must be ", limit("at most ", d),
               "; it is in units of pixels scaled to [0,1]");
  threat.eps = static_cast<float>(eps);
  threat.validate(d);
  return threat;
}

ThreatModel parse_threat(const std::string& text, index d) {
  const std::size_t colon = text.find(':');
  NTKROB_CHECK(colon != std::string::npos, ConfigError, "threat model \"", shortened_line(text, 60),
               "\": expected norm:eps, such as linf:8/255 or l2:0.5");
  return ThreatModel::of(text.substr(0, colon), parse_number(text.substr(colon + 1), "eps"), d);
}

std::string to_string(const ThreatModel& threat) {
  return to_string(threat.norm) + ":" + format_number(static_cast<double>(threat.eps));
}

void ThreatModel::validate(index d) const {
  NTKROB_CHECK(std::isfinite(low) && std::isfinite(high) && low < high, ConfigError, "the box is [", low, ", ", high,
               "], must be finite with low below high");
  NTKROB_CHECK(std::isfinite(eps) && eps >= 0, ConfigError, field("eps"), " is ", given(eps), ", must be ",
               limit("finite and 0 or more"));
  const double width = static_cast<double>(high) - static_cast<double>(low);
  const auto components = static_cast<double>(std::max<index>(d, 1));
  const double most = norm == Norm::linf ? width : width * (norm == Norm::l2 ? std::sqrt(components) : components);
  NTKROB_CHECK(eps <= most, ConfigError, field("eps"), " is ", given(eps), " (", to_string(norm), "), must be ",
               limit("at most ", most), ", the size of the box [", low, ", ", high,
               "]; eps is in units of pixels scaled to [0,1]: ",
               advice("write ", eps, "/255 if it was meant in units of 0..255"));
}

void ThreatModel::project(const float* x, float* z, index d) const {
  ball::Projection onto(ball());
  while (onto.round != ball::Projection::done) {
    double sum = 0, other = 0;
    run_round(onto, x, z, d, &sum, &other);
    onto.decide(sum, other, d);
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
    for (index j = 0; j < d; ++j) z[j] = ball::RandomStart::at_linf(ball(), x[j], z[j]);
  } else {
    random_coupled(ball(), x, z, d, rng.stream());
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
    add_sparse_signs(g, z, d, step, ball::sparse_count(d));
  }
}

double ThreatModel::distance(const float* x, const float* z, index d) const {
  if (norm == Norm::l2) return std::sqrt(squared_distance(x, z, d));
  return norm == Norm::linf ? largest_distance(x, z, d) : absolute_distance(x, z, d);
}

}  // namespace ntkrob
