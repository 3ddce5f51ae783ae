/// Inputs shared by the kernel tests.
#pragma once

#include <algorithm>

#include "ntkrob/base/random.hpp"
#include "ntkrob/base/view.hpp"

namespace ntkrob::kit {

/// n x d uniform numbers in [low, high).
template <class R>
Matrix<R> uniform_matrix(index n, index d, std::uint64_t seed, double low = 0, double high = 1) {
  const Rng rng(seed, "test input");
  Matrix<R> x(n, d);
  for (index i = 0; i < n * d; ++i) x.data()[i] = static_cast<R>(rng.uniform(static_cast<std::uint64_t>(i), low, high));
  return x;
}

/// General rows of both signs, then: a zero row, a copy, a parallel, an antiparallel, three nearly parallel rows
/// (angles about 1e-2, 1e-4, 1e-9) and one nearly antiparallel row.
template <class R>
Matrix<R> difficult_matrix(index d, std::uint64_t seed) {
  Matrix<R> x = uniform_matrix<R>(14, d, seed, -1, 1);
  const Matrix<R> noise = uniform_matrix<R>(14, d, seed + 1, -1, 1);
  for (index k = 0; k < d; ++k) {
    x(5, k) = 0;
    x(6, k) = x(0, k);
    x(7, k) = R(3) * x(0, k);
    x(8, k) = -x(1, k);
    x(9, k) = x(2, k) + R(1e-2) * noise(9, k);
    x(10, k) = x(2, k) + R(1e-4) * noise(10, k);
    x(11, k) = static_cast<R>(static_cast<double>(x(2, k)) * (1 + 1e-9 * static_cast<double>(noise(11, k))));
    x(12, k) = -x(3, k) + R(1e-5) * noise(12, k);
  }
  return x;
}

template <class To, class From>
Matrix<To> converted(const Matrix<From>& from) {
  Matrix<To> to(from.rows(), from.cols());
  convert(from.view(), to.view());
  return to;
}

template <class R>
double largest(const Matrix<R>& m) {
  double value = 0;
  for (index i = 0; i < m.size(); ++i) value = std::max(value, std::abs(static_cast<double>(m.data()[i])));
  return value;
}

}  // namespace ntkrob::kit
