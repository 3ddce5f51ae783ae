/// SampleNorm: normalisation within a sample: y = (x - m) / sqrt(v + eps) gamma + beta, m and v over a cell of
/// positions and channels (Ba 2016; Wu & He 2018). What layernorm and groupnorm share; they differ in their cells.
#pragma once

#include <cmath>

#include "nn/blocks.hpp"
#include "nn/channel_sums.hpp"
#include "nn/image_norm.hpp"
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
               LayerScratch<R>& scratch) const override {
    if (positions_ > 1) return forward_images(backend, parameters, relu, x, y, scratch);
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
    positions_ > 1 ? backward_images(backend, parameters, x, delta, dx, scratch)
                   : backward_positions(backend, parameters, x, delta, dx, scratch);
    if (grads == nullptr) return;
    add_sums(scratch.bias_sums.row(0), c_, beta, grads->bias.data());
    add_sums(scratch.bias_sums.row(0) + c_, c_, beta, grads->weight.data());
  }

 private:
  struct Moments {
    double mean, inverse;
  };

  NormCells cells() const { return {positions_, c_, width_, eps_}; }

  /// Moments of every image stay for the backward pass.
  void forward_images(Backend& backend, const BasicLayerParameters<R>& parameters, bool relu, ConstView2D<R> x,
                      View2D<R> y, LayerScratch<R>& scratch) const {
    grow(scratch.statistics, x.rows, 2 * c_);
    for_blocks(backend, x.rows, rows_per_block(x.cols), [&](index begin, index count) {
      for (index i = begin; i < begin + count; ++i) {
        double *const mean = scratch.statistics.row(i), *const inverse = mean + c_;
        cell_moments<R>(cells(), x.row(i), mean, inverse);
        normalise_cells<R>(cells(), x.row(i), mean, inverse, parameters.weight.data(), parameters.bias.data(), relu,
                           y.row(i));
      }
    });
  }

  void backward_images(Backend& backend, const BasicLayerParameters<R>& parameters, ConstView2D<R> x,
                       ConstView2D<R> delta, View2D<R> dx, LayerScratch<R>& scratch) const {
    // Behind the sums of each group: what is summed over one image.
    sum_over_images(backend, x.rows, 4 * c_, scratch.bias_sums, [&](index i, double* sum) {
      const double *const mean = scratch.statistics.row(i), *const inverse = mean + c_;
      cell_derivatives<R>(cells(), x.row(i), delta.row(i), mean, inverse, parameters.weight.data(), sum, sum + 2 * c_,
                          dx.empty() ? nullptr : dx.row(i));
    });
  }

  void backward_positions(Backend& backend, const BasicLayerParameters<R>& parameters, ConstView2D<R> x,
                          ConstView2D<R> delta, View2D<R> dx, LayerScratch<R>& scratch) const {
    const double n = static_cast<double>(width_);
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
  }

  /// Calls cell(offset of its first number, its first channel), for cells of one position.
  template <class Cell>
  void for_cells(index numbers, const Cell& cell) const {
    for (index first = 0; first < numbers; first += c_)
      for (index channel = 0; channel < c_; channel += width_) cell(first + channel, channel);
  }
  /// Calls visit(offset, channel within the cell) for the numbers of the cell at `first`.
  template <class Visit>
  void each(index first, const Visit& visit) const {
    for (index k = 0; k < width_; ++k) visit(first + k, k);
  }
  Moments moments(const R* x) const {
    const double n = static_cast<double>(width_);
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
