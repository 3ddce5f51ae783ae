#include "backend_cuda/nets/passes.hpp"

#include <algorithm>

#include "backend_cuda/launch.hpp"
#include "backend_cuda/work.hpp"

namespace ntkrob::cuda::nets {
namespace {

using Kind = NetLayer::Kind;

constexpr index kAlignment = 32;                 // numbers between arrays of parameters: 128 bytes
constexpr index kLayerNumbers = index{1} << 30;  // of one image between layers: positions are of 31 bits
constexpr index kBlockNumbers = index{1} << 26;  // between the layers of a block of images: 256 MiB
constexpr index kMostRows = index{1} << 14;      // of a block
constexpr index kPatchNumbers = index{1} << 25;  // patches at a time: 128 MiB

index aligned(index n) { return (n + kAlignment - 1) / kAlignment * kAlignment; }

/// rows x cols of a contiguous array, with other lengths of rows.
template <class T>
DeviceView<T> as(DeviceView<T> view, index rows, index cols) {
  return {view.data, rows, cols, cols};
}

template <class T>
DeviceView<T> rows_of(const DeviceView<T>& view, index first, index count) {
  return {view.data + first * view.stride, count, view.cols, view.stride};
}

void check_size(std::size_t layer, index numbers) {
  NTKROB_CHECK(numbers <= kLayerNumbers, ConfigError, "backend cuda: layer ", layer, " of the net has ", numbers,
               " numbers per image, the limit is ", kLayerNumbers, "; use cpu");
}

}  // namespace

Passes::Passes(Device& device, const NetProgram& program) : device_(device) {
  index numbers = program.input.size(), at = 0;
  for (std::size_t l = 0; l < program.layers.size(); ++l) {
    const NetLayer& spec = program.layers[l];
    check_size(l, spec.in.size());
    check_size(l, spec.out.size());
    check_size(l, spec.kh * spec.kw * spec.in.channels);
    widest_ = std::max({widest_, spec.in.size(), spec.out.size()});
    numbers += spec.out.size();
    Layer layer;
    layer.spec = spec;
    layer.window = Geometry(spec);
    layer.weight_at = at;
    layer.bias_at = layer.weight_at + aligned(spec.outputs * spec.fan_in);
    at = layer.bias_at + aligned(spec.outputs);
    NTKROB_CHECK(at <= kMostElements, ConfigError, "backend cuda: the net has more than ", kMostElements,
                 " parameters; use cpu");
    if (spec.kind == Kind::normalise) {
      const index c = static_cast<index>(spec.mean.size());
      Matrix<float> constants(2, c);
      for (index k = 0; k < c; ++k) {
        constants(0, k) = static_cast<float>(spec.mean[static_cast<std::size_t>(k)]);
        constants(1, k) = static_cast<float>(spec.deviation[static_cast<std::size_t>(k)]);
      }
      Work(device_).write(ConstView2D<float>(constants.view()), layer.constants.fit(device_, 2, c));
    }
    layers_.push_back(std::move(layer));
  }
  row_block_ = std::clamp<index>(kBlockNumbers / (numbers + 2 * widest_), 1, kMostRows);
  parameters_ = Kept<float>(device_, 1, at);
  gradients_ = Kept<float>(device_, 1, at);
  clear(parameters_.view());
  clear(gradients_.view());
}

DeviceView<float> Passes::weight(DeviceView<float> all, index layer) const {
  const Layer& l = layers_[static_cast<std::size_t>(layer)];
  return {all.data + l.weight_at, l.spec.outputs, l.spec.fan_in, l.spec.fan_in};
}

DeviceView<float> Passes::bias(DeviceView<float> all, index layer) const {
  const Layer& l = layers_[static_cast<std::size_t>(layer)];
  return {all.data + l.bias_at, 1, l.spec.outputs, l.spec.outputs};
}

void Passes::clear(DeviceView<float> numbers) { cuda::launch(Filling<float>{{}, numbers, 0}, stream()); }

/// Products read their right-hand operand along rows.
void Passes::lay_out() {
  if (laid_out_) return;
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    Layer& layer = layers_[l];
    if (!layer.spec.has_parameters()) continue;
    cuda::launch(Transposition<float>{weight(parameters(), static_cast<index>(l)),
                                      layer.laid_out.fit(device_, layer.spec.fan_in, layer.spec.outputs)},
                 stream());
  }
  laid_out_ = true;
}

void Passes::reserve(index rows, bool keep) {
  for (Layer& layer : layers_) {
    const index out = layer.spec.out.size();
    layer.hidden.fit(device_, rows, out);
    if (keep && layer.spec.kind == Kind::maxpool) layer.chosen.fit(device_, rows, out);
    if (layer.spec.kind != Kind::conv || layer.window.pointwise()) continue;
    const index patch = layer.spec.fan_in;
    patches_.fit(device_, 1, std::min(std::max(kPatchNumbers, patch), rows * layer.window.positions() * patch));
  }
  if (keep)
    for (Kept<float>& delta : delta_) delta.fit(device_, rows, widest_);
}

DeviceView<float> Passes::forward(DeviceView<const float> x, bool keep) {
  lay_out();
  reserve(x.rows, keep);
  DeviceView<const float> input = x;
  DeviceView<float> y;
  for (Layer& layer : layers_) {
    y = as(layer.hidden.view(), x.rows, layer.spec.out.size());
    forward(layer, input, y, keep);
    input = y;
  }
  return y;
}

template <class Block>
void Passes::for_positions(const Layer& layer, index n, const Block& block) {
  const index positions = layer.window.positions(), all = n * positions;
  index step = std::max<index>(1, kPatchNumbers / layer.spec.fan_in);
  if (step > positions) step -= step % positions;  // whole images, where they fit
  for (index first = 0; first < all; first += step) block(first, std::min(step, all - first));
}

Patches<float> Passes::patches_of(const Layer& layer, DeviceView<const float> x, index first, index count) const {
  Patches<float> patches;
  patches.w = layer.window;
  patches.x = x.data;
  patches.first = first;
  patches.count = count;
  patches.patches = patches_.data();
  return patches;
}

void Passes::forward(Layer& layer, DeviceView<const float> x, DeviceView<float> y, bool keep) {
  const NetLayer& spec = layer.spec;
  const index n = x.rows;
  const Stream stream = this->stream();
  const auto product = [&](DeviceView<const float> a, DeviceView<float> c) {
    cuda::launch(Product<float>{1, 0, a, layer.laid_out.view(), c}, stream);
    launch(AddBias<float>(c, parameters_.data() + layer.bias_at, spec.relu), stream);
  };
  switch (spec.kind) {
    case Kind::dense:
      return product(x, y);
    case Kind::conv: {
      const DeviceView<float> out = as(y, n * layer.window.positions(), spec.outputs);
      if (layer.window.pointwise()) return product(as(x, out.rows, spec.fan_in), out);
      return for_positions(layer, n, [&](index first, index count) {
        launch(patches_of(layer, x, first, count), stream);
        product(as(patches_.view(), count, spec.fan_in), rows_of(out, first, count));
      });
    }
    case Kind::maxpool: {
      MaxPool<float> pool;
      pool.w = layer.window;
      pool.x = x.data;
      pool.n = n;
      pool.open = spec.relu;
      pool.y = y.data;
      pool.tap = keep ? layer.chosen.data() : nullptr;
      return launch(pool, stream);
    }
    case Kind::avgpool:
    case Kind::gap: {
      AvgPool<float> pool;
      pool.w = layer.window;
      pool.inside = spec.inside;
      pool.x = x.data;
      pool.n = n;
      pool.open = spec.relu;
      pool.y = y.data;
      return launch(pool, stream);
    }
    case Kind::normalise: {
      Normalise<float, false> map;
      map.x = x.data;
      map.y = y.data;
      map.n = n * x.cols;
      map.mean = layer.constants.data();
      map.deviation = map.mean + spec.in.channels;
      map.open = spec.relu;
      map.channels = Divider(spec.in.channels);
      return launch(map, stream);
    }
  }
}

void Passes::backward(DeviceView<const float> x, DeviceView<const float> cotangent, DeviceView<float> dx,
                      bool gradients, float beta) {
  // No derivative is passed on below this layer.
  std::size_t first = 0;
  while (dx.empty() && first + 1 < layers_.size() && !layers_[first].spec.has_parameters()) ++first;
  DeviceView<const float> delta = cotangent;
  for (std::size_t l = layers_.size(); l-- > first;) {
    Layer& layer = layers_[l];
    const index width = layer.spec.in.size();
    const DeviceView<const float> input = l == 0 ? x : as<const float>(layers_[l - 1].hidden.view(), x.rows, width);
    const DeviceView<float> down = l > first ? as(delta_[l % 2].view(), x.rows, width)
                                   : l == 0  ? dx
                                             : DeviceView<float>();
    const float* hidden = l > first && layers_[l - 1].spec.relu ? input.data : nullptr;
    backward(layer, l, input, delta, hidden, down, gradients, beta);
    delta = down;
  }
}

void Passes::backward(Layer& layer, std::size_t number, DeviceView<const float> x, DeviceView<const float> delta,
                      const float* hidden, DeviceView<float> dx, bool gradients, float beta) {
  const NetLayer& spec = layer.spec;
  const index n = x.rows;
  const Stream stream = this->stream();
  const DeviceView<const float> w = weight(parameters(), static_cast<index>(number));
  const auto dense = [&](DeviceView<const float> input, DeviceView<const float> d) {
    if (gradients) parameter_gradient(number, input, d, beta);
    if (dx.empty()) return;
    cuda::launch(Product<float>{1, 0, d, w, as(dx, input.rows, input.cols)}, stream);
    if (hidden != nullptr) launch(CloseRelu<float>(hidden, dx.data, n * dx.cols), stream);
  };
  switch (spec.kind) {
    case Kind::dense:
      if (gradients) bias_gradient(number, delta, beta);
      return dense(x, delta);
    case Kind::conv: {
      const DeviceView<const float> positions = as(delta, n * layer.window.positions(), spec.outputs);
      if (gradients) bias_gradient(number, positions, beta);
      if (layer.window.pointwise()) return dense(as(x, positions.rows, spec.fan_in), positions);
      return for_positions(layer, n, [&](index first, index count) {
        const DeviceView<const float> d = rows_of(positions, first, count);
        const DeviceView<float> patches = as(patches_.view(), count, spec.fan_in);
        if (gradients) {
          launch(patches_of(layer, x, first, count), stream);
          parameter_gradient(number, patches, d, first == 0 ? beta : 1.0f);
        }
        if (dx.empty()) return;
        cuda::launch(Product<float>{1, 0, d, w, patches}, stream);
        FromPatches<float> back;
        back.w = layer.window;
        back.patches = patches.data;
        back.first = first;
        back.count = count;
        back.hidden = hidden;
        back.dx = dx.data;
        launch(back, stream);
      });
    }
    case Kind::maxpool: {
      if (dx.empty()) return;
      MaxPoolBack<float> pool;
      pool.w = layer.window;
      pool.delta = delta.data;
      pool.tap = layer.chosen.data();
      pool.hidden = hidden;
      pool.n = n;
      pool.dx = dx.data;
      return launch(pool, stream);
    }
    case Kind::avgpool:
    case Kind::gap: {
      if (dx.empty()) return;
      AvgPoolBack<float> pool;
      pool.w = layer.window;
      pool.inside = spec.inside;
      pool.delta = delta.data;
      pool.hidden = hidden;
      pool.n = n;
      pool.dx = dx.data;
      return launch(pool, stream);
    }
    case Kind::normalise: {
      if (dx.empty()) return;
      Normalise<float, true> map;
      map.x = delta.data;
      map.y = dx.data;
      map.n = n * dx.cols;
      map.mean = layer.constants.data();
      map.deviation = map.mean + spec.in.channels;
      map.hidden = hidden;
      map.channels = Divider(spec.in.channels);
      return launch(map, stream);
    }
  }
}

/// weight gradient = beta weight gradient + delta^T x. A sum over rows of the batch, so the order of cuBLAS will do: it
/// is the same for the same shapes.
void Passes::parameter_gradient(std::size_t number, DeviceView<const float> x, DeviceView<const float> delta,
                                float beta) {
  const float one = 1;
  check(
      cublasSgemm_64(device_.queue().blas(), CUBLAS_OP_N, CUBLAS_OP_T, x.cols, delta.cols, x.rows, &one, x.data,
                     x.stride, delta.data, delta.stride, &beta, gradients_.data() + layers_[number].weight_at, x.cols),
      "multiplying matrices");
}

void Passes::bias_gradient(std::size_t number, DeviceView<const float> delta, float beta) {
  const index parts = ColumnParts<float>::count(delta.rows);
  const DeviceView<double> sums = sums_.fit(device_, parts, delta.cols);
  launch(ColumnParts<float>(delta, sums), stream());
  launch(ColumnTotals<float>(sums, beta, gradients_.data() + layers_[number].bias_at), stream());
}

}  // namespace ntkrob::cuda::nets
