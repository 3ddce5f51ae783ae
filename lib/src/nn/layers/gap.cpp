// gap: global average pooling, the mean over all positions, channel by channel.
#include "nn/blocks.hpp"
#include "nn/layer.hpp"
#include "nn/passes.hpp"

namespace ntkrob::nn {
namespace {

template <class R>
class Gap final : public Layer<R> {
 public:
  using Layer<R>::Layer;

  void forward(Backend& backend, const BasicLayerParameters<R>&, bool relu, ConstView2D<R> x, View2D<R> y,
               LayerScratch<R>&) const override {
    const index c = this->in.channels, positions = this->in.height * this->in.width;
    for_blocks(backend, x.rows, rows_per_block(x.cols), [&](index begin, index count) {
      for (index i = begin; i < begin + count; ++i) {
        R* to = y.row(i);
        std::fill_n(to, c, R(0));
        for (index p = 0; p < positions; ++p)
          for (index k = 0; k < c; ++k) to[k] += x.row(i)[p * c + k];
        for (index k = 0; k < c; ++k) to[k] /= static_cast<R>(positions);
      }
    });
    if (relu) apply_relu(backend, y);
  }

  void backward(Backend& backend, const BasicLayerParameters<R>&, ConstView2D<R> x, ConstView2D<R> delta, View2D<R> dx,
                BasicLayerParameters<R>*, R, LayerScratch<R>&) const override {
    if (dx.empty()) return;
    const index c = this->in.channels, positions = this->in.height * this->in.width;
    for_blocks(backend, x.rows, rows_per_block(x.cols), [&](index begin, index count) {
      for (index i = begin; i < begin + count; ++i)
        for (index p = 0; p < positions; ++p)
          for (index k = 0; k < c; ++k) dx.row(i)[p * c + k] = delta.row(i)[k] / static_cast<R>(positions);
    });
  }
};

}  // namespace

template <class R>
LayerPtr<R> make_gap(const net::Layer& what) {
  return std::make_shared<Gap<R>>(what);
}

NTKROB_INSTANTIATE_NET_LAYER(gap)

}  // namespace ntkrob::nn
