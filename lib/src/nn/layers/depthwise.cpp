// depthwise: every channel has a window of its own. The weights are laid out tap by tap, so that the loop over channels
// is contiguous.
#include <algorithm>

#include "nn/blocks.hpp"
#include "nn/channel_sums.hpp"
#include "nn/layer.hpp"
#include "nn/passes.hpp"
#include "nn/window.hpp"

namespace ntkrob::nn {
namespace {

template <class R>
class Depthwise final : public Layer<R> {
 public:
  explicit Depthwise(const net::Layer& what) : Layer<R>(what), w_(what.window), c_(what.in.channels) {}

  void forward(Backend& backend, const BasicLayerParameters<R>& parameters, bool relu, ConstView2D<R> x, View2D<R> y,
               LayerScratch<R>& scratch) const override {
    lay_out(parameters, scratch.layout);
    for_blocks(backend, x.rows, rows_per_block(x.cols), [&](index begin, index count) {
      for (index i = begin; i < begin + count; ++i)
        for (index p = 0; p < w_.height * w_.width; ++p) {
          R* const to = y.row(i) + p * c_;
          std::copy_n(parameters.bias.data(), c_, to);
          walk(p, [&](index from, index tap) {
            const R *const v = x.row(i) + from, *const weight = scratch.layout.row(tap);
            for (index k = 0; k < c_; ++k) to[k] += weight[k] * v[k];
          });
          if (relu)
            for (index k = 0; k < c_; ++k) to[k] = R(0) > to[k] ? R(0) : to[k];
        }
    });
  }

  void backward(Backend& backend, const BasicLayerParameters<R>& parameters, ConstView2D<R> x, ConstView2D<R> delta,
                View2D<R> dx, BasicLayerParameters<R>* grads, R beta, LayerScratch<R>& scratch) const override {
    const index taps = this->fan_in;
    if (grads != nullptr) {
      sum_over_images(backend, x.rows, (taps + 1) * c_, scratch.bias_sums, [&](index i, double* sum) {
        for (index p = 0; p < w_.height * w_.width; ++p) {
          const R* const d = delta.row(i) + p * c_;
          for (index k = 0; k < c_; ++k) sum[taps * c_ + k] += static_cast<double>(d[k]);
          walk(p, [&](index from, index tap) {
            const R* const v = x.row(i) + from;
            double* const own = sum + tap * c_;
            for (index k = 0; k < c_; ++k) own[k] += static_cast<double>(d[k]) * static_cast<double>(v[k]);
          });
        }
      });
      const double* const sum = scratch.bias_sums.row(0);
      add_sums(sum + taps * c_, c_, beta, grads->bias.data());
      for (index k = 0; k < c_; ++k)
        for (index tap = 0; tap < taps; ++tap) add_sums(sum + tap * c_ + k, 1, beta, grads->weight.row(k) + tap);
    }
    if (dx.empty()) return;
    lay_out(parameters, scratch.layout);
    for_blocks(backend, x.rows, rows_per_block(x.cols), [&](index begin, index count) {
      for (index i = begin; i < begin + count; ++i) {
        std::fill_n(dx.row(i), dx.cols, R(0));
        for (index p = 0; p < w_.height * w_.width; ++p) {
          const R* const d = delta.row(i) + p * c_;
          walk(p, [&](index to, index tap) {
            R* const g = dx.row(i) + to;
            const R* const weight = scratch.layout.row(tap);
            for (index k = 0; k < c_; ++k) g[k] += weight[k] * d[k];
          });
        }
      }
    });
  }

 private:
  /// Calls visit(offset of the first channel, number of the tap) for every tap of position p inside the image.
  template <class Visit>
  void walk(index p, const Visit& visit) const {
    const index y0 = p / w_.width * w_.stride - w_.top, x0 = p % w_.width * w_.stride - w_.left;
    const Taps rows(y0, w_.kh, this->in.height), cols(x0, w_.kw, this->in.width);
    for (index ky = rows.begin; ky < rows.end; ++ky)
      for (index kx = cols.begin; kx < cols.end; ++kx)
        visit(((y0 + ky) * this->in.width + x0 + kx) * c_, ky * w_.kw + kx);
  }
  void lay_out(const BasicLayerParameters<R>& parameters, Matrix<R>& layout) const {
    grow(layout, this->fan_in, c_);
    for (index k = 0; k < c_; ++k)
      for (index tap = 0; tap < this->fan_in; ++tap) layout(tap, k) = parameters.weight(k, tap);
  }

  const Window w_;
  const index c_;
};

}  // namespace

template <class R>
LayerPtr<R> make_depthwise(const net::Layer& what) {
  return std::make_shared<Depthwise<R>>(what);
}

NTKROB_INSTANTIATE_NET_LAYER(depthwise)

}  // namespace ntkrob::nn
