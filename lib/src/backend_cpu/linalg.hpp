/// Dense linear algebra of the cpu backends: serial products, and a blocked Cholesky factorisation over a worker pool.
/// Eigen inside; through a system BLAS where the build found one.
#pragma once

#include <string>

#include "ntkrob/backend/backend.hpp"
#include "ntkrob/base/parallel.hpp"

namespace ntkrob {

/// c = alpha op(a) op(b) + beta c, on the calling thread. Shapes are the caller's business.
void serial_gemm(Transpose ta, Transpose tb, float alpha, ConstView2D<float> a, ConstView2D<float> b, float beta,
                 View2D<float> c);
void serial_gemm(Transpose ta, Transpose tb, double alpha, ConstView2D<double> a, ConstView2D<double> b, double beta,
                 View2D<double> c);

/// As Backend::factor_spd and solve_spd. Blocks are fixed, so the bits do not depend on the pool's size.
index blocked_cholesky(View2D<float> a, WorkerPool& pool);
index blocked_cholesky(View2D<double> a, WorkerPool& pool);
void cholesky_solve(ConstView2D<float> factor, View2D<float> b, WorkerPool& pool);
void cholesky_solve(ConstView2D<double> factor, View2D<double> b, WorkerPool& pool);

/// As Backend::symmetric_eigen: divide and conquer of LAPACK where the system BLAS brings it, else Eigen's solver.
void eigen_of_symmetric(View2D<double> a, double* values);

/// "OpenBLAS ..." or "Eigen 3.4.0", for DeviceInfo.
std::string linalg_description();
/// The BLAS must not start threads of its own: our workers call it.
void make_blas_serial();

}  // namespace ntkrob
