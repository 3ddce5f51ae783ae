#include "attack/rows.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "ntkrob/base/multiversion.hpp"

namespace ntkrob {

namespace {

inline double difference(const float* a, const float* b, index j) { return ball::difference(a[j], b[j]); }

NTKROB_MULTIVERSION float largest_size(const float* v, index d) {
  float largest = 0;
  for (index j = 0; j < d; ++j) largest = std::max(largest, std::abs(v[j]));
  return largest;
}

NTKROB_MULTIVERSION double sum_of_sizes(const float* v, index d) {
  return sum_over(d, [=](index j) { return std::abs(static_cast<double>(v[j])); });
}

}  // namespace

NTKROB_MULTIVERSION double dot(const float* a, const float* b, index d) {
  return sum_over(d, [=](index j) { return static_cast<double>(a[j]) * static_cast<double>(b[j]); });
}

NTKROB_MULTIVERSION double squared_distance(const float* a, const float* b, index d) {
  return sum_over(d, [=](index j) { return difference(a, b, j) * difference(a, b, j); });
}

NTKROB_MULTIVERSION double absolute_distance(const float* a, const float* b, index d) {
  return sum_over(d, [=](index j) { return std::abs(difference(a, b, j)); });
}

NTKROB_MULTIVERSION double largest_distance(const float* a, const float* b, index d) {
  double largest = 0;
  for (index j = 0; j < d; ++j) largest = std::max(largest, std::abs(difference(a, b, j)));
  return largest;
}

double norm_of(Norm norm, const float* v, index d) {
  if (norm == Norm::linf) return largest_size(v, d);
  return norm == Norm::l1 ? sum_of_sizes(v, d) : std::sqrt(dot(v, v, d));
}

double dual_norm_of(Norm norm, const float* v, index d) {
  return norm_of(norm == Norm::linf ? Norm::l1 : norm == Norm::l1 ? Norm::linf : Norm::l2, v, d);
}

void add_sparse_signs(const float* g, float* z, index d, double step, index count) {
  std::vector<float> sizes(static_cast<std::size_t>(d));
  for (index j = 0; j < d; ++j) sizes[static_cast<std::size_t>(j)] = std::abs(g[j]);
  const auto last = sizes.begin() + (std::min(std::max<index>(count, 1), d) - 1);
  std::nth_element(sizes.begin(), last, sizes.end(), std::greater<float>());
  const float least = *last;
  const auto chosen = [&](index j) { return ball::takes_part(g[j], least); };
  index m = 0;
  for (index j = 0; j < d; ++j) m += chosen(j);
  if (m == 0) return;
  const auto share = static_cast<float>(step / static_cast<double>(m));
  for (index j = 0; j < d; ++j)
    if (chosen(j)) z[j] = ball::moved_sparsely(share, g[j], z[j]);
}

}  // namespace ntkrob
