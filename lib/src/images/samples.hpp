/// The numbers of one sample, operation by operation, and the way back from their adjoints to the pixels.
#pragma once

#include "images/layout.hpp"

namespace ntkrob {

template <class R>
struct Sample {
  std::vector<R> table;       // as Layout places them
  std::vector<double> wide;   // by value: variances
  std::vector<double> slope;  // by output value of a pointwise layer: derivative of its variance by that of its input
  std::vector<double> scale;  // by value: roots in the table and the state are divided by it
  std::vector<R> pixels;      // divided by the scale of the input
};

/// Adjoints of what belongs to one sample.
struct SampleGradient {
  std::vector<double> by_log;       // by value: derivatives by the logarithm of variances
  std::vector<double> by_variance;  // by value: by variances, as scaled
  std::vector<double> pixels;       // as scaled
  void clear(const Layout& layout) {
    by_log.assign(static_cast<std::size_t>(layout.doubles), 0.0);
    by_variance.assign(static_cast<std::size_t>(layout.doubles), 0.0);
    pixels.assign(static_cast<std::size_t>(layout.shape(0).positions() * layout.program.input.channels), 0.0);
  }
};

/// Bytes of a Sample, and of a SampleGradient with it.
std::size_t sample_bytes(const Layout& layout, std::size_t bytes_per_number, bool gradient);

/// The tables from the pixels; variances behind pools as for linear operations.
template <class R>
void fill_sample(const Layout& layout, const R* pixels, Sample<R>& s);
/// Variances of value v are known better: all that follows is made again.
template <class R>
void refill_after(const Layout& layout, int v, Sample<R>& s);

/// Adds the adjoints of values up to v to dL/da.
template <class R>
void add_adjoints(const Layout& layout, int v, const Sample<R>& s, const SampleGradient& g, double factor,
                  std::vector<double>& variance_gradient);
/// From dL/da of the values behind operations [first, end) to those in front of them.
template <class R>
void back_through(const Layout& layout, int first, int end, const Sample<R>& s, std::vector<double>& variance_gradient);
/// dL/d pixels from dL/da of the input, and from the adjoints of the pixels themselves.
template <class R>
void back_to_pixels(const Layout& layout, const R* pixels, const Sample<R>& s, const SampleGradient& g,
                    const std::vector<double>& variance_gradient, R* dx);

/// Numbers of a block of the tables of y: `lanes` samples side by side.
index block_numbers(const Layout& layout, index lanes);
/// Puts a sample into lanes [first, end) of a block: its table, then a plane for each channel of its pixels.
template <class R>
void put_lanes(const Layout& layout, const Sample<R>& s, index first, index end, index lanes, R* block);

}  // namespace ntkrob
