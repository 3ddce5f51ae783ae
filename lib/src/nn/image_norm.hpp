/// Loops of normalisations over all positions of an image: channels side by side, in vectors.
#pragma once

#include "ntkrob/base/view.hpp"

namespace ntkrob::nn {

/// An image of positions x channels numbers in cells of `width` channels.
struct NormCells {
  index positions, channels, width;
  double eps;
  double numbers() const { return static_cast<double>(positions * width); }
};

/// Mean and 1 / sqrt(variance + eps) of the cell of each channel.   mean, inverse: channels each (overwritten)
template <class R>
void cell_moments(const NormCells& cells, const R* x, double* mean, double* inverse);
/// y = (x - mean) inverse gain + offset, and max(y, 0) with relu; a NaN stays.
template <class R>
void normalise_cells(const NormCells& cells, const R* x, const double* mean, const double* inverse, const R* gain,
                     const R* offset, bool relu, R* y);
/// sum += derivatives by offset (channels) and gain (channels behind them).   work: 2 x channels numbers
///   dx: derivatives by x (overwritten), or null
template <class R>
void cell_derivatives(const NormCells& cells, const R* x, const R* delta, const double* mean, const double* inverse,
                      const R* gain, double* sum, double* work, R* dx);

}  // namespace ntkrob::nn
