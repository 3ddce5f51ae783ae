/// Products of general shapes (cuBLAS), the Cholesky factor and eigenvalues (cuSOLVER): host matrices in, host matrices
/// out. Both libraries are column-major: a row-major matrix is its transpose there.
#pragma once

#include "backend_cuda/work.hpp"
#include "ntkrob/backend/backend.hpp"

namespace ntkrob::cuda {

template <class R>
void gemm(Work& work, Transpose ta, Transpose tb, R alpha, ConstView2D<R> a, ConstView2D<R> b, R beta, View2D<R> c);
index factor_spd(Work& work, View2D<double> a);
void solve_spd(Work& work, ConstView2D<double> factor, View2D<double> b);
void symmetric_eigen(Work& work, View2D<double> a, double* values);

}  // namespace ntkrob::cuda
