/// Sums and steps over one row of numbers. Sums are float64, over lanes whose number does not depend on the processor,
/// so that compilers vectorise them without reordering.
#pragma once

#include "ntkrob/attack/threat.hpp"
#include "ntkrob/base/view.hpp"

namespace ntkrob {

/// sum of term(j) for j in [0, d). Inlined into its caller, with the caller's instruction set.
template <class Term>
inline double sum_over(index d, const Term& term) {
  constexpr index kLanes = ball::kLanes;
  double lane[kLanes] = {};
  index j = 0;
  for (; j + kLanes <= d; j += kLanes)
    for (index l = 0; l < kLanes; ++l) lane[l] += term(j + l);
  for (index l = 0; j + l < d; ++l) lane[l] += term(j + l);
  for (index half = kLanes / 2; half > 0; half /= 2)
    for (index l = 0; l < half; ++l) lane[l] += lane[l + half];
  return lane[0];
}

double dot(const float* a, const float* b, index d);
double squared_distance(const float* a, const float* b, index d);
double absolute_distance(const float* a, const float* b, index d);
double largest_distance(const float* a, const float* b, index d);

/// ||v|| in the norm, and in its dual: the largest w.v over ||w|| <= 1.   v: d
double norm_of(Norm norm, const float* v, index d);
double dual_norm_of(Norm norm, const float* v, index d);

/// z += step / m * sign(g) on the m components that are among the `count` largest |g| and not 0; ties join.   z, g: d
void add_sparse_signs(const float* g, float* z, index d, double step, index count);

}  // namespace ntkrob
