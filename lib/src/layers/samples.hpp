/// What a chain needs to know about one sample, as a column of numbers: the layout of Backend's SampleTable.
///
/// Everything here is scalar float64 and runs once per sample and call. Template over the chain type, any range of
/// {kind, params}, so that this component stays below the backends.
#pragma once

#include <cmath>

#include "layers/all.hpp"
#include "ntkrob/base/error.hpp"
#include "ntkrob/base/view.hpp"

namespace ntkrob::layers {

/// Rows of the table in front of the layers' coefficients.
enum SampleRow : int {
  kInverseNorm,      // 1 / sqrt(a), a = x.x / D
  kScale,            // g = sqrt(A), A the variance at the output: k = g_x g_y (...)
  kGain,             // g / sqrt(a), its limit for a zero sample
  kScaleSlope,       // dg / d log a
  kInverseVariance,  // 1 / a; 0 for a zero sample, whose gradient along itself vanishes with it
  kFirstCoefficient
};

/// Number of rows: each layer's coefficients, then their derivatives.
template <class Chain>
int sample_rows(const Chain& chain) {
  int rows = kFirstCoefficient;
  for (const auto& layer : chain) rows += 2 * info(layer.kind).n_coefficients;
  return rows;
}

/// Whether k(x,x) is not the limit of k(x,y).
template <class Chain>
bool adds_noise(const Chain& chain) {
  for (const auto& layer : chain)
    if (info(layer.kind).law == Law::adds_noise) return true;
  return false;
}

/// k(x,x) of a sample with mean square a, and its derivatives by a.
template <class Chain>
SelfState self_state(const Chain& chain, double a) {
  SelfState s{a, 0, 1, 0};
  for (const auto& layer : chain) visit(layer.kind, [&](auto l) { s = decltype(l)::self(s, layer.params.data()); });
  return s;
}

/// Fills column[0 .. sample_rows). a < smallest counts as a zero sample: it is replaced by a variance so small that
/// values are those of the limit, with the correct one-sided quantities kept exact.
template <class Chain>
void sample_column(const Chain& chain, double a, double smallest, double* column) {
  constexpr double kStandIn = 1e-24;
  const bool zero = a < smallest;
  const double start = zero ? kStandIn : a;
  Variance v{start, start};
  double exact = zero ? 0.0 : a;
  int row = kFirstCoefficient;
  for (const auto& layer : chain) {
    const int n = info(layer.kind).n_coefficients;
    double unused[kMaxCoefficients];
    visit(layer.kind, [&](auto l) {
      using L = decltype(l);
      exact = L::sample({exact, 0}, layer.params.data(), unused, unused).a;
      v = L::sample(v, layer.params.data(), column + row, column + row + n);
    });
    row += 2 * n;
  }
  const double root = std::sqrt(v.a);
  column[kInverseNorm] = 1 / std::sqrt(start);
  column[kScale] = std::sqrt(exact);
  column[kGain] = root / std::sqrt(start);
  column[kScaleSlope] = zero || root == 0 ? 0.0 : v.da / (2 * root);
  column[kInverseVariance] = zero ? 0.0 : 1 / a;
}

/// Smallest and largest x.x/D that the precision can carry through products and scales.
template <class R>
struct VarianceRange {
  static constexpr double smallest = sizeof(R) == 4 ? 1e-34 : 1e-280;
  static constexpr double largest = sizeof(R) == 4 ? 1e30 : 1e280;
};

/// sample_column for numbers of type R, with all checks. `sample` names it in messages.
/// returns: 1 / sqrt(a), 0 for a zero sample   throws: NonFinite
template <class R, class Chain>
double checked_column(const Chain& chain, index sample, double a, double* column) {
  using Range = VarianceRange<R>;
  NTKROB_CHECK(std::isfinite(a), NonFinite, "sample ", sample, " of a kernel input has values that are not finite");
  NTKROB_CHECK(a <= Range::largest, NonFinite, "sample ", sample, " of a kernel input has a mean square of ", a,
               ", the limit of this precision is ", Range::largest, "; scale the inputs or use float64 precision");
  sample_column(chain, a, Range::smallest, column);
  // Activations that grow fast (exp, monomial) can leave the range that their inputs were in.
  const R scale = static_cast<R>(column[kScale]);
  NTKROB_CHECK(std::isfinite(scale * scale), NonFinite, "sample ", sample, " has mean square ", a,
               " and a kernel value beyond the range of this precision; scale the inputs, use smaller weights w "
               "or float64 precision");
  return a < Range::smallest ? 0 : column[kInverseNorm];
}

}  // namespace ntkrob::layers
