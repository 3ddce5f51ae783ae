#include "attack/hyperplane.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "attack/rows.hpp"
#include "ntkrob/base/multiversion.hpp"

namespace ntkrob {

namespace {

/// The problem with its signs taken out: component j lowers the excess by weight[j] per unit, up to room[j].
struct Slope {
  const float* weight;
  const float* room;
  index d;
};

NTKROB_MULTIVERSION void take_out_signs(const float* t, const float* w, float sign, index d, float low, float high,
                                        float* weight, float* room) {
  for (index j = 0; j < d; ++j) {
    const float down = t[j] - low, up = high - t[j];
    weight[j] = std::abs(w[j]);
    room[j] = sign * w[j] > 0 ? down : up;
  }
}

/// What the components that stand at their room give for the multiplier lambda (fixed), and what the others give per
/// unit of it (free). A component goes lambda far in linf, lambda weight[j] far in l2.
struct Split {
  double fixed, free;
};

// Choices are products with 0 or 1: compilers vectorise them, where they branch for a choice of sums.

NTKROB_MULTIVERSION Split split_linf(const Slope& s, double lambda) {
  const float *weight = s.weight, *room = s.room;
  // A room, which is a float, is at most lambda exactly if it is at most the next float below.
  const auto nearest = static_cast<float>(lambda);
  const float most = nearest > lambda ? std::nextafter(nearest, 0.0f) : nearest;
  return {sum_over(s.d,
                   [=](index j) {
                     const float stands = weight[j] * static_cast<float>(room[j] <= most);
                     return static_cast<double>(stands) * room[j];
                   }),
          sum_over(s.d, [=](index j) { return static_cast<double>(weight[j] * static_cast<float>(room[j] > most)); })};
}

NTKROB_MULTIVERSION Split split_l2(const Slope& s, double lambda) {
  const float *weight = s.weight, *room = s.room;
  return {sum_over(s.d,
                   [=](index j) {
                     const double a = weight[j], r = room[j];
                     return a * r * static_cast<double>(r <= lambda * a);
                   }),
          sum_over(s.d, [=](index j) {
            const double a = weight[j], r = room[j];
            return a * a * static_cast<double>(r > lambda * a);
          })};
}

/// Infinite where all rooms together are too small.
template <class SplitAt>
double multiplier(const Slope& slope, double excess, const SplitAt& split) {
  double lambda = 0;
  for (index round = 0; round <= slope.d + 1; ++round) {
    const auto [fixed, free] = split(slope, lambda);
    if (!(free > 0)) return fixed < excess ? std::numeric_limits<double>::infinity() : lambda;
    const double next = (excess - fixed) / free;
    if (!(next > lambda)) break;
    lambda = next;
  }
  return lambda;
}

/// shift = lambda far in linf, lambda weight[j] far in l2, but no further than the room, against the sign of the slope.
/// Not lambda * 0, which is NaN where lambda is infinite.
NTKROB_MULTIVERSION void write_shift(const Slope& s, const float* w, float sign, float lambda, bool weighted,
                                     float* shift) {
  const float *weight = s.weight, *room = s.room;
  for (index j = 0; j < s.d; ++j) {
    const float reach = weight[j] == 0 ? 0.0f : weighted ? lambda * weight[j] : lambda;
    const float size = reach > room[j] ? room[j] : reach;
    shift[j] = sign * w[j] > 0 ? -size : size;
  }
}

void shift_l1(const Slope& s, const float* w, float sign, double excess, float* shift) {
  std::fill_n(shift, s.d, 0.0f);
  std::vector<std::pair<float, index>> order;
  order.reserve(static_cast<std::size_t>(s.d));
  for (index j = 0; j < s.d; ++j)
    if (s.weight[j] != 0) order.emplace_back(s.weight[j], -j);  // of equal weights the first component goes first
  std::make_heap(order.begin(), order.end());
  for (auto end = order.end(); end != order.begin() && excess > 0; --end) {
    std::pop_heap(order.begin(), end);
    const index j = -std::prev(end)->second;
    const double weight = s.weight[j], size = std::min<double>(excess / weight, s.room[j]);
    excess -= size * weight;
    shift[j] = static_cast<float>(sign * w[j] > 0 ? -size : size);
  }
}

}  // namespace

void shift_to_hyperplane(Norm norm, const float* t, const float* w, double excess, index d, float low, float high,
                         float* shift) {
  std::vector<float> scratch(static_cast<std::size_t>(2 * d));
  const float sign = excess >= 0 ? 1.0f : -1.0f;
  take_out_signs(t, w, sign, d, low, high, scratch.data(), scratch.data() + d);
  const Slope slope{scratch.data(), scratch.data() + d, d};
  const double size = std::abs(excess);
  if (norm == Norm::l1) return shift_l1(slope, w, sign, size, shift);
  const bool weighted = norm == Norm::l2;
  const double lambda = weighted ? multiplier(slope, size, split_l2) : multiplier(slope, size, split_linf);
  write_shift(slope, w, sign, static_cast<float>(lambda), weighted, shift);
}

}  // namespace ntkrob
