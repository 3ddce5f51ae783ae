/// Kernel matrices that do not fit the memory: computed in strips, handed over block by block.
#pragma once

#include <functional>
#include <vector>

#include "ntkrob/kernel/kernel.hpp"

namespace ntkrob {

/// Takes a finished block: entries (row, col) .. of the matrix of this output. Blocks come in an order that depends on
/// shapes and budget alone, one after another on the calling thread. May throw: that ends the computation.
template <class R>
using MatrixSink = std::function<void(Output output, index row, index col, ConstView2D<R> block)>;

/// All of K(x,y), for one output or for both in one pass, within the kernel's memory budget beside x and y: half of it
/// for the strip, half for Kernel::matrix. With Pairing::same only blocks on and above the diagonal are computed; each
/// is handed over twice, the second time transposed.
///   x: N x D   y: M x D (x itself with Pairing::same)   outputs: {ntk}, {nngp} or {ntk, nngp}
///   ensures: every entry is handed over exactly once, with the bits of Kernel::matrix, for every budget
///   throws: ResourceError where the budget is too small for one row; as Kernel::matrix
template <class R>
void stream_matrix(const Kernel& kernel, ConstView2D<R> x, ConstView2D<R> y, Pairing pairing,
                   const std::vector<Output>& outputs, const MatrixSink<R>& sink);

}  // namespace ntkrob
