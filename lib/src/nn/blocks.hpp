/// Elementwise passes over the rows of a matrix, in blocks whose size depends on the shape alone.
#pragma once

#include <algorithm>
#include <functional>

#include "ntkrob/backend/backend.hpp"

namespace ntkrob::nn {

/// Numbers per task: 512 KiB of float32. Smaller passes take some 10 us, about as long as waking the workers, and stay
/// serial.
constexpr index kBlockNumbers = index{1} << 17;

/// Calls task(begin, count) for blocks of [0, n), in parallel; the partition depends on n and block alone. std::ref
/// keeps std::function from allocating.
template <class Task>
void for_blocks(Backend& backend, index n, index block, const Task& task) {
  const index blocks = (n + block - 1) / block;
  if (blocks == 1) return task(index{0}, n);
  const auto one = [&](index k, int) { task(k * block, std::min(block, n - k * block)); };
  backend.for_each(blocks, std::ref(one));
}

/// Rows of `cols` numbers that make up one task.
inline index rows_per_block(index cols) { return std::max<index>(1, kBlockNumbers / cols); }

/// Rows of a product with a k x n matrix that make up one task: some 50 us, in whole steps of the registers' rows.
inline index rows_per_product(index k, index n) {
  constexpr index kMultiplications = index{1} << 22, kStep = 14;
  return std::max<index>(1, (kMultiplications / std::max<index>(1, k * n) + kStep - 1) / kStep) * kStep;
}

}  // namespace ntkrob::nn
