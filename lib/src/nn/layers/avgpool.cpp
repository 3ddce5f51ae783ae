// avgpool: the mean of each window, channel by channel.
#include "nn/blocks.hpp"
#include "nn/layer.hpp"
#include "nn/passes.hpp"
#include "nn/window.hpp"

namespace ntkrob::nn {
namespace {

template <class R>
class AvgPool final : public Layer<R> {
 public:
  explicit AvgPool(const net::Layer& what) : Layer<R>(what), w_(what.window), inside_(what.inside) {}

  void forward(Backend& backend, const BasicLayerParameters<R>&, bool relu, ConstView2D<R> x, View2D<R> y,
               LayerScratch<R>&) const override {
    const index c = this->in.channels;
    for_blocks(backend, x.rows, rows_per_block(x.cols), [&](index begin, index count) {
      for (index i = begin; i < begin + count; ++i) {
        R* to = y.row(i);
        for (index p = 0; p < w_.height * w_.width; ++p, to += c) {
          std::fill_n(to, c, R(0));
          index taps = 0;
          for_taps(w_, this->in, p, [&](index from) {
            const R* v = x.row(i) + from;
            for (index k = 0; k < c; ++k) to[k] += v[k];
            ++taps;
          });
          for (index k = 0; k < c; ++k) to[k] /= divisor(taps);
        }
      }
    });
    if (relu) apply_relu(backend, y);
  }

  void backward(Backend& backend, const BasicLayerParameters<R>&, ConstView2D<R> x, ConstView2D<R> delta, View2D<R> dx,
                BasicLayerParameters<R>*, R, LayerScratch<R>&) const override {
    if (dx.empty()) return;
    const index c = this->in.channels;
    for_blocks(backend, x.rows, rows_per_block(x.cols), [&](index begin, index count) {
      for (index i = begin; i < begin + count; ++i) {
        std::fill_n(dx.row(i), dx.cols, R(0));
        const R* d = delta.row(i);
        for (index p = 0; p < w_.height * w_.width; ++p, d += c) {
          index taps = 0;
          for_taps(w_, this->in, p, [&](index) { ++taps; });
          for_taps(w_, this->in, p, [&](index to) {
            R* g = dx.row(i) + to;
            for (index k = 0; k < c; ++k) g[k] += d[k] / divisor(taps);
          });
        }
      }
    });
  }

 private:
  R divisor(index taps) const { return static_cast<R>(inside_ ? taps : w_.kh * w_.kw); }

  const Window w_;
  const bool inside_;  // divides by the number of taps inside the image instead of kh kw
};

}  // namespace

template <class R>
LayerPtr<R> make_avgpool(const net::Layer& what) {
  return std::make_shared<AvgPool<R>>(what);
}

NTKROB_INSTANTIATE_NET_LAYER(avgpool)

}  // namespace ntkrob::nn
