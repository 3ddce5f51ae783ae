// maxpool: the largest number of each window, channel by channel; padding never wins.
#include <cstdint>
#include <limits>

#include "nn/blocks.hpp"
#include "nn/layer.hpp"
#include "nn/passes.hpp"
#include "nn/window.hpp"
#include "ntkrob/base/multiversion.hpp"

namespace ntkrob::nn {
namespace {

constexpr index kStrip = 64;  // channels at a time

/// best, at: the largest numbers of the taps so far and their taps; a NaN is larger than everything.
template <class R>
inline void largest_of(const R* x, std::int32_t tap, index n, R* best, std::int32_t* at) {
  if (tap == 0) {
    for (index k = 0; k < n; ++k) best[k] = x[k], at[k] = 0;
    return;
  }
  for (index k = 0; k < n; ++k) {
    const bool larger = (x[k] > best[k]) | (x[k] != x[k]);
    best[k] = larger ? x[k] : best[k];
    at[k] = larger ? tap : at[k];
  }
}
template <class R>
inline void add_at(const R* delta, std::int32_t tap, const std::int32_t* at, index n, R* dx) {
  for (index k = 0; k < n; ++k) dx[k] += at[k] == tap ? delta[k] : R(0);
}

NTKROB_MULTIVERSION void find_largest(const float* x, std::int32_t tap, index n, float* best, std::int32_t* at) {
  largest_of(x, tap, n, best, at);
}
NTKROB_MULTIVERSION void find_largest(const double* x, std::int32_t tap, index n, double* best, std::int32_t* at) {
  largest_of(x, tap, n, best, at);
}
NTKROB_MULTIVERSION void add_where(const float* delta, std::int32_t tap, const std::int32_t* at, index n, float* dx) {
  add_at(delta, tap, at, n, dx);
}
NTKROB_MULTIVERSION void add_where(const double* delta, std::int32_t tap, const std::int32_t* at, index n, double* dx) {
  add_at(delta, tap, at, n, dx);
}

template <class R>
class MaxPool final : public Layer<R> {
 public:
  explicit MaxPool(const net::Layer& what) : Layer<R>(what), w_(what.window) {}

  void forward(Backend& backend, const BasicLayerParameters<R>&, bool relu, ConstView2D<R> x, View2D<R> y,
               LayerScratch<R>&) const override {
    const index c = this->in.channels;
    for_blocks(backend, x.rows, rows_per_block(x.cols), [&](index begin, index count) {
      for (index i = begin; i < begin + count; ++i) {
        R* to = y.row(i);
        for (index p = 0; p < w_.height * w_.width; ++p, to += c) {
          std::fill_n(to, c, -std::numeric_limits<R>::infinity());
          for_taps(w_, this->in, p, [&](index from) {
            const R* v = x.row(i) + from;
            for (index k = 0; k < c; ++k) to[k] = v[k] > to[k] || v[k] != v[k] ? v[k] : to[k];
          });
        }
      }
    });
    if (relu) apply_relu(backend, y);
  }

  /// The first of equal numbers takes the derivative, as in PyTorch.
  void backward(Backend& backend, const BasicLayerParameters<R>&, ConstView2D<R> x, ConstView2D<R> delta, View2D<R> dx,
                BasicLayerParameters<R>*, R, LayerScratch<R>&) const override {
    if (dx.empty()) return;
    for_blocks(backend, x.rows, rows_per_block(x.cols), [&](index begin, index count) {
      for (index i = begin; i < begin + count; ++i) {
        std::fill_n(dx.row(i), dx.cols, R(0));
        for (index p = 0; p < w_.height * w_.width; ++p)
          for (index first = 0; first < this->in.channels; first += kStrip)
            to_largest(x.row(i) + first, p, std::min(kStrip, this->in.channels - first),
                       delta.row(i) + p * this->in.channels + first, dx.row(i) + first);
      }
    });
  }

 private:
  /// Adds the derivatives of n channels at position p to where the largest numbers are.
  void to_largest(const R* x, index p, index n, const R* delta, R* dx) const {
    R best[kStrip];
    std::int32_t at[kStrip], tap = 0;
    for_taps(w_, this->in, p, [&](index from) { find_largest(x + from, tap++, n, best, at); });
    tap = 0;
    for_taps(w_, this->in, p, [&](index from) { add_where(delta, tap++, at, n, dx + from); });
  }

  const Window w_;
};

}  // namespace

template <class R>
LayerPtr<R> make_maxpool(const net::Layer& what) {
  return std::make_shared<MaxPool<R>>(what);
}

NTKROB_INSTANTIATE_NET_LAYER(maxpool)

}  // namespace ntkrob::nn
