// dropout: in training a number is dropped with probability p, and divided by 1 - p else; elsewhere nothing happens.
// Which ones is a function of the step, the layer, the row of the batch and the place: the backward pass asks again.
#include <algorithm>

#include "nn/blocks.hpp"
#include "nn/layer.hpp"
#include "nn/passes.hpp"

namespace ntkrob::nn {
namespace {

template <class R>
class Dropout final : public Layer<R> {
 public:
  explicit Dropout(const net::Layer& what) : Layer<R>(what), p_(what.constant("p")) {}

  void forward(Backend& backend, const BasicLayerParameters<R>&, bool relu, ConstView2D<R> x, View2D<R> y,
               LayerScratch<R>& scratch) const override {
    drop(backend, x, y, scratch);
    if (relu) apply_relu(backend, y);
  }

  void backward(Backend& backend, const BasicLayerParameters<R>&, ConstView2D<R>, ConstView2D<R> delta, View2D<R> dx,
                BasicLayerParameters<R>*, R, LayerScratch<R>& scratch) const override {
    if (!dx.empty()) drop(backend, delta, dx, scratch);
  }

 private:
  void drop(Backend& backend, ConstView2D<R> from, View2D<R> to, const LayerScratch<R>& scratch) const {
    const R scale = static_cast<R>(1 / (1 - p_));
    for_blocks(backend, from.rows, rows_per_block(from.cols), [&](index begin, index count) {
      for (index i = begin; i < begin + count; ++i) {
        const index first = (scratch.first_row + i) * from.cols;
        for (index j = 0; j < from.cols; ++j)
          to.row(i)[j] = !scratch.training                                  ? from.row(i)[j]
                         : scratch.random.uniform(first + j, 0.0, 1.0) < p_ ? R(0)
                                                                            : scale * from.row(i)[j];
      }
    });
  }

  const double p_;
};

}  // namespace

template <class R>
LayerPtr<R> make_dropout(const net::Layer& what) {
  return std::make_shared<Dropout<R>>(what);
}

NTKROB_INSTANTIATE_NET_LAYER(dropout)

}  // namespace ntkrob::nn
