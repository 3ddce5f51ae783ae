/// Winograd's minimal filtering for convolutions with windows of 3 x 3 and stride 1 (Winograd 1980; Lavin & Gray 2016,
/// arXiv 1509.09308): m x m outputs of a tile from (m + 2)^2 products instead of 9 m^2.
///
///     Y = A^T [ (G w G^T) . (B^T x B) ] A        x: (m + 2) x (m + 2) inputs, w: 3 x 3 weights, Y: m x m outputs
///
/// The products of one place of the transformed tiles are a matrix product over channels, tiles x inputs by inputs x
/// outputs, on the packed routine. F(4x4,3x3) has 4 times fewer multiplications and rounds more than the direct sums,
/// F(2x2,3x3) has 2.25 times fewer; bounds in lib/doc/numerics.md. Bits of an image depend on that image alone. A NaN
/// or infinity among the inputs of a tile reaches all outputs of that tile.
#pragma once

#include "nn/layer.hpp"

namespace ntkrob::nn {

/// Geometry of one layer, or of its derivatives by its input (as a convolution with turned weights).
class Winograd {
 public:
  /// in: what is read   height, width: positions   top, left: padding in front   channels: read and written
  Winograd(ImageShape in, index height, index width, index top, index left, index outputs);

  /// Whether it is faster than direct sums for these numbers of channels.
  static bool pays(index inputs, index outputs);

  /// Outputs of a tile and side, 2 or 4: what needs fewer products.
  index side() const { return m_; }
  index places() const { return (m_ + 2) * (m_ + 2); }
  index tiles() const { return down_ * across_; }
  /// Tiles of one task, so that the transformed numbers stay in the second-level cache.
  index tiles_at_once() const { return step_; }
  /// Columns from one place to the next in the packed weights.
  index column_step() const { return (outputs_ + kPanelStep - 1) / kPanelStep * kPanelStep; }
  index inputs() const { return in_.channels; }
  index outputs() const { return outputs_; }

  /// B^T x B of tiles [first, first + n) of all images, counted image after image.
  ///   x: images x in   v: places * n rows of inputs(), place after place
  template <class R>
  void transform_inputs(ConstView2D<R> x, index first, index n, R* v) const;
  /// A^T m A into the positions that exist, plus bias (null: none), max(y, 0) with relu.
  ///   m: places * n rows of outputs()   y: images x positions x outputs, contiguous
  template <class R>
  void transform_outputs(const R* m, index first, index n, const R* bias, bool relu, R* y) const;
  /// A dy A^T: the transpose of transform_outputs, for derivatives by weights.
  template <class R>
  void spread_outputs(const R* dy, index first, index n, R* m) const;

 private:
  ImageShape in_;
  index height_, width_, top_, left_, outputs_, m_ = 4, down_ = 0, across_ = 0, step_ = 0;
};

/// G w G^T.   weight: out x (3 3 in)   u: in x places * column_step, zeros between
template <class R>
void transform_weights(const Winograd& w, ConstView2D<R> weight, Matrix<R>& u);
/// The same of the turned weights, for derivatives by the input: there outputs are inputs.   u: out x ...
template <class R>
void transform_turned_weights(const Winograd& w, ConstView2D<R> weight, Matrix<R>& u);
/// weight = beta weight + G^T s G: from derivatives by transformed weights to those by weights.
///   s: places x (in x out)   weight: out x (3 3 in)
template <class R>
void gather_weight_gradient(Backend& backend, const Winograd& w, const R* s, R beta, R* weight);

}  // namespace ntkrob::nn
