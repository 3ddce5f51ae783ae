/// The losses of AutoAttack that compare logits with each other: differences of logits, as they are or divided by
/// another difference of logits ("DLR"), which makes them independent of scale and shift of the logits. An attack
/// maximises them. Croce & Hein, ICML 2020, arXiv 2003.01690, equations 6 and 7.
#pragma once

#include "ntkrob/base/view.hpp"

namespace ntkrob {

constexpr index kDlrClasses = 3;          // the difference loss ratio needs this many classes
constexpr index kTargetedDlrClasses = 4;  // and its targeted form this many

/// Value and, in cotangent, derivative with respect to the logits.
///   f: classes   y: the label   rival: the target class, unused by dlr   cotangent: classes (overwritten)
///   requires: y != rival, and the number of classes above
using LogitLoss = double (*)(const float* f, index classes, int y, int rival, float* cotangent);

/// (max_{j != y} f_j - f_y) / (f_(1) - f_(3) + 1e-12), f_(k) the k-th largest logit.
double dlr(const float* f, index classes, int y, int rival, float* cotangent);
/// (f_rival - f_y) / (f_(1) - (f_(3) + f_(4)) / 2 + 1e-12).
double targeted_dlr(const float* f, index classes, int y, int rival, float* cotangent);
/// f_rival - f_y.
double targeted_margin(const float* f, index classes, int y, int rival, float* cotangent);

/// The classes but y, the largest logit first; ties go to the lower index. Writes `count` of them.
///   requires: count < classes
void strongest_rivals(const float* f, index classes, int y, index count, int* rivals);

}  // namespace ntkrob
