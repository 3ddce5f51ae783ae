/// Compilation of a KernelSpec for one image shape.
#pragma once

#include "ntkrob/backend/program.hpp"
#include "ntkrob/kernel/spec.hpp"

namespace ntkrob {

/// The operations of the network on images of this shape, with the shape of every value.
///
///   conv = shift, pointwise dense (a 1 x 1 convolution with stride 1: dense alone); avgpool, sumpool = pool; gap =
///   mean, or a pool over the whole image where a nonlinear layer reads it; layernorm = normalise; a sum or product of
///   n branches = n - 1 sums or products, branch by branch; concat = the branches, each scaled by the root of its
///   share, summed. Operations that change nothing are left out: mean and flatten of one position, pooling with a 1 x 1
///   window and stride 1.
///
/// A value is full where an operation that reads it needs pairs p != q (mean, pool, or one whose result is full), or
/// where it is made of a full one other than by mean, pool and flatten.
/// A network that does not read images gets input {1, 1, shape.size()}.
///
/// throws: ConfigError with the position in the source: a window or stride that does not fit the shape there, branches
/// of different shape; ShapeError: an empty image
Program compile_program(const KernelSpec& spec, ImageShape shape);

}  // namespace ntkrob
