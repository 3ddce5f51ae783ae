/// Products of general shapes and triangular solves (cuBLAS), the Cholesky factor and eigenvalues (cuSOLVER). Both
/// libraries are column-major: a row-major matrix is its transpose there.
#pragma once

#include "backend_cuda/work.hpp"
#include "ntkrob/backend/backend.hpp"

namespace ntkrob::cuda {

template <class R>
void gemm(Work& work, Transpose ta, Transpose tb, R alpha, ConstView2D<R> a, ConstView2D<R> b, R beta, View2D<R> c);
/// Waits for one number, whether all pivots were positive.
template <class R>
index factor_spd(Work& work, View2D<R> a);
template <class R>
void solve_spd(Work& work, ConstView2D<R> factor, View2D<R> b);
void symmetric_eigen(Work& work, View2D<double> a, double* values);

}  // namespace ntkrob::cuda
