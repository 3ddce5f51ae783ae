/// Checks shared by all tests: comparison with a bound, and gradients against central differences. A failure prints the
/// worst index, both values and the bound.
#pragma once

#include <catch2/catch.hpp>
#include <cmath>
#include <functional>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include "ntkrob/base/view.hpp"

namespace ntkrob::kit {

/// What a comparison found; `text` is empty when every |a - b| <= bound.
struct Comparison {
  double worst = 0;
  std::string text;
};

/// NaN is worse than every number, and nothing is worse than NaN.
inline bool is_worse(double error, double worst) { return !std::isnan(worst) && !(error <= worst); }

/// |a(i,j) - b(i,j)| <= bound for all entries; NaN fails.
template <class A, class B>
Comparison compare(View2D<A> a, View2D<B> b, double bound) {
  Comparison result;
  if (a.rows != b.rows || a.cols != b.cols) {
    result.text = text("shapes differ: ", a.rows, " x ", a.cols, " and ", b.rows, " x ", b.cols);
    result.worst = std::numeric_limits<double>::quiet_NaN();
    return result;
  }
  for (index i = 0; i < a.rows; ++i)
    for (index j = 0; j < a.cols; ++j) {
      const double error = std::abs(static_cast<double>(a(i, j)) - static_cast<double>(b(i, j)));
      if (!(error <= bound) && is_worse(error, result.worst)) {
        std::ostringstream out;
        out.precision(17);
        out << "(" << i << "," << j << "): " << a(i, j) << " and " << b(i, j) << ", difference " << error << ", bound "
            << bound;
        result.text = out.str();
      }
      if (is_worse(error, result.worst)) result.worst = error;
    }
  return result;
}

/// Largest difference between the gradient `df` and 4-point central differences of f at x, step h, over at most
/// `probes` coordinates spread evenly; text is empty when all are within bound * max(max|df|, floor). floor: for
/// gradients that may be 0 throughout, where the difference shows the rounding of f alone.
inline Comparison check_gradient(const std::function<double(ConstView2D<double>)>& f, ConstView2D<double> df,
                                 ConstView2D<double> x, double bound, double h = 1e-3, index probes = 64,
                                 double floor = 0) {
  NTKROB_CHECK_SHAPE(df, x.rows, x.cols);
  double scale = floor;
  for (index i = 0; i < df.rows; ++i)
    for (index j = 0; j < df.cols; ++j) scale = std::max(scale, std::abs(df(i, j)));
  Matrix<double> p(x);
  const index total = x.rows * x.cols;
  const index stride = std::max<index>(1, total / probes);
  Comparison result;
  for (index k = 0; k < total; k += stride) {
    const index i = k / x.cols, j = k % x.cols;
    const auto at = [&](double offset) {
      p(i, j) = x(i, j) + offset;
      const double value = f(p.view());
      p(i, j) = x(i, j);
      return value;
    };
    const double numeric = (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h);
    const double error = std::abs(numeric - df(i, j));
    if (!(error <= bound * scale) && is_worse(error, result.worst)) {
      std::ostringstream out;
      out.precision(12);
      out << "gradient (" << i << "," << j << "): analytic " << df(i, j) << ", numeric " << numeric << ", difference "
          << error << ", bound " << bound * scale;
      result.text = out.str();
    }
    if (is_worse(error, result.worst)) result.worst = error;
  }
  return result;
}

}  // namespace ntkrob::kit

/// CHECK that a comparison found nothing; prints its text.
#define NTKROB_CHECK_SAME(comparison)  \
  do {                                 \
    const auto result_ = (comparison); \
    INFO(result_.text);                \
    CHECK(result_.text.empty());       \
  } while (false)
