// conv: convolution (cross-correlation) as a product of patches with the weights.
//
// A patch is what one position of the window sees, in the order kh kw C, in which rows of the image are contiguous; the
// rows of the weight have the same order. Patches are laid out for a few lines of positions at a time, small enough for
// the second-level cache, and made anew for the backward pass. Zeros stand for the padding.
#include <cstring>
#include <functional>

#include "nn/blocks.hpp"
#include "nn/channel_sums.hpp"
#include "nn/layer.hpp"
#include "nn/passes.hpp"
#include "nn/window.hpp"
#include "nn/winograd_conv.hpp"

namespace ntkrob::nn {
namespace {

constexpr index kPatchNumbers = index{1} << 16;  // of one task at a time: 256 KiB of float32

template <class R>
class Conv final : public Layer<R> {
 public:
  explicit Conv(const net::Layer& what) : Layer<R>(what), w_(what.window) {}

  void forward(Backend& backend, const BasicLayerParameters<R>& parameters, bool relu, ConstView2D<R> x, View2D<R> y,
               LayerScratch<R>& scratch) const override {
    lay_out(scratch, scratch.ahead, [&] { backend.pack(Transpose::yes, parameters.weight.view(), scratch.panels); });
    const index lines = x.rows * w_.height, step = lines_at_once();
    reserve_workers(backend, *scratch.shared);
    const View2D<R> positions(y.data, lines * w_.width, this->outputs);
    const auto task = [&](index k, int worker) {
      const index first = k * step, count = std::min(step, lines - first);
      const View2D<R> patches = buffer(scratch.shared->workers[static_cast<std::size_t>(worker)].in, count);
      gather(x, first, count, patches.data);
      const View2D<R> out = positions.middle_rows(first * w_.width, count * w_.width);
      backend.multiply(R(1), patches, scratch.panels, 0, R(0), out);
      add_bias_rows<R>(parameters.bias.data(), relu, out);
    };
    backend.for_each((lines + step - 1) / step, std::ref(task));
  }

  void backward(Backend& backend, const BasicLayerParameters<R>& parameters, ConstView2D<R> x, ConstView2D<R> delta,
                View2D<R> dx, BasicLayerParameters<R>* grads, R beta, LayerScratch<R>& scratch) const override {
    if (!dx.empty())
      lay_out(scratch, scratch.behind, [&] { backend.pack(Transpose::no, parameters.weight.view(), scratch.back); });
    const SumGroups groups(x.rows, this->outputs * this->fan_in);
    reserve_workers(backend, *scratch.shared);
    View2D<R> weight_sums;
    if (grads != nullptr) {
      weight_sums = room(scratch.shared->weight_sums, groups.count, this->outputs * this->fan_in);
      grow(scratch.bias_sums, groups.count, this->outputs);
    }
    const auto task = [&](index g, int worker) {
      const index first = g * groups.each, count = std::min(groups.each, x.rows - first);
      if (grads != nullptr) std::fill_n(scratch.bias_sums.row(g), this->outputs, 0.0);
      for (index i = first; i < first + count && !dx.empty(); ++i) std::fill_n(dx.row(i), dx.cols, R(0));
      run_group(backend, x, delta, dx, first * w_.height, count * w_.height, worker,
                grads == nullptr ? nullptr : weight_sums.row(g), grads == nullptr ? nullptr : scratch.bias_sums.row(g),
                scratch);
    };
    backend.for_each(groups.count, std::ref(task));
    if (grads != nullptr) add_groups(backend, weight_sums, beta, scratch, *grads);
  }

  index sums(index rows) const override {
    const index numbers = this->outputs * this->fan_in;
    return SumGroups(rows, numbers).count * numbers;
  }

 private:
  index lines_at_once() const { return std::max<index>(1, kPatchNumbers / (w_.width * this->fan_in)); }

  /// Patches of so many lines of positions, one per row.
  View2D<R> buffer(Matrix<R>& of, index lines) const {
    return room(of, lines_at_once() * w_.width, this->fan_in).middle_rows(0, lines * w_.width);
  }

  /// Calls line(image, iy, ox, taps, source offset, patch offset) for every line of taps of every position ...
  template <class Inside, class Outside>
  void walk(index first, index count, const Inside& inside, const Outside& outside) const {
    const index c = this->in.channels, run = w_.kw * c;
    index patch = 0;
    for (index line = first; line < first + count; ++line) {
      const index image = line / w_.height, y0 = line % w_.height * w_.stride - w_.top;
      const Taps rows(y0, w_.kh, this->in.height);
      for (index ox = 0; ox < w_.width; ++ox, patch += this->fan_in) {
        const index x0 = ox * w_.stride - w_.left;
        const Taps cols(x0, w_.kw, this->in.width);
        outside(patch, patch + rows.begin * run);
        for (index ky = rows.begin; ky < rows.end; ++ky) {
          const index to = patch + ky * run, from = (y0 + ky) * this->in.width + x0;
          outside(to, to + cols.begin * c);
          inside(image, (from + cols.begin) * c, to + cols.begin * c, (cols.end - cols.begin) * c);
          outside(to + cols.end * c, to + run);
        }
        outside(patch + rows.end * run, patch + this->fan_in);
      }
    }
  }

  /// Patches of `count` lines of positions, one per row.
  void gather(ConstView2D<R> x, index first, index count, R* patches) const {
    walk(
        first, count,
        [&](index image, index from, index to, index n) {
          const R* source = x.row(image) + from;
          for (index j = 0; j < n; ++j) patches[to + j] = source[j];
        },
        [&](index begin, index end) {
          for (index j = begin; j < end; ++j) patches[j] = R(0);
        });
  }

  /// The transpose of gather: dx += patches.
  void scatter(const R* patches, index first, index count, View2D<R> dx) const {
    walk(
        first, count,
        [&](index image, index from, index to, index n) {
          R* target = dx.row(image) + from;
          for (index j = 0; j < n; ++j) target[j] += patches[to + j];
        },
        [](index, index) {});
  }

  void run_group(Backend& backend, ConstView2D<R> x, ConstView2D<R> delta, View2D<R> dx, index first, index lines,
                 int worker, R* weight_sum, double* bias_sum, LayerScratch<R>& scratch) const {
    const ConstView2D<R> positions(delta.data, delta.rows * w_.height * w_.width, this->outputs);
    auto& own = scratch.shared->workers[static_cast<std::size_t>(worker)];
    for (index begin = first, step = lines_at_once(); begin < first + lines; begin += step) {
      const index count = std::min(step, first + lines - begin), rows = count * w_.width;
      const ConstView2D<R> d = positions.middle_rows(begin * w_.width, rows);
      if (weight_sum != nullptr) {
        const View2D<R> patches = buffer(own.in, count);
        gather(x, begin, count, patches.data);
        backend.gemm(Transpose::yes, Transpose::no, R(1), d, patches, begin == first ? R(0) : R(1),
                     View2D<R>(weight_sum, this->outputs, this->fan_in));
        add_column_sums<R>(d, bias_sum);
      }
      if (!dx.empty()) {
        const View2D<R> gradients = buffer(own.out, count);
        backend.multiply(R(1), d, scratch.back, 0, R(0), gradients);
        scatter(gradients.data, begin, count, dx);
      }
    }
  }

  /// grads = beta grads + the sums of all groups, in their order.
  void add_groups(Backend& backend, ConstView2D<R> weight_sums, R beta, LayerScratch<R>& scratch,
                  BasicLayerParameters<R>& grads) const {
    const index groups = weight_sums.rows;
    const index n = grads.weight.size();
    R* const weight = grads.weight.data();
    for_blocks(backend, n, rows_per_block(groups), [&](index begin, index count) {
      for (index j = begin; j < begin + count; ++j) weight[j] = beta == R(0) ? R(0) : beta * weight[j];
      for (index g = 0; g < groups; ++g) {
        const R* sum = weight_sums.row(g);
        for (index j = begin; j < begin + count; ++j) weight[j] += sum[j];
      }
    });
    add_up(scratch.bias_sums, groups, this->outputs);
    add_sums(scratch.bias_sums.row(0), this->outputs, beta, grads.bias.data());
  }

  const Window w_;
};

}  // namespace

template <class R>
LayerPtr<R> make_conv(const net::Layer& what) {
  auto direct = std::make_shared<Conv<R>>(what);
  const Window& w = what.window;
  const bool filtered = w.kh == 3 && w.kw == 3 && w.stride == 1 && Winograd::pays(what.in.channels, what.outputs);
  return filtered ? make_winograd_conv<R>(what, std::move(direct)) : direct;
}

NTKROB_INSTANTIATE_NET_LAYER(conv)

}  // namespace ntkrob::nn
