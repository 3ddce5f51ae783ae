/// The numbers of one sample, operation by operation, and the way back from their adjoints to the pixels.
#pragma once

#include <functional>

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

/// dL/d pixels from adjoints, which are used up. through_pool(operation, dL/da of its output): true if that operation
/// has done its part, adding to the adjoints of earlier values.
/// variance_gradient: scratch, dL/da by value.
template <class R>
void back_to_pixels(const Layout& layout, const R* pixels, const Sample<R>& s, SampleGradient& g, double* dx,
                    const std::function<bool(int, const double*, std::vector<double>&)>& through_pool);
/// Adds the adjoints of values up to v to dL/da.
template <class R>
void add_adjoints(const Layout& layout, int v, const Sample<R>& s, const SampleGradient& g, double factor,
                  std::vector<double>& variance_gradient);

}  // namespace ntkrob
