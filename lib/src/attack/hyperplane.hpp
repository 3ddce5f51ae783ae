/// Exact projection of a point of a box on the part of a hyperplane inside the box, in linf, l2 or l1: the step of FAB.
///
/// The shift that solves it is the root of a concave, piecewise linear function of one number (linf: the common shift,
/// l2: the multiplier); Newton's iteration from 0 climbs to it monotonically and ends at the exact root after the
/// breakpoints that it passes, a few passes over the row where sorting all breakpoints, as published, costs d log d.
/// In l1 the components are used up in the order of their weight. Croce & Hein, ICML 2020, arXiv 1907.02044,
/// section 3.1.
#pragma once

#include "ntkrob/attack/threat.hpp"

namespace ntkrob {

/// shift: the smallest one in the norm with w . (t + shift) = w . t - excess and low <= t + shift <= high; where the
/// box does not reach the plane, the one that takes every component with w_j != 0 as far towards it as the box allows.
///   t, w, shift: d (shift overwritten)   requires: low <= t <= high
void shift_to_hyperplane(Norm norm, const float* t, const float* w, double excess, index d, float low, float high,
                         float* shift);

}  // namespace ntkrob
