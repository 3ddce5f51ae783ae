// sum: branches that read the same value, summed in their order.
#include <algorithm>

#include "nn/blocks.hpp"
#include "nn/layer.hpp"
#include "nn/passes.hpp"

namespace ntkrob::nn {
namespace {

template <class R>
class Sum final : public Layer<R> {
 public:
  using Layer<R>::Layer;

  void forward(Backend& backend, const BasicLayerParameters<R>&, bool relu, ConstView2D<R> x, View2D<R> y,
               LayerScratch<R>&) const override {
    join(backend, {x}, relu, y);
  }

  void join(Backend& backend, const std::vector<ConstView2D<R>>& xs, bool relu, View2D<R> y) const override {
    for_blocks(backend, y.rows, rows_per_block(y.cols), [&](index begin, index count) {
      for (index i = begin; i < begin + count; ++i) {
        R* const to = y.row(i);
        std::copy_n(xs[0].row(i), y.cols, to);
        for (std::size_t b = 1; b < xs.size(); ++b) {
          const R* const from = xs[b].row(i);
          for (index j = 0; j < y.cols; ++j) to[j] += from[j];
        }
        if (relu)
          for (index j = 0; j < y.cols; ++j) to[j] = R(0) > to[j] ? R(0) : to[j];
      }
    });
  }

  /// Of one input; those of several get copies (nn/stack.cpp).
  void backward(Backend&, const BasicLayerParameters<R>&, ConstView2D<R>, ConstView2D<R> delta, View2D<R> dx,
                BasicLayerParameters<R>*, R, LayerScratch<R>&) const override {
    for (index i = 0; i < dx.rows; ++i) std::copy_n(delta.row(i), dx.cols, dx.row(i));
  }
};

}  // namespace

template <class R>
LayerPtr<R> make_sum(const net::Layer& what) {
  return std::make_shared<Sum<R>>(what);
}

NTKROB_INSTANTIATE_NET_LAYER(sum)

}  // namespace ntkrob::nn
