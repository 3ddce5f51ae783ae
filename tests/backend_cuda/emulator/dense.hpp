/// Dense linear algebra on column-major matrices, in plain loops along columns.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <vector>

namespace ntkrob::emulator {

using Count = std::int64_t;

template <class T>
struct Columns {
  T* data;
  Count rows, cols, ld;
  T& operator()(Count i, Count j) const { return data[i + j * ld]; }
  T* column(Count j) const { return data + j * ld; }
};

/// op(a) as a dense matrix of its own.
template <class T, class From>
std::vector<T> dense(const From* a, Count ld, Count rows, Count cols, bool transposed) {
  std::vector<T> copy(static_cast<std::size_t>(rows * cols));
  for (Count j = 0; j < cols; ++j)
    for (Count i = 0; i < rows; ++i)
      copy[static_cast<std::size_t>(i + j * rows)] = static_cast<T>(transposed ? a[j + i * ld] : a[i + j * ld]);
  return copy;
}

/// The symmetric matrix of which one triangle is given.
template <class T>
std::vector<T> whole(const T* a, Count ld, Count n, bool lower) {
  std::vector<T> copy(static_cast<std::size_t>(n * n));
  for (Count j = 0; j < n; ++j)
    for (Count i = 0; i < n; ++i) {
      const bool given = lower ? i >= j : i <= j;
      copy[static_cast<std::size_t>(i + j * n)] = given ? a[i + j * ld] : a[j + i * ld];
    }
  return copy;
}

/// c = alpha a b + beta c; c is not read where beta is 0.   a: m x k   b: k x n, both without gaps
template <class T, class To>
void multiply(Count m, Count n, Count k, T alpha, const std::vector<T>& a, const std::vector<T>& b, T beta, To* c,
              Count ldc) {
  std::vector<T> sum(static_cast<std::size_t>(m));
  for (Count j = 0; j < n; ++j) {
    std::fill(sum.begin(), sum.end(), T(0));
    const T* right = b.data() + j * k;
    Count p = 0;
    for (; p + 4 <= k; p += 4) {
      const T *a0 = a.data() + p * m, *a1 = a0 + m, *a2 = a1 + m, *a3 = a2 + m;
      const T b0 = right[p], b1 = right[p + 1], b2 = right[p + 2], b3 = right[p + 3];
      for (Count i = 0; i < m; ++i)
        sum[static_cast<std::size_t>(i)] += (a0[i] * b0 + a1[i] * b1) + (a2[i] * b2 + a3[i] * b3);
    }
    for (; p < k; ++p)
      for (Count i = 0; i < m; ++i)
        sum[static_cast<std::size_t>(i)] += a[static_cast<std::size_t>(i + p * m)] * right[p];
    for (Count i = 0; i < m; ++i) {
      const T value = alpha * sum[static_cast<std::size_t>(i)];
      To& target = c[i + j * ldc];
      target = static_cast<To>(beta == T(0) ? value : value + beta * static_cast<T>(target));
    }
  }
}

/// x = op(t)^-1 x for a triangular t, from the left.   t: n x n   x: n x r
template <class T>
void solve_triangle(const std::vector<T>& t, Count n, bool lower, bool unit, T* x, Count ldx, Count r) {
  for (Count c = 0; c < r; ++c) {
    T* column = x + c * ldx;
    for (Count s = 0; s < n; ++s) {
      const Count j = lower ? s : n - 1 - s;
      if (!unit) column[j] /= t[static_cast<std::size_t>(j + j * n)];
      const Count begin = lower ? j + 1 : 0, end = lower ? n : j;
      for (Count i = begin; i < end; ++i) column[i] -= t[static_cast<std::size_t>(i + j * n)] * column[j];
    }
  }
}

/// The lower Cholesky factor of a symmetric matrix, in its lower triangle.
/// returns: 0, or the number, from 1, of the first pivot that is not positive
template <class T>
int factor(std::vector<T>& a, Count n) {
  const auto at = [&](Count i, Count j) -> T& { return a[static_cast<std::size_t>(i + j * n)]; };
  for (Count j = 0; j < n; ++j) {
    if (!(at(j, j) > T(0))) return static_cast<int>(j + 1);
    const T pivot = at(j, j) = std::sqrt(at(j, j));
    for (Count i = j + 1; i < n; ++i) at(i, j) /= pivot;
    for (Count q = j + 1; q < n; ++q) {
      const T scale = at(q, j);
      const T* from = a.data() + j * n;
      T* to = a.data() + q * n;
      for (Count i = q; i < n; ++i) to[i] -= scale * from[i];
    }
  }
  return 0;
}

/// Eigenvalues, ascending, and eigenvectors as columns, by Jacobi's rotations.
template <class T>
void eigen(std::vector<T>& a, Count n, std::vector<T>& values) {
  std::vector<T> v(a.size());
  for (Count i = 0; i < n; ++i) v[static_cast<std::size_t>(i + i * n)] = T(1);
  const auto at = [&](Count i, Count j) -> T& { return a[static_cast<std::size_t>(i + j * n)]; };
  T norm = 0;
  for (const T& x : a) norm += x * x;
  constexpr int kMostSweeps = 60;
  for (int sweep = 0; sweep < kMostSweeps; ++sweep) {
    T off = 0;
    for (Count j = 0; j < n; ++j)
      for (Count i = 0; i < j; ++i) off += at(i, j) * at(i, j);
    if (off <= norm * std::numeric_limits<T>::epsilon() * std::numeric_limits<T>::epsilon() / 100) break;
    for (Count p = 0; p < n; ++p)
      for (Count q = p + 1; q < n; ++q) {
        if (at(p, q) == T(0)) continue;
        const T theta = (at(q, q) - at(p, p)) / (2 * at(p, q));
        const T t = (theta < 0 ? T(-1) : T(1)) / (std::abs(theta) + std::sqrt(theta * theta + 1));
        const T c = 1 / std::sqrt(t * t + 1), s = t * c;
        const auto rotate = [&](T& x, T& y) {
          const T old = x;
          x = c * old - s * y;
          y = s * old + c * y;
        };
        for (Count k = 0; k < n; ++k) rotate(at(k, p), at(k, q));
        for (Count k = 0; k < n; ++k) rotate(at(p, k), at(q, k));
        for (Count k = 0; k < n; ++k)
          rotate(v[static_cast<std::size_t>(k + p * n)], v[static_cast<std::size_t>(k + q * n)]);
      }
  }
  std::vector<Count> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), Count(0));
  std::sort(order.begin(), order.end(), [&](Count i, Count j) { return at(i, i) < at(j, j); });
  values.resize(static_cast<std::size_t>(n));
  std::vector<T> sorted(a.size());
  for (Count k = 0; k < n; ++k) {
    const Count from = order[static_cast<std::size_t>(k)];
    values[static_cast<std::size_t>(k)] = at(from, from);
    std::copy_n(v.data() + from * n, n, sorted.data() + k * n);
  }
  a = std::move(sorted);
}

}  // namespace ntkrob::emulator
