#include "backend_cpu/images/runner.hpp"

#include <algorithm>

#include "backend_cpu/images/sweep.hpp"

namespace ntkrob {
namespace {

template <class R>
std::size_t runner_bytes(const Layout& layout, bool gradient) {
  const int last = static_cast<int>(layout.program.ops.size());
  std::size_t bytes = Sweep<R>::bytes(layout, last, gradient);
  for (const int k : exact_pools(layout.program)) bytes += Sweep<R>::bytes(layout, k + 1, gradient);
  // A block of its own for y, one for pairs of a sample with itself.
  return bytes + 2 * static_cast<std::size_t>(block_numbers(layout, kImageLanes)) * sizeof(R) +
         sample_bytes(layout, sizeof(R), gradient);
}

}  // namespace

template <class R>
struct ImageRunner<R>::State {
  State(const Program& p, bool gradient_) : program(p), layout(p), pools(exact_pools(p)), gradient(gradient_) {}

  const Program& program;
  Layout layout;
  std::vector<int> pools;
  bool gradient;
  std::unique_ptr<Sweep<R>> sweep;
  std::vector<std::unique_ptr<Sweep<R>>> pool_sweeps;  // up to each of pools
  std::vector<Sample<R>> xs;
  std::vector<SampleGradient> gradients;
  Sample<R> y;
  std::vector<R> own_block, self_block;
  std::array<double, kImageLanes> own_scale{};

  index plane() const { return layout.shape(0).positions() * kImageLanes; }
  Sweep<R>& pool_sweep(std::size_t k) {
    if (pool_sweeps.empty()) pool_sweeps.resize(pools.size());
    if (!pool_sweeps[k]) pool_sweeps[k] = std::make_unique<Sweep<R>>(layout, pools[k] + 1, gradient);
    return *pool_sweeps[k];
  }
  Pairs<R> pairs(const Sample<R>& x, const R* block) const {
    return {{x.table.data(), block}, x.pixels.data(), block + layout.y_size * kImageLanes, plane()};
  }
  /// A sample with itself, in every lane.
  Pairs<R> self_pairs(const Sample<R>& s) {
    self_block.resize(static_cast<std::size_t>(ntkrob::block_numbers(layout, kImageLanes)));
    put_lanes(layout, s, 0, kImageLanes, kImageLanes, self_block.data());
    return pairs(s, self_block.data());
  }
  void fill(const R* pixels, Sample<R>& s, const ImageFunctions<R>& functions);
  void back(const R* pixels, const Sample<R>& s, SampleGradient& g, const ImageFunctions<R>& functions, R* dx);
};

template <class R>
void ImageRunner<R>::State::fill(const R* pixels, Sample<R>& s, const ImageFunctions<R>& functions) {
  fill_sample(layout, pixels, s);
  for (std::size_t k = 0; k < pools.size(); ++k) {
    const int v = pools[k] + 1;
    Sweep<R>& to_pool = pool_sweep(k);
    to_pool.forward(self_pairs(s), functions);
    index stride = 0;
    const R* d = to_pool.result(stride).d;
    const double square = s.scale[static_cast<std::size_t>(v)] * s.scale[static_cast<std::size_t>(v)];
    const index width = layout.shape(v).width;
    for (index p = 0; p < layout.shape(v).positions(); ++p) {
      // K = a - D / 2, with the a that D was found with.
      double& a = s.wide[static_cast<std::size_t>(layout.variance[static_cast<std::size_t>(v)] + p)];
      const index at = (p / width * stride + p % width) * kImageLanes;
      a = std::max(0.0, a - square * static_cast<double>(d[at]) / 2);
    }
    refill_after(layout, v, s);
  }
}

/// Pixels' gradient from a sample's adjoints. Both arguments of the pair (x, x) behind a pool are x, which doubles the
/// derivative by the first one.
template <class R>
void ImageRunner<R>::State::back(const R* pixels, const Sample<R>& s, SampleGradient& g,
                                 const ImageFunctions<R>& functions, R* dx) {
  std::vector<double> by_variance(static_cast<std::size_t>(layout.doubles), 0.0);
  int end = static_cast<int>(program.ops.size());
  add_adjoints(layout, end, s, g, 1, by_variance);
  for (std::size_t pool = pools.size(); pool-- > 0;) {
    const int k = pools[pool];
    back_through(layout, k + 1, end, s, by_variance);
    const double* go = by_variance.data() + layout.variance[static_cast<std::size_t>(k) + 1];
    const index positions = layout.shape(k + 1).positions();
    const double square = s.scale[static_cast<std::size_t>(k) + 1] * s.scale[static_cast<std::size_t>(k) + 1];
    std::vector<R> gd(static_cast<std::size_t>(positions * kImageLanes), R(0)), gt = gd;
    for (index p = 0; p < positions; ++p)
      gd[static_cast<std::size_t>(p * kImageLanes)] = static_cast<R>(-go[p] * square / 2);
    SampleGradient own;
    own.clear(layout);
    pool_sweep(pool).backward(self_pairs(s), gd.data(), gt.data(), false, functions, own);
    add_adjoints(layout, k, s, own, 2, by_variance);
    for (std::size_t i = 0; i < own.pixels.size(); ++i) g.pixels[i] += 2 * own.pixels[i];
    end = k;
  }
  back_through(layout, 0, end, s, by_variance);
  back_to_pixels(layout, pixels, s, g, by_variance, dx);
}

template <class R>
ImageRunner<R>::ImageRunner(const Program& program, bool gradient)
    : state_(std::make_unique<State>(program, gradient)) {}
template <class R>
ImageRunner<R>::~ImageRunner() = default;

template <class R>
index ImageRunner<R>::block_numbers() const {
  return ntkrob::block_numbers(state_->layout, kImageLanes);
}

template <class R>
void ImageRunner<R>::fill_block(ConstView2D<R> y, index j, const ImageFunctions<R>& functions, R* numbers,
                                double* scale) {
  State& s = *state_;
  const index count = std::min(kImageLanes, y.rows - j);
  for (index l = 0; l < count; ++l) {
    s.fill(y.row(j + l), s.y, functions);
    const index end = l + 1 == count ? kImageLanes : l + 1;
    std::fill(scale + l, scale + end, s.y.scale.back());
    put_lanes(s.layout, s.y, l, end, kImageLanes, numbers);
  }
}

template <class R>
void ImageRunner<R>::run(const ImageTile<R>& tile, const ImageFunctions<R>& functions, const Stop* stop) {
  State& s = *state_;
  const index n = tile.x.rows, m = tile.y.rows;
  if (!s.sweep) s.sweep = std::make_unique<Sweep<R>>(s.layout, static_cast<int>(s.program.ops.size()), s.gradient);
  s.xs.resize(static_cast<std::size_t>(n));
  s.gradients.resize(static_cast<std::size_t>(s.gradient ? n : 0));
  for (index i = 0; i < n; ++i) {
    look_for_stop(stop);
    s.fill(tile.x.row(i), s.xs[static_cast<std::size_t>(i)], functions);
  }
  for (SampleGradient& g : s.gradients) g.clear(s.layout);
  const auto root = static_cast<std::size_t>(s.layout.root.back());
  for (index j = 0; j < m; j += kImageLanes) {
    const index count = std::min(kImageLanes, m - j);
    const R* block;
    const double* y_scale;
    if (tile.table != nullptr) {
      const index at = tile.table_begin + j;
      block = tile.table->numbers.row(at / kImageLanes);
      y_scale = tile.table->scale.data() + at;
    } else {
      s.own_block.resize(static_cast<std::size_t>(block_numbers()));
      fill_block(tile.y, j, functions, s.own_block.data(), s.own_scale.data());
      block = s.own_block.data();
      y_scale = s.own_scale.data();
    }
    for (index i = 0; i < n; ++i) {
      look_for_stop(stop);
      const Sample<R>& x = s.xs[static_cast<std::size_t>(i)];
      const Pairs<R> pairs = s.pairs(x, block);
      const double a = static_cast<double>(x.table[root]);
      const auto scale = [&](index l) { return x.scale.back() * y_scale[l]; };
      if (!tile.value.empty()) {
        s.sweep->forward(pairs, functions);
        index stride = 0;
        const Planes<const R> result = s.sweep->result(stride);
        for (index l = 0; l < count; ++l) {
          const double b = static_cast<double>(block[root * kImageLanes + static_cast<std::size_t>(l)]);
          const double covariance = a * b > 0 ? (a * a + b * b - static_cast<double>(result.d[l])) / 2 : 0;
          tile.value(i, j + l) =
              static_cast<R>(scale(l) * (tile.output == Output::ntk ? static_cast<double>(result.t[l]) : covariance));
          if (!tile.nngp.empty()) tile.nngp(i, j + l) = static_cast<R>(scale(l) * covariance);
        }
      }
      if (!s.gradient) continue;
      SampleGradient& gradient = s.gradients[static_cast<std::size_t>(i)];
      R gd[kImageLanes] = {}, gt[kImageLanes] = {};
      for (index l = 0; l < count; ++l) {
        const double g = scale(l) * static_cast<double>(tile.cotangent(i, j + l));
        if (tile.output == Output::ntk) {
          gt[l] = static_cast<R>(g);
        } else {
          gd[l] = static_cast<R>(-g / 2);
          gradient.by_log[static_cast<std::size_t>(s.layout.variance.back())] += a * a * g / 2;
        }
      }
      s.sweep->backward(pairs, gd, gt, !tile.value.empty(), functions, gradient);
    }
  }
  if (!s.gradient) return;
  for (index i = 0; i < n; ++i) {
    look_for_stop(stop);
    s.back(tile.x.row(i), s.xs[static_cast<std::size_t>(i)], s.gradients[static_cast<std::size_t>(i)], functions,
           tile.dx.row(i));
  }
}

std::size_t image_table_size(const Program& program, index n, std::size_t bytes_per_number) {
  const Layout layout(program);
  const index blocks = (n + kImageLanes - 1) / kImageLanes;
  return static_cast<std::size_t>(blocks) *
         (static_cast<std::size_t>(block_numbers(layout, kImageLanes)) * bytes_per_number +
          kImageLanes * sizeof(double));
}

std::size_t image_scratch(const Program& program, std::size_t bytes_per_number, bool gradient) {
  const Layout layout(program);
  return bytes_per_number == sizeof(float) ? runner_bytes<float>(layout, gradient)
                                           : runner_bytes<double>(layout, gradient);
}

std::size_t image_row_scratch(const Program& program, std::size_t bytes_per_number, bool gradient) {
  return sample_bytes(Layout(program), bytes_per_number, gradient);
}

template class ImageRunner<float>;
template class ImageRunner<double>;

}  // namespace ntkrob
