/// SampleNorm: normalisation within a sample: y = (x - m) / sqrt(v + eps) gamma + beta, m and v over a cell of
/// positions and channels (Ba 2016; Wu & He 2018). What layernorm and groupnorm share; they differ in their cells.
#pragma once

#include <cmath>

#include "nn/blocks.hpp"
#include "nn/channel_sums.hpp"
#include "nn/layer.hpp"
#include "nn/passes.hpp"

namespace ntkrob::nn {

template <class R>
class SampleNorm final : public Layer<R> {
 public:
  /// A cell has all positions, or one; and 1/groups of the channels.
  SampleNorm(const net::Layer& what, bool each_position, index groups)
      : Layer<R>(what),
        eps_(what.constant("eps")),
        c_(what.in.channels),
        positions_(each_position ? 1 : what.in.height * what.in.width),
        width_(what.in.channels / groups) {}

  void forward(Backend& backend, const BasicLayerParameters<R>& parameters, bool relu, ConstView2D<R> x, View2D<R> y,
               LayerScratch<R>&) const override {
    for_blocks(backend, x.rows, rows_per_block(x.cols), [&](index begin, index count) {
      for (index i = begin; i < begin + count; ++i)
        for_cells(x.cols, [&](index first, index channel) {
          const Moments m = moments(x.row(i) + first);
          each(first, [&](index at, index k) {
            const double normal = (static_cast<double>(x.row(i)[at]) - m.mean) * m.inverse;
            const R v = static_cast<R>(normal * static_cast<double>(parameters.weight(channel + k, 0)) +
                                       static_cast<double>(parameters.bias(0, channel + k)));
            y.row(i)[at] = relu && R(0) > v ? R(0) : v;
          });
        });
    });
  }

  void backward(Backend& backend, const BasicLayerParameters<R>& parameters, ConstView2D<R> x, ConstView2D<R> delta,
                View2D<R> dx, BasicLayerParameters<R>* grads, R beta, LayerScratch<R>& scratch) const override {
    const double n = static_cast<double>(positions_ * width_);
    sum_over_images(backend, x.rows, 2 * c_, scratch.bias_sums, [&](index i, double* sum) {
      for_cells(x.cols, [&](index first, index channel) {
        const Moments m = moments(x.row(i) + first);
        double g = 0, gx = 0;  // means of delta gamma, and of it times the normalised x
        each(first, [&](index at, index k) {
          const double d = static_cast<double>(delta.row(i)[at]),
                       normal = (static_cast<double>(x.row(i)[at]) - m.mean) * m.inverse,
                       scaled = d * static_cast<double>(parameters.weight(channel + k, 0));
          sum[channel + k] += d;
          sum[c_ + channel + k] += d * normal;
          g += scaled;
          gx += scaled * normal;
        });
        if (dx.empty()) return;
        g /= n;
        gx /= n;
        each(first, [&](index at, index k) {
          const double normal = (static_cast<double>(x.row(i)[at]) - m.mean) * m.inverse,
                       scaled = static_cast<double>(delta.row(i)[at]) *
                                static_cast<double>(parameters.weight(channel + k, 0));
          dx.row(i)[at] = static_cast<R>(m.inverse * (scaled - g - normal * gx));
        });
      });
    });
    if (grads == nullptr) return;
    add_sums(scratch.bias_sums.row(0), c_, beta, grads->bias.data());
    add_sums(scratch.bias_sums.row(0) + c_, c_, beta, grads->weight.data());
  }

 private:
  struct Moments {
    double mean, inverse;
  };

  /// Calls cell(offset of its first number, its first channel).
  template <class Cell>
  void for_cells(index numbers, const Cell& cell) const {
    for (index first = 0; first < numbers; first += positions_ * c_)
      for (index channel = 0; channel < c_; channel += width_) cell(first + channel, channel);
  }
  /// Calls visit(offset, channel within the cell) for the numbers of the cell at `first`.
  template <class Visit>
  void each(index first, const Visit& visit) const {
    for (index p = 0; p < positions_; ++p)
      for (index k = 0; k < width_; ++k) visit(first + p * c_ + k, k);
  }
  Moments moments(const R* x) const {
    const double n = static_cast<double>(positions_ * width_);
    double sum = 0, squares = 0;
    each(0, [&](index at, index) { sum += static_cast<double>(x[at]); });
    const double mean = sum / n;
    each(0, [&](index at, index) {
      const double d = static_cast<double>(x[at]) - mean;
      squares += d * d;
    });
    return {mean, 1 / std::sqrt(squares / n + eps_)};
  }

  const double eps_;
  const index c_, positions_, width_;
};

}  // namespace ntkrob::nn
