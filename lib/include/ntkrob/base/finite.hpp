/// Fast checks over many numbers.
#pragma once

#include "ntkrob/base/view.hpp"

namespace ntkrob {

/// True if none of n numbers is NaN or infinite.
bool all_finite(const float* p, index n);
bool all_finite(const double* p, index n);

/// The first row that holds NaN or infinity, or -1. a: n x m
index first_row_not_finite(ConstView2D<float> a);
index first_row_not_finite(ConstView2D<double> a);

/// True if all of n numbers are +0 or -0.
bool all_zero(const float* p, index n);

}  // namespace ntkrob
