// batchnorm: (x - m) / sqrt(v + eps) gamma + beta, channel by channel; in training with m and v of the batch, in whose
// derivative they take part (Ioffe & Szegedy 2015, section 3), elsewhere with the running ones.
#include <cmath>

#include "nn/blocks.hpp"
#include "nn/channel_sums.hpp"
#include "nn/layer.hpp"
#include "nn/passes.hpp"
#include "ntkrob/base/error.hpp"

namespace ntkrob::nn {
namespace {

template <class R>
class BatchNorm final : public Layer<R> {
 public:
  explicit BatchNorm(const net::Layer& what) : Layer<R>(what), eps_(what.constant("eps")), c_(what.in.channels) {}

  void forward(Backend& backend, const BasicLayerParameters<R>& parameters, bool relu, ConstView2D<R> x, View2D<R> y,
               LayerScratch<R>& scratch) const override {
    if (scratch.training) measure(backend, x, scratch);
    // y = a x + b.
    std::vector<R> a(static_cast<std::size_t>(c_)), b(a);
    for (index k = 0; k < c_; ++k) {
      const double scale = static_cast<double>(parameters.weight(k, 0)) * inverse(parameters, scratch, k);
      a[static_cast<std::size_t>(k)] = static_cast<R>(scale);
      b[static_cast<std::size_t>(k)] =
          static_cast<R>(static_cast<double>(parameters.bias(0, k)) - scale * mean(parameters, scratch, k));
    }
    for_blocks(backend, x.rows, rows_per_block(x.cols), [&](index begin, index count) {
      for (index i = begin; i < begin + count; ++i)
        for (index p = 0; p < x.cols; p += c_) {
          const R* const from = x.row(i) + p;
          R* const to = y.row(i) + p;
          for (index k = 0; k < c_; ++k)
            to[k] = a[static_cast<std::size_t>(k)] * from[k] + b[static_cast<std::size_t>(k)];
          if (relu)
            for (index k = 0; k < c_; ++k) to[k] = R(0) > to[k] ? R(0) : to[k];
        }
    });
  }

  void backward(Backend& backend, const BasicLayerParameters<R>& parameters, ConstView2D<R> x, ConstView2D<R> delta,
                View2D<R> dx, BasicLayerParameters<R>* grads, R beta, LayerScratch<R>& scratch) const override {
    std::vector<double> m(static_cast<std::size_t>(c_)), r(m);
    for (index k = 0; k < c_; ++k) {
      m[static_cast<std::size_t>(k)] = mean(parameters, scratch, k);
      r[static_cast<std::size_t>(k)] = inverse(parameters, scratch, k);
    }
    if (grads != nullptr || scratch.training) {
      // sums of delta, and of delta times the normalised x
      sum_over_images(backend, x.rows, 2 * c_, scratch.bias_sums, [&](index i, double* sum) {
        for (index p = 0; p < x.cols; p += c_)
          for (index k = 0; k < c_; ++k) {
            const double d = static_cast<double>(delta.row(i)[p + k]);
            sum[k] += d;
            sum[c_ + k] += d * ((static_cast<double>(x.row(i)[p + k]) - m[static_cast<std::size_t>(k)]) *
                                r[static_cast<std::size_t>(k)]);
          }
      });
      if (grads != nullptr) {
        add_sums(scratch.bias_sums.row(0), c_, beta, grads->bias.data());
        add_sums(scratch.bias_sums.row(0) + c_, c_, beta, grads->weight.data());
      }
    }
    if (dx.empty()) return;
    // dx = u delta + v x + w
    std::vector<R> u(static_cast<std::size_t>(c_)), v(u), w(u);
    const double n = static_cast<double>(scratch.counted);
    for (std::size_t k = 0; k < u.size(); ++k) {
      const double scale = static_cast<double>(parameters.weight(static_cast<index>(k), 0)) * r[k];
      u[k] = static_cast<R>(scale);
      if (!scratch.training) continue;
      const double d = scratch.bias_sums(0, static_cast<index>(k)) / n,
                   e = scratch.bias_sums(0, c_ + static_cast<index>(k)) / n;
      v[k] = static_cast<R>(-scale * e * r[k]);
      w[k] = static_cast<R>(scale * (e * r[k] * m[k] - d));
    }
    for_blocks(backend, x.rows, rows_per_block(x.cols), [&](index begin, index count) {
      for (index i = begin; i < begin + count; ++i)
        for (index p = 0; p < x.cols; p += c_)
          for (index k = 0; k < c_; ++k) {
            const auto at = static_cast<std::size_t>(k);
            const R through = u[at] * delta.row(i)[p + k];
            dx.row(i)[p + k] = scratch.training ? through + (v[at] * x.row(i)[p + k] + w[at]) : through;
          }
    });
  }

 private:
  double mean(const BasicLayerParameters<R>& parameters, const LayerScratch<R>& scratch, index k) const {
    return scratch.training ? scratch.statistics(0, k) : static_cast<double>(parameters.statistics(0, k));
  }
  double inverse(const BasicLayerParameters<R>& parameters, const LayerScratch<R>& scratch, index k) const {
    const double variance =
        scratch.training ? scratch.statistics(1, k) : static_cast<double>(parameters.statistics(1, k));
    return 1 / std::sqrt(variance + eps_);
  }

  void measure(Backend& backend, ConstView2D<R> x, LayerScratch<R>& scratch) const {
    const index n = x.rows * (x.cols / c_);
    NTKROB_CHECK(n >= 2, ConfigError, field("batch"), " is ", given(x.rows), ": batchnorm needs ",
                 limit("at least two numbers of every channel"), " in a batch; ",
                 advice("take a larger batch, or layernorm"));
    grow(scratch.statistics, 2, c_);
    sum_over_images(backend, x.rows, c_, scratch.bias_sums, [&](index i, double* sum) {
      for (index p = 0; p < x.cols; p += c_)
        for (index k = 0; k < c_; ++k) sum[k] += static_cast<double>(x.row(i)[p + k]);
    });
    for (index k = 0; k < c_; ++k) scratch.statistics(0, k) = scratch.bias_sums(0, k) / static_cast<double>(n);
    const double* const m = scratch.statistics.row(0);
    sum_over_images(backend, x.rows, c_, scratch.bias_sums, [&](index i, double* sum) {
      for (index p = 0; p < x.cols; p += c_)
        for (index k = 0; k < c_; ++k) {
          const double d = static_cast<double>(x.row(i)[p + k]) - m[k];
          sum[k] += d * d;
        }
    });
    for (index k = 0; k < c_; ++k) scratch.statistics(1, k) = scratch.bias_sums(0, k) / static_cast<double>(n);
    scratch.counted = n;
  }

  const double eps_;
  const index c_;
};

}  // namespace

template <class R>
LayerPtr<R> make_batchnorm(const net::Layer& what) {
  return std::make_shared<BatchNorm<R>>(what);
}

NTKROB_INSTANTIATE_NET_LAYER(batchnorm)

}  // namespace ntkrob::nn
