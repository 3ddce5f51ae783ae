#include "attack/hyperplane.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "attack/rows.hpp"
#include "ntkrob/base/multiversion.hpp"

namespace ntkrob {

namespace {

/// The problem with its signs taken out: every component lowers the excess by |w_j| per unit, up to its room.
struct Slope {
  const float* t;
  const float* w;
  double sign;  // of the excess
  double low, high;

  double weight(index j) const { return std::abs(static_cast<double>(w[j])); }
  bool downwards(index j) const { return sign * w[j] > 0; }
  double room(index j) const { return downwards(j) ? t[j] - low : high - t[j]; }
};

/// What the components that stand at their room give for the multiplier lambda (fixed), and what the others give per
/// unit of it (free). A component goes lambda far in linf, lambda |w_j| far in l2.
struct Split {
  double fixed, free;
};

NTKROB_MULTIVERSION Split split_linf(const Slope& given, index d, double lambda) {
  const Slope s = given;
  return {sum_over(d, [=](index j) { return s.room(j) <= lambda ? s.weight(j) * s.room(j) : 0.0; }),
          sum_over(d, [=](index j) { return s.room(j) <= lambda ? 0.0 : s.weight(j); })};
}

NTKROB_MULTIVERSION Split split_l2(const Slope& given, index d, double lambda) {
  const Slope s = given;
  return {sum_over(d, [=](index j) { return s.room(j) <= lambda * s.weight(j) ? s.weight(j) * s.room(j) : 0.0; }),
          sum_over(d, [=](index j) { return s.room(j) <= lambda * s.weight(j) ? 0.0 : s.weight(j) * s.weight(j); })};
}

/// Infinite where all rooms together are too small.
template <class SplitAt>
double multiplier(const Slope& slope, index d, double excess, const SplitAt& split) {
  double lambda = 0;
  for (index round = 0; round <= d + 1; ++round) {
    const auto [fixed, free] = split(slope, d, lambda);
    if (!(free > 0)) return fixed < excess ? std::numeric_limits<double>::infinity() : lambda;
    const double next = (excess - fixed) / free;
    if (!(next > lambda)) break;
    lambda = next;
  }
  return lambda;
}

/// shift = lambda far in linf, lambda |w_j| far in l2, but no further than the room. In float32, without branches, so
/// that it vectorises. Not lambda * 0, which is NaN where lambda is infinite.
NTKROB_MULTIVERSION void write_shift(const Slope& s, index d, float lambda, bool weighted, float* shift) {
  const float low = static_cast<float>(s.low), high = static_cast<float>(s.high), sign = static_cast<float>(s.sign);
  const float *t = s.t, *w = s.w;
  for (index j = 0; j < d; ++j) {
    const float slope = sign * w[j], below = low - t[j], above = high - t[j];
    const float reach = slope == 0 ? 0.0f : weighted ? lambda * slope : slope > 0 ? lambda : -lambda;
    shift[j] = -reach < below ? below : -reach > above ? above : -reach;
  }
}

void shift_l1(const Slope& s, index d, double excess, float* shift) {
  std::fill_n(shift, d, 0.0f);
  std::vector<std::pair<float, index>> order;
  order.reserve(static_cast<std::size_t>(d));
  for (index j = 0; j < d; ++j)
    if (s.w[j] != 0) order.emplace_back(std::abs(s.w[j]), -j);  // of equal weights the first component goes first
  std::make_heap(order.begin(), order.end());
  for (auto end = order.end(); end != order.begin() && excess > 0; --end) {
    std::pop_heap(order.begin(), end);
    const index j = -std::prev(end)->second;
    const double size = std::min(excess / s.weight(j), s.room(j));
    excess -= size * s.weight(j);
    shift[j] = static_cast<float>(s.downwards(j) ? -size : size);
  }
}

}  // namespace

void shift_to_hyperplane(Norm norm, const float* t, const float* w, double excess, index d, float low, float high,
                         float* shift) {
  const Slope slope{t, w, excess >= 0 ? 1.0 : -1.0, low, high};
  const double size = std::abs(excess);
  if (norm == Norm::linf) {
    write_shift(slope, d, static_cast<float>(multiplier(slope, d, size, split_linf)), false, shift);
  } else if (norm == Norm::l2) {
    write_shift(slope, d, static_cast<float>(multiplier(slope, d, size, split_l2)), true, shift);
  } else {
    shift_l1(slope, d, size, shift);
  }
}

}  // namespace ntkrob
