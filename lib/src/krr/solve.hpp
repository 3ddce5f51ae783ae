/// The factorisation behind a kernel machine: Gram matrix, ridge, Cholesky, escalation. Private to krr.
#pragma once

#include "ntkrob/krr/machine.hpp"

namespace ntkrob::krr {

/// Refuses n x n matrices in float64 before their allocation: overcommitted, they would die later, without a message.
/// throws: ResourceError with the bytes needed, where they exceed the kernel's budget, or without one the memory
void check_gram_memory(const Kernel& kernel, index n, int matrices = 1);

/// factor = Cholesky factor of K(S,S) + lambda I (lower triangle; the strict upper one keeps K), with lambda per
/// `ridge`.
///   support: the prepared images (n)   factor: n x n (overwritten)   products: n x n for Kernel::gram_grad, or empty
///   where they would be large throws: as the constructor of BasicKernelMachine
template <class R>
FitReport factor_gram(const Kernel& kernel, const PreparedSet<R>& support, const Ridge& ridge, const LogSink& log,
                      Matrix<double>& factor, Matrix<R>& products);

}  // namespace ntkrob::krr
