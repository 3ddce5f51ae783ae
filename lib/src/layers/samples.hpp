/// What a chain needs to know about one sample, as a column of numbers: the layout of Backend's SampleTable.
///
/// Everything here is scalar float64 and runs once per sample and call, on the host or on a device. Template over the
/// layer of a chain, {kind, params}, so that this component stays below the backends.
#pragma once

#include <cmath>
#include <type_traits>

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

/// Whether a device can run a layer's sample() and self(): not those that refuse variances by an exception.
template <class Layer>
constexpr bool kRefusesNothing = !std::is_same<Layer, Gaussian>::value;
template <class Chain>
bool refuses_nothing(const Chain& chain) {
  bool nothing = true;
  for (const auto& layer : chain) visit(layer.kind, [&](auto l) { nothing = nothing && kRefusesNothing<decltype(l)>; });
  return nothing;
}

/// k(x,x) of a sample with mean square a, and its derivatives by a. In code for a device, layers that refuse are left
/// out.
template <bool on_device, class Layer>
NTKROB_HD inline SelfState self_state(const Layer* chain, index n, double a) {
  SelfState s{a, 0, 1, 0};
  for (index l = 0; l < n; ++l)
    visit(chain[l].kind, [&](auto layer) {
      using L = decltype(layer);
      if constexpr (!on_device || kRefusesNothing<L>) s = L::self(s, chain[l].params.data());
    });
  return s;
}
template <class Chain>
SelfState self_state(const Chain& chain, double a) {
  return self_state<false>(chain.data(), static_cast<index>(chain.size()), a);
}

/// Calls put(row, number) for all rows of the table. a < smallest counts as a zero sample: it is replaced by a variance
/// so small that values are those of the limit, with the correct one-sided quantities kept exact.
template <bool on_device, class Layer, class Put>
NTKROB_HD inline void sample_column(const Layer* chain, index n_layers, double a, double smallest, Put&& put) {
  constexpr double kStandIn = 1e-24;
  const bool zero = a < smallest;
  const double start = zero ? kStandIn : a;
  Variance v{start, start};
  double exact = zero ? 0.0 : a;
  int row = kFirstCoefficient;
  for (index l = 0; l < n_layers; ++l)
    visit(chain[l].kind, [&](auto layer) {
      using L = decltype(layer);
      if constexpr (!on_device || kRefusesNothing<L>) {
        constexpr int n = L::kCoefficients;
        double c[n + 1], dc[n + 1], unused[n + 1];
        exact = L::sample({exact, 0}, chain[l].params.data(), unused, unused).a;
        v = L::sample(v, chain[l].params.data(), c, dc);
        for (int k = 0; k < n; ++k) {
          put(row + k, c[k]);
          put(row + n + k, dc[k]);
        }
        row += 2 * n;
      }
    });
  const double root = std::sqrt(v.a);
  put(kInverseNorm, 1 / std::sqrt(start));
  put(kScale, std::sqrt(exact));
  put(kGain, root / std::sqrt(start));
  put(kScaleSlope, zero || root == 0 ? 0.0 : v.da / (2 * root));
  put(kInverseVariance, zero ? 0.0 : 1 / a);
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
  sample_column<false>(chain.data(), static_cast<index>(chain.size()), a, Range::smallest,
                       [&](int row, double number) { column[row] = number; });
  // Activations that grow fast (exp, monomial) can leave the range that their inputs were in.
  const R scale = static_cast<R>(column[kScale]);
  NTKROB_CHECK(std::isfinite(scale * scale), NonFinite, "sample ", sample, " has mean square ", a,
               " and a kernel value beyond the range of this precision; scale the inputs, use smaller weights w "
               "or float64 precision");
  return a < Range::smallest ? 0 : column[kInverseNorm];
}

}  // namespace ntkrob::layers
