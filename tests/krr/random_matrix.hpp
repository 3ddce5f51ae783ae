/// Numbers that the tests of kernel machines draw.
#pragma once

#include <cstdint>

#include "ntkrob/base/random.hpp"
#include "ntkrob/base/view.hpp"

namespace ntkrob {

/// Uniform numbers, a function of the stream's name.
template <class R = double>
Matrix<R> random_matrix(index rows, index cols, const char* stream, double low = 0, double high = 1) {
  const Rng rng(11, stream);
  Matrix<R> a(rows, cols);
  for (index i = 0; i < rows; ++i)
    for (index j = 0; j < cols; ++j)
      a(i, j) = static_cast<R>(rng.uniform(static_cast<std::uint64_t>(i * cols + j), low, high));
  return a;
}

}  // namespace ntkrob
