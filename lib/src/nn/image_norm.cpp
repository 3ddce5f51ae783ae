#include "nn/image_norm.hpp"

#include <algorithm>
#include <cmath>

#include "ntkrob/base/multiversion.hpp"

namespace ntkrob::nn {
namespace {

/// The sum over the channels of every cell, for each of them.
inline void join_cells(const NormCells& cells, double* values) {
  for (index first = 0; first < cells.channels && cells.width > 1; first += cells.width) {
    double total = 0;
    for (index k = first; k < first + cells.width; ++k) total += values[k];
    std::fill_n(values + first, cells.width, total);
  }
}

template <class R>
inline void moments(const NormCells& cells, const R* x, double* mean, double* inverse) {
  const index c = cells.channels;
  const double n = cells.numbers();
  std::fill_n(mean, c, 0.0);
  std::fill_n(inverse, c, 0.0);
  for (index p = 0; p < cells.positions; ++p)
    for (index k = 0; k < c; ++k) mean[k] += static_cast<double>(x[p * c + k]);
  join_cells(cells, mean);
  for (index k = 0; k < c; ++k) mean[k] /= n;
  for (index p = 0; p < cells.positions; ++p)
    for (index k = 0; k < c; ++k) {
      const double d = static_cast<double>(x[p * c + k]) - mean[k];
      inverse[k] += d * d;
    }
  join_cells(cells, inverse);
  for (index k = 0; k < c; ++k) inverse[k] = 1 / std::sqrt(inverse[k] / n + cells.eps);
}

template <class R>
inline void forward(const NormCells& cells, const R* x, const double* mean, const double* inverse, const R* gain,
                    const R* offset, bool relu, R* y) {
  const index c = cells.channels;
  for (index p = 0; p < cells.positions; ++p) {
    const R* const from = x + p * c;
    R* const to = y + p * c;
    for (index k = 0; k < c; ++k) {
      const double normal = (static_cast<double>(from[k]) - mean[k]) * inverse[k];
      to[k] = static_cast<R>(normal * static_cast<double>(gain[k]) + static_cast<double>(offset[k]));
    }
    for (index k = 0; k < c && relu; ++k) to[k] = R(0) > to[k] ? R(0) : to[k];
  }
}

template <class R>
inline void backward(const NormCells& cells, const R* x, const R* delta, const double* mean, const double* inverse,
                     const R* gain, double* sum, double* work, R* dx) {
  const index c = cells.channels;
  const double n = cells.numbers();
  double *const d_sum = sum, *const dn_sum = sum + c, *const g = work, *const gx = work + c;
  std::fill_n(work, 2 * c, 0.0);
  for (index p = 0; p < cells.positions; ++p)
    for (index k = 0; k < c; ++k) {
      const double d = static_cast<double>(delta[p * c + k]),
                   normal = (static_cast<double>(x[p * c + k]) - mean[k]) * inverse[k],
                   scaled = d * static_cast<double>(gain[k]);
      d_sum[k] += d;
      dn_sum[k] += d * normal;
      g[k] += scaled;
      gx[k] += scaled * normal;
    }
  if (dx == nullptr) return;
  join_cells(cells, g);
  join_cells(cells, gx);
  for (index k = 0; k < 2 * c; ++k) work[k] /= n;
  for (index p = 0; p < cells.positions; ++p)
    for (index k = 0; k < c; ++k) {
      const double normal = (static_cast<double>(x[p * c + k]) - mean[k]) * inverse[k],
                   scaled = static_cast<double>(delta[p * c + k]) * static_cast<double>(gain[k]);
      dx[p * c + k] = static_cast<R>(inverse[k] * (scaled - g[k] - normal * gx[k]));
    }
}

#define NTKROB_LOOPS(R)                                                                                                \
  NTKROB_MULTIVERSION void moments_loop(const NormCells& cells, const R* x, double* mean, double* inverse) {           \
    moments(cells, x, mean, inverse);                                                                                  \
  }                                                                                                                    \
  NTKROB_MULTIVERSION void forward_loop(const NormCells& cells, const R* x, const double* mean, const double* inverse, \
                                        const R* gain, const R* offset, bool relu, R* y) {                             \
    forward(cells, x, mean, inverse, gain, offset, relu, y);                                                           \
  }                                                                                                                    \
  NTKROB_MULTIVERSION void backward_loop(const NormCells& cells, const R* x, const R* delta, const double* mean,       \
                                         const double* inverse, const R* gain, double* sum, double* work, R* dx) {     \
    backward(cells, x, delta, mean, inverse, gain, sum, work, dx);                                                     \
  }
NTKROB_LOOPS(float)
NTKROB_LOOPS(double)
#undef NTKROB_LOOPS

}  // namespace

template <class R>
void cell_moments(const NormCells& cells, const R* x, double* mean, double* inverse) {
  moments_loop(cells, x, mean, inverse);
}
template <class R>
void normalise_cells(const NormCells& cells, const R* x, const double* mean, const double* inverse, const R* gain,
                     const R* offset, bool relu, R* y) {
  forward_loop(cells, x, mean, inverse, gain, offset, relu, y);
}
template <class R>
void cell_derivatives(const NormCells& cells, const R* x, const R* delta, const double* mean, const double* inverse,
                      const R* gain, double* sum, double* work, R* dx) {
  backward_loop(cells, x, delta, mean, inverse, gain, sum, work, dx);
}

#define NTKROB_INSTANTIATE(R)                                                                                          \
  template void cell_moments<R>(const NormCells&, const R*, double*, double*);                                         \
  template void normalise_cells<R>(const NormCells&, const R*, const double*, const double*, const R*, const R*, bool, \
                                   R*);                                                                                \
  template void cell_derivatives<R>(const NormCells&, const R*, const R*, const double*, const double*, const R*,      \
                                    double*, double*, R*);
NTKROB_INSTANTIATE(float)
NTKROB_INSTANTIATE(double)

}  // namespace ntkrob::nn
