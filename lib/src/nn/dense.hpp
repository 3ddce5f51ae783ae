/// The numerics of a chain of dense layers with ReLU between: forward and backward on a block of rows.
///
/// Templated on the scalar so that the very same code is checked against central differences in float64. Products go
/// through Backend::gemm; the elementwise passes run over blocks whose size depends on the shape alone, so all results
/// have the same bits for any number of workers.
#pragma once

#include <vector>

#include "ntkrob/nn/net.hpp"

namespace ntkrob::nn {

/// Makes every buffer large enough for `rows` rows; allocates only when it grows.
template <class R>
void reserve(const std::vector<BasicDenseLayer<R>>& layers, index rows, DenseScratch<R>& scratch);

/// out = the layers applied to x; scratch.hidden keeps what backward needs.   x: n x D   out: n x C (overwritten)
///   requires: reserve(layers, n or more, scratch)
template <class R>
void forward(Backend& backend, const std::vector<BasicDenseLayer<R>>& layers, ConstView2D<R> x,
             DenseScratch<R>& scratch, View2D<R> out);

/// Derivatives of sum <cotangent, out> after forward() on the same x.
///   x: n x D   cotangent: n x C   dx: n x D (overwritten), or empty if not wanted
///   grads: like layers, or nullptr if not wanted; overwritten when beta is 0, added to when it is 1
///   The derivative of the ReLU at 0 is 0, PyTorch's convention.
template <class R>
void backward(Backend& backend, const std::vector<BasicDenseLayer<R>>& layers, ConstView2D<R> x,
              ConstView2D<R> cotangent, DenseScratch<R>& scratch, View2D<R> dx, std::vector<BasicDenseLayer<R>>* grads,
              R beta);

}  // namespace ntkrob::nn
