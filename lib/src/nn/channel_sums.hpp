/// Sums over images and positions, channel by channel, in float64 and in an order that depends on shapes alone.
#pragma once

#include <algorithm>
#include <functional>

#include "nn/layer.hpp"

namespace ntkrob::nn {

/// The sums of groups, one row each: row 0 gets their sum, in the order of the groups.
inline void add_up(Matrix<double>& sums, index groups, index n) {
  for (index g = 1; g < groups; ++g)
    for (index k = 0; k < n; ++k) sums(0, k) += sums(g, k);
}

/// Adds up the sums of `rows` images: row 0 of `sums` gets them.   add(i, sum): adds those of image i to sum, n numbers
template <class Add>
void sum_over_images(Backend& backend, index rows, index n, Matrix<double>& sums, const Add& add) {
  const SumGroups groups(rows);
  grow(sums, std::max<index>(1, groups.count), n);
  std::fill_n(sums.row(0), n, 0.0);
  const auto task = [&](index g, int) {
    double* const own = sums.row(g);
    std::fill_n(own, n, 0.0);
    for (index i = g * groups.each; i < std::min(rows, (g + 1) * groups.each); ++i) add(i, own);
  };
  backend.for_each(groups.count, std::ref(task));
  add_up(sums, groups.count, n);
}

/// grad = beta grad + sum.
template <class R>
void add_sums(const double* sum, index n, R beta, R* grad) {
  for (index k = 0; k < n; ++k)
    grad[k] = static_cast<R>(beta == R(0) ? sum[k] : sum[k] + static_cast<double>(beta) * static_cast<double>(grad[k]));
}

}  // namespace ntkrob::nn
