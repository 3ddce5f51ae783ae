/// Fast checks over many numbers.
#pragma once

#include "ntkrob/base/view.hpp"

namespace ntkrob {

/// True if none of n numbers is NaN or infinite.
bool all_finite(const float* p, index n);
bool all_finite(const double* p, index n);

/// True if all of n numbers are +0 or -0.
bool all_zero(const float* p, index n);

}  // namespace ntkrob
