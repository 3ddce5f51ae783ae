/// Random inputs of a benchmark.
#pragma once

#include "ntkrob/base/random.hpp"
#include "ntkrob/base/view.hpp"

namespace ntkrob::bench {

/// n x d numbers, uniform in [0, 1).
template <class R>
Matrix<R> numbers(index n, index d, std::uint64_t seed) {
  const Rng rng(seed, "bench");
  Matrix<R> x(n, d);
  for (index i = 0; i < n * d; ++i) x.data()[i] = static_cast<R>(rng.uniform(static_cast<std::uint64_t>(i)));
  return x;
}

}  // namespace ntkrob::bench
