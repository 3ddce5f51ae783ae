#include "backend_cpu/images/runner.hpp"

#include "backend_cpu/images/layout.hpp"

namespace ntkrob {

/// Points values and steps at the tables of one x and of y; stretch: 1, or kImageLanes where y's tables are by lanes.
template <class R>
void ImageRunner<R>::State::bind(const Sample& x, const R* y_table, index stretch, Sample* grads) {
  for (std::size_t v = 0; v < values.size(); ++v) {
    values[v].x_root = x.table.data() + layout.root[v];
    values[v].y_root = y_table + stretch * layout.root[v];
    values[v].x_root_grad = grads != nullptr ? grads->root_grad.data() + layout.variance[v] : nullptr;
  }
  for (std::size_t k = 0; k < steps.size(); ++k) {
    const Op& op = program.ops[k];
    if (op.type != Operation::pointwise) {
      steps[k].x = steps[k].dx = x.table.data();
      steps[k].y = y_table;
    } else {
      const index count = layers::info(op.layer.kind).n_coefficients, n = length(op.in);
      steps[k].x = x.table.data() + layout.c[k];
      steps[k].dx = steps[k].x + count * n;
      steps[k].y = y_table + stretch * layout.c[k];
      steps[k].x_next = n;
      steps[k].y_next = stretch * n;
    }
    steps[k].x_log_grad = grads != nullptr ? grads->log_grad.data() + layout.slope[k] : nullptr;
  }
}

template <class R>
ImageRunner<R>::ImageRunner(const Program& program, bool gradient)
    : state_(std::make_unique<State>(program, gradient)) {
  state_->lay_out(true);
}
template <class R>
ImageRunner<R>::~ImageRunner() = default;

template <class R>
std::size_t ImageRunner<R>::bytes(const Program& program, bool gradient) {
  State state(program, gradient);
  state.lay_out(false);
  return static_cast<std::size_t>(state.memory_size) * sizeof(R);
}

template <class R>
index ImageRunner<R>::block() const {
  return state_->pairs ? 1 : kImageLanes;
}
template <class R>
index ImageRunner<R>::block_numbers() const {
  return state_->layout.size * block() + state_->program.input.channels * state_->plane();
}

/// The tables first, by lanes where a block has several samples; then the pixels, plane by plane.
template <class R>
void ImageRunner<R>::fill_block(ConstView2D<R> y, index j, const ImageFunctions<R>& functions, R* numbers,
                                double* scale) {
  State& s = *state_;
  const index lanes = block(), positions = s.shape(0).positions(), channels = s.program.input.channels;
  R* planes = numbers + s.layout.size * lanes;
  std::fill_n(planes, channels * s.plane(), R(0));
  for (index l = 0; l < lanes; ++l) {
    s.fill(y.row(std::min(j + l, y.rows - 1)), s.y, functions);
    scale[l] = s.y.scale.back();
    for (index p = 0; p < positions; ++p)
      for (index c = 0; c < channels; ++c)
        planes[c * s.plane() + p * lanes + l] = s.y.pixels[static_cast<std::size_t>(p * channels + c)];
    for (index k = 0; k < s.layout.size; ++k) numbers[k * lanes + l] = s.y.table[static_cast<std::size_t>(k)];
  }
}

template <class R>
void ImageRunner<R>::run(const ImageTile<R>& tile, const ImageFunctions<R>& functions) {
  State& s = *state_;
  const index n = tile.x.rows, m = tile.y.rows, channels = s.program.input.channels;
  const index positions = s.shape(0).positions();
  s.xs.resize(static_cast<std::size_t>(n));
  for (index i = 0; i < n; ++i) {
    auto& x = s.xs[static_cast<std::size_t>(i)];
    s.fill(tile.x.row(i), x, functions);
    if (!s.gradient) continue;
    x.root_grad.assign(static_cast<std::size_t>(s.layout.doubles), 0.0);
    x.log_grad.assign(static_cast<std::size_t>(s.layout.doubles), 0.0);
    x.dx.assign(static_cast<std::size_t>(positions * channels), 0.0);
  }
  ImageValue<R>& last = s.values.back();
  const index block = this->block();
  for (index j = 0; j < m; j += block) {
    const index count = std::min(block, m - j);
    const R* y_table;
    const double* y_scale;
    if (tile.table != nullptr) {
      const index at = tile.table_begin + j;
      y_table = tile.table->numbers.row(at / block);
      y_scale = tile.table->scale.data() + at;
    } else {
      s.own_block.resize(static_cast<std::size_t>(block_numbers()));
      fill_block(tile.y, j, functions, s.own_block.data(), s.own_scale.data());
      y_table = s.own_block.data();
      y_scale = s.own_scale.data();
    }
    for (index i = 0; i < n; ++i) {
      auto& x = s.xs[static_cast<std::size_t>(i)];
      s.bind(x, y_table, block, s.gradient ? &x : nullptr);
      ImageJob<R> job{
          s.steps.data(),  static_cast<int>(s.steps.size()), s.values.data(), channels,
          x.pixels.data(), y_table + s.layout.size * block,  s.plane(),       s.gradient ? x.dx.data() : nullptr};
      functions.forward(job, 0, job.n_steps);
      const double a = static_cast<double>(last.x_root[0]);
      const auto scale = [&](index l) { return x.scale.back() * y_scale[l]; };
      if (!tile.value.empty())
        for (index l = 0; l < count; ++l) {
          const double b = static_cast<double>(last.y_root[l]);
          tile.value(i, j + l) = static_cast<R>(
              scale(l) * (tile.output == Output::ntk ? static_cast<double>(last.t[l])
                                                     : (a * a + b * b - static_cast<double>(last.d[l])) / 2));
        }
      if (!s.gradient) continue;
      for (ImageValue<R>& value : s.values) std::fill_n(value.gd, 2 * value.rows * value.stride, R(0));
      for (index l = 0; l < count; ++l) {
        const R g = static_cast<R>(scale(l) * static_cast<double>(tile.cotangent(i, j + l)));
        if (tile.output == Output::ntk) {
          last.gt[l] = g;
        } else {
          last.gd[l] = -g / 2;
          last.x_root_grad[0] += a * static_cast<double>(g);
        }
      }
      functions.backward(job, job.n_steps);
    }
  }
  if (!s.gradient) return;
  for (index i = 0; i < n; ++i) {
    auto& x = s.xs[static_cast<std::size_t>(i)];
    s.back_to_pixels(tile.x.row(i), x, functions);
    for (index k = 0; k < tile.dx.cols; ++k) tile.dx(i, k) = static_cast<R>(x.dx[static_cast<std::size_t>(k)]);
  }
}

template void ImageRunner<float>::State::bind(const Sample&, const float*, index, Sample*);
template void ImageRunner<double>::State::bind(const Sample&, const double*, index, Sample*);
template class ImageRunner<float>;
template class ImageRunner<double>;

}  // namespace ntkrob
