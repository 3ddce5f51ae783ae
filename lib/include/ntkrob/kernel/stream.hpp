/// Kernel matrices that do not fit the memory: computed in strips, handed over block by block.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "ntkrob/kernel/kernel.hpp"

namespace ntkrob {

/// Takes a finished block: entries (row, col) .. of the matrix of this output. Blocks come in an order that depends on
/// shapes and budget alone, one after another on the calling thread. May throw: that ends the computation.
template <class R>
using MatrixSink = std::function<void(Output output, index row, index col, ConstView2D<R> block)>;

/// The strips of rows that a call computes, for jobs that keep them and go on later.
template <class R>
struct MatrixStrips {
  /// The first row at or behind `row` to compute, and the most rows of its strip (at least 1); {rows of x, any} where
  /// none is left. Null: all rows, in strips that the budget decides.
  std::function<std::pair<index, index>(index row)> next;
  /// Called with every strip that is computed, before it is handed over: rows [row, ..), with Pairing::same from column
  /// `row` on, else all columns; one for each output. Rows are without gaps.
  std::function<void(index row, const std::vector<ConstView2D<R>>& strips)> keep;
};

/// Hands a strip over as stream_matrix does: with Pairing::same its part behind the diagonal twice.
template <class R>
void hand_over_strip(Pairing pairing, const std::vector<Output>& outputs, index row,
                     const std::vector<ConstView2D<R>>& strips, const MatrixSink<R>& sink);

/// All of K(x,y), for one output or for both in one pass, within the kernel's memory budget beside x and y: half of it
/// for the strip, half for Kernel::matrix. With Pairing::same only blocks on and above the diagonal are computed; each
/// is handed over twice, the second time transposed.
///   x: N x D   y: M x D (x itself with Pairing::same)   outputs: {ntk}, {nngp} or {ntk, nngp}
///   strips: which rows, and who keeps them
///   ensures: every entry is handed over exactly once, with the bits of Kernel::matrix, for every budget and all strips
///   throws: ResourceError where the budget is too small for one row; as Kernel::matrix
template <class R>
void stream_matrix(const Kernel& kernel, ConstView2D<R> x, ConstView2D<R> y, Pairing pairing,
                   const std::vector<Output>& outputs, const MatrixSink<R>& sink, const MatrixStrips<R>& strips = {});

}  // namespace ntkrob
