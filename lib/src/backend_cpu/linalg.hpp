/// Dense linear algebra of the cpu backend over a worker pool: a blocked Cholesky factorisation and its solves, of our
/// own, and eigenvalues, for which a LAPACK or Eigen does the work.
#pragma once

#include <string>

#include "ntkrob/backend/backend.hpp"
#include "ntkrob/base/parallel.hpp"

namespace ntkrob {

/// As Backend::factor_spd and solve_spd. Blocks are fixed, so the bits do not depend on the pool's size.
index blocked_cholesky(View2D<float> a, WorkerPool& pool);
index blocked_cholesky(View2D<double> a, WorkerPool& pool);
void cholesky_solve(ConstView2D<float> factor, View2D<float> b, WorkerPool& pool);
void cholesky_solve(ConstView2D<double> factor, View2D<double> b, WorkerPool& pool);

/// As Backend::symmetric_eigen: divide and conquer of the system's LAPACK where there is one (lapack.hpp), else Eigen's
/// solver. Bits depend on the library, and on the processor that it finds itself on.
///   throws: also ResourceError where the address space has no room for LAPACK
void eigen_of_symmetric(View2D<double> a, double* values);

/// "libopenblas.so.0 or Eigen 3.4.0", for DeviceInfo: what eigenvalues come from, the first that can be loaded.
std::string eigen_description();

}  // namespace ntkrob
