/// Pointwise<R, F>: a layer without parameters that maps every number alike.
///
/// F: made from net::Layer; R value(R x), R slope(R x) its derivative.
#pragma once

#include "nn/blocks.hpp"
#include "nn/layer.hpp"
#include "nn/passes.hpp"

namespace ntkrob::nn {

template <class R, class F>
class Pointwise final : public Layer<R> {
 public:
  explicit Pointwise(const net::Layer& what) : Layer<R>(what), f_(what) {}

  void forward(Backend& backend, const BasicLayerParameters<R>&, bool relu, ConstView2D<R> x, View2D<R> y,
               LayerScratch<R>&) const override {
    for_blocks(backend, x.rows, rows_per_block(x.cols), [&](index begin, index count) {
      for (index i = begin; i < begin + count; ++i)
        for (index j = 0; j < x.cols; ++j) y.row(i)[j] = f_.value(x.row(i)[j]);
    });
    if (relu) apply_relu(backend, y);
  }

  void backward(Backend& backend, const BasicLayerParameters<R>&, ConstView2D<R> x, ConstView2D<R> delta, View2D<R> dx,
                BasicLayerParameters<R>*, R, LayerScratch<R>&) const override {
    if (dx.empty()) return;
    for_blocks(backend, x.rows, rows_per_block(x.cols), [&](index begin, index count) {
      for (index i = begin; i < begin + count; ++i)
        for (index j = 0; j < x.cols; ++j) dx.row(i)[j] = delta.row(i)[j] * f_.slope(x.row(i)[j]);
    });
  }

 private:
  const F f_;
};

}  // namespace ntkrob::nn
