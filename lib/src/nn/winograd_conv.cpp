#include "nn/winograd_conv.hpp"

#include <algorithm>
#include <functional>

#include "nn/blocks.hpp"
#include "nn/channel_sums.hpp"
#include "nn/passes.hpp"

namespace ntkrob::nn {
namespace {

template <class R>
class WinogradConv final : public Layer<R> {
 public:
  WinogradConv(const net::Layer& what, LayerPtr<R> direct)
      : Layer<R>(what),
        direct_(std::move(direct)),
        ahead_(what.in, what.out.height, what.out.width, what.window.top, what.window.left, what.outputs),
        back_(what.out, what.in.height, what.in.width, 2 - what.window.top, 2 - what.window.left, what.in.channels) {}

  void forward(Backend& backend, const BasicLayerParameters<R>& parameters, bool relu, ConstView2D<R> x, View2D<R> y,
               LayerScratch<R>& scratch) const override {
    if (!backend.info().winograd) return direct_->forward(backend, parameters, relu, x, y, scratch);
    lay_out(scratch, scratch.ahead, [&] {
      transform_weights<R>(ahead_, parameters.weight.view(), scratch.layout);
      backend.pack(Transpose::no, scratch.layout.view(), scratch.panels);
    });
    filter(backend, ahead_, x, scratch.panels, parameters.bias.data(), relu, y.data, scratch);
  }

  void backward(Backend& backend, const BasicLayerParameters<R>& parameters, ConstView2D<R> x, ConstView2D<R> delta,
                View2D<R> dx, BasicLayerParameters<R>* grads, R beta, LayerScratch<R>& scratch) const override {
    if (!backend.info().winograd) return direct_->backward(backend, parameters, x, delta, dx, grads, beta, scratch);
    if (!dx.empty() && dx.stride != dx.cols) {
      Matrix<R> rows(dx.rows, dx.cols);
      backward(backend, parameters, x, delta, rows.view(), grads, beta, scratch);
      return convert<R, const R>(rows.view(), dx);
    }
    if (grads != nullptr) gradient(backend, x, delta, *grads, beta, scratch);
    if (dx.empty()) return;
    lay_out(scratch, scratch.behind, [&] {
      transform_turned_weights<R>(back_, parameters.weight.view(), scratch.layout);
      backend.pack(Transpose::no, scratch.layout.view(), scratch.back);
    });
    filter(backend, back_, delta, scratch.back, nullptr, false, dx.data, scratch);
  }

  index laid_out() const override { return ahead_.places() * ahead_.inputs() * ahead_.outputs(); }
  index sums(index rows) const override { return SumGroups(rows, laid_out()).count * laid_out(); }

 private:
  void filter(Backend& backend, const Winograd& w, ConstView2D<R> x, const Panels<R>& panels, const R* bias, bool relu,
              R* y, LayerScratch<R>& scratch) const {
    const index tiles = x.rows * w.tiles(), step = w.tiles_at_once();
    reserve_workers(backend, *scratch.shared);
    const auto task = [&](index k, int worker) {
      const index first = k * step, n = std::min(step, tiles - first);
      auto& own = scratch.shared->workers[static_cast<std::size_t>(worker)];
      const View2D<R> v = room(own.in, w.places() * step, w.inputs()),
                      m = room(own.out, w.places() * step, w.outputs());
      w.transform_inputs(x, first, n, v.data);
      for (index p = 0; p < w.places(); ++p)
        backend.multiply(R(1), v.middle_rows(p * n, n), panels, p * w.column_step(), R(0), m.middle_rows(p * n, n));
      w.transform_outputs(m.data, first, n, bias, relu, y);
    };
    backend.for_each((tiles + step - 1) / step, std::ref(task));
  }

  /// grads = beta grads + derivatives: sums over the tiles of groups of images, added in the order of the groups.
  void gradient(Backend& backend, ConstView2D<R> x, ConstView2D<R> delta, BasicLayerParameters<R>& grads, R beta,
                LayerScratch<R>& scratch) const {
    const index numbers = laid_out(), n = x.rows;
    const SumGroups groups(n, numbers);
    const View2D<R> weight_sums = room(scratch.shared->weight_sums, groups.count, numbers);
    grow(scratch.bias_sums, groups.count, this->outputs);
    reserve_workers(backend, *scratch.shared);
    const index positions = this->out.height * this->out.width;
    const auto task = [&](index g, int worker) {
      const index first = g * groups.each, count = std::min(groups.each, n - first);
      sum_tiles(backend, x, delta, first * ahead_.tiles(), count * ahead_.tiles(), weight_sums.row(g),
                scratch.shared->workers[static_cast<std::size_t>(worker)]);
      std::fill_n(scratch.bias_sums.row(g), this->outputs, 0.0);
      add_column_sums<R>(ConstView2D<R>(delta.row(first), count * positions, this->outputs), scratch.bias_sums.row(g));
    };
    backend.for_each(groups.count, std::ref(task));
    for_blocks(backend, numbers, rows_per_block(groups.count), [&](index begin, index count) {
      R* const sum = weight_sums.row(0);
      for (index g = 1; g < groups.count; ++g) {
        const R* const more = weight_sums.row(g);
        for (index j = begin; j < begin + count; ++j) sum[j] += more[j];
      }
    });
    gather_weight_gradient<R>(backend, ahead_, weight_sums.row(0), beta, grads.weight.data());
    add_up(scratch.bias_sums, groups.count, this->outputs);
    add_sums(scratch.bias_sums.row(0), this->outputs, beta, grads.bias.data());
  }

  void sum_tiles(Backend& backend, ConstView2D<R> x, ConstView2D<R> delta, index first, index tiles, R* sums,
                 typename SharedScratch<R>::Worker& own) const {
    const index step = ahead_.tiles_at_once(), places = ahead_.places(), in = ahead_.inputs(), out = ahead_.outputs();
    const View2D<R> v = room(own.in, places * step, in), d = room(own.out, places * step, out);
    for (index begin = 0; begin < tiles; begin += step) {
      const index n = std::min(step, tiles - begin);
      ahead_.transform_inputs(x, first + begin, n, v.data);
      ahead_.spread_outputs(delta.data, first + begin, n, d.data);
      for (index p = 0; p < places; ++p)
        backend.gemm(Transpose::yes, Transpose::no, R(1), v.middle_rows(p * n, n), d.middle_rows(p * n, n),
                     begin == 0 ? R(0) : R(1), View2D<R>(sums + p * in * out, in, out));
    }
  }

  const LayerPtr<R> direct_;
  const Winograd ahead_, back_;
};

}  // namespace

template <class R>
LayerPtr<R> make_winograd_conv(const net::Layer& what, LayerPtr<R> direct) {
  return std::make_shared<WinogradConv<R>>(what, std::move(direct));
}

template LayerPtr<float> make_winograd_conv<float>(const net::Layer&, LayerPtr<float>);
template LayerPtr<double> make_winograd_conv<double>(const net::Layer&, LayerPtr<double>);

}  // namespace ntkrob::nn
