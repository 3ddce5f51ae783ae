/// The two CPU backends. Linked by runtime only; programs ask make_backend().
#pragma once

#include <memory>

#include "ntkrob/backend/backend.hpp"

namespace ntkrob {

/// Worker threads, run-time SIMD; eigenvalues by the LAPACK of a system BLAS, loaded when they are asked for, or by
/// Eigen. workers = 0: all hardware threads.
std::unique_ptr<Backend> make_cpu_backend(int workers);

/// Obvious serial loops in float64 on the textbook formulas, derivatives by dual numbers. Slow; what "cpu" is tested
/// against.
std::unique_ptr<Backend> make_reference_backend();

}  // namespace ntkrob
