// normalise: (x - mean) / std, one pair of numbers for all channels or one per channel. What PyTorch users do to their
// data before the net; here it is inside, because a Model takes pixels in [0,1].
#include "nn/blocks.hpp"
#include "nn/layer.hpp"
#include "nn/passes.hpp"

namespace ntkrob::nn {
namespace {

template <class R>
class Normalise final : public Layer<R> {
 public:
  explicit Normalise(const net::Layer& what) : Layer<R>(what), mean_(what.mean), deviation_(what.deviation) {}

  void forward(Backend& backend, const BasicLayerParameters<R>&, bool relu, ConstView2D<R> x, View2D<R> y,
               LayerScratch<R>&) const override {
    each(backend, x, y, [](R v, R mean, R deviation) { return (v - mean) / deviation; });
    if (relu) apply_relu(backend, y);
  }

  void backward(Backend& backend, const BasicLayerParameters<R>&, ConstView2D<R>, ConstView2D<R> delta, View2D<R> dx,
                BasicLayerParameters<R>*, R, LayerScratch<R>&) const override {
    if (!dx.empty()) each(backend, delta, dx, [](R v, R, R deviation) { return v / deviation; });
  }

 private:
  template <class Map>
  void each(Backend& backend, ConstView2D<R> from, View2D<R> to, const Map& map) const {
    const index c = this->in.channels;
    for_blocks(backend, from.rows, rows_per_block(from.cols), [&](index begin, index count) {
      for (index i = begin; i < begin + count; ++i)
        for (index p = 0; p < from.cols; p += c)
          for (index k = 0; k < c; ++k)
            to.row(i)[p + k] = map(from.row(i)[p + k], static_cast<R>(mean_[static_cast<std::size_t>(k)]),
                                   static_cast<R>(deviation_[static_cast<std::size_t>(k)]));
    });
  }

  const std::vector<double> mean_, deviation_;  // one per channel
};

}  // namespace

template <class R>
LayerPtr<R> make_normalise(const net::Layer& what) {
  return std::make_shared<Normalise<R>>(what);
}

NTKROB_INSTANTIATE_NET_LAYER(normalise)

}  // namespace ntkrob::nn
