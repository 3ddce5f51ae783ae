/// Lays a Program out for a tile of samples: per-sample tables, memory of the values, and the way back from the
/// adjoints of variances to the pixels.
#include "backend_cpu/image.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "backend_cpu/image_tile.hpp"
#include "layers/samples.hpp"

namespace ntkrob {
namespace {

index padded(index n) { return (n + kImageLanes - 1) / kImageLanes * kImageLanes; }

/// Lanes beyond the last position repeat it: layers see numbers that can occur.
template <class R>
void pad(R* row, index n) {
  std::fill(row + n, row + padded(n), row[n - 1]);
}

/// Taps of an output index that lie inside.
struct Geometry {
  index in, out, taps, step, dilation, low;
  bool circular;

  template <class F>
  void for_each_source(index o, F&& f) const {
    for (index tap = 0; tap < taps; ++tap) {
      const index i = o * step + tap * dilation - low;
      if (circular)
        f(((i % in) + in) % in);
      else if (i >= 0 && i < in)
        f(i);
    }
  }
};

Geometry geometry(index in, index out, index taps, index step, const Window& w) {
  const index reach = (taps - 1) * w.dilation + 1;
  const index pad = w.padding == Padding::valid ? 0 : std::max<index>((out - 1) * step + reach - in, 0);
  return {in, out, taps, step, w.dilation, pad / 2, w.padding == Padding::circular};
}

/// Where the numbers of one sample lie in its table: all rows are padded(positions) long.
struct Layout {
  std::vector<index> root;  // by value
  std::vector<index> c;     // by operation: coefficients, then their derivatives
  index size = 0;
  std::vector<index> variance, slope;  // by value, by operation: in the double table
  index doubles = 0;
  std::vector<int> group;  // by value: values joined by linear operations are in one, named after its first member

  explicit Layout(const Program& program) {
    for (const ValueShape& v : program.values) {
      root.push_back(size);
      variance.push_back(doubles);
      size += padded(v.positions());
      doubles += padded(v.positions());
    }
    for (const Op& op : program.ops) {
      const index n = padded(program.values[static_cast<std::size_t>(op.in)].positions());
      const index k = op.type == Operation::pointwise ? layers::info(op.layer.kind).n_coefficients : 0;
      c.push_back(size);
      slope.push_back(doubles);
      size += 2 * k * n;
      doubles += n;
    }
    group_values(program);
  }

  void group_values(const Program& program) {
    for (int v = 0; v < static_cast<int>(program.values.size()); ++v) {
      group.push_back(v);
      if (v == 0) continue;
      const Op& op = program.ops[static_cast<std::size_t>(v) - 1];
      if (op.type == Operation::pointwise || op.type == Operation::normalise) continue;
      for (const int source : {op.in, op.other}) {
        if (source < 0) continue;
        const int one = group[static_cast<std::size_t>(source)], two = group.back();
        for (int& g : group)
          if (g == one || g == two) g = std::min(one, two);  // whose variance is known first
      }
    }
  }
};

/// Whether what follows a value reads its variances for more than linear operations.
bool read_by_nonlinear(const Program& program, std::size_t value) {
  std::vector<bool> reaches(program.values.size(), false);
  reaches[value] = true;
  for (std::size_t k = value; k < program.ops.size(); ++k) {
    const Op& op = program.ops[k];
    const bool reads =
        reaches[static_cast<std::size_t>(op.in)] || (op.other >= 0 && reaches[static_cast<std::size_t>(op.other)]);
    const bool linear =
        op.type != Operation::normalise && (op.type != Operation::pointwise || op.layer.kind == layers::k_dense);
    if (reads && !linear) return true;
    reaches[k + 1] = reads;
  }
  return false;
}

}  // namespace

template <class R>
struct ImageRunner<R>::State {
  State(const Program& p, bool gradient_) : program(p), layout(p), gradient(gradient_) {}

  const Program& program;
  Layout layout;
  bool gradient;
  bool pairs = false;      // any value needs pairs of positions
  std::vector<int> pools;  // operations whose pooled variances nonlinear layers read
  std::vector<ImageValue<R>> values;
  std::vector<ImageStep<R>> steps;
  std::vector<std::vector<R>> divisors;
  Matrix<R> memory;
  index memory_size = 0;

  /// One sample's numbers.
  struct Sample {
    std::vector<R> table;
    std::vector<double> wide;
    std::vector<double> scale;  // by value: roots in the table and the state are divided by it
    std::vector<R> pixels;      // divided by the scale of the input
    std::vector<double> root_grad, log_grad, dx;
  };
  std::vector<Sample> xs;
  Sample y;
  std::vector<R> lanes, planes;  // tables and pixels of a block of y
  std::vector<R> self_planes;

  const ValueShape& shape(int v) const { return program.values[static_cast<std::size_t>(v)]; }
  index length(int v) const { return padded(shape(v).positions()); }

  void lay_out(bool allocate);
  void fill(const R* pixels, Sample& s, const ImageFunctions<R>& functions);
  void variances(const Op& op, int k, Sample& s) const;
  void roots(int v, Sample& s) const;
  void pool_variances(Sample& s, const ImageFunctions<R>& functions);
  void back_to_pixels(const R* pixels, Sample& s, const ImageFunctions<R>& functions);
  void back_through_pool(int k, const double* go, std::vector<double>& g, Sample& s,
                         const ImageFunctions<R>& functions);
  ImageJob<R> self_job(const Sample& s, Sample* grads);
  void bind(const Sample& x, const R* y_table, index stretch, Sample* grads);
};

template <class R>
void ImageRunner<R>::State::lay_out(bool allocate) {
  for (const ValueShape& v : program.values) pairs |= v.full;
  for (std::size_t k = 0; k < program.ops.size(); ++k)
    if (program.ops[k].type == Operation::pool && read_by_nonlinear(program, k + 1))
      pools.push_back(static_cast<int>(k));
  const int n = static_cast<int>(program.values.size());
  std::vector<int> last_use(static_cast<std::size_t>(n), 0);
  for (int k = 0; k + 1 < n; ++k) {
    const Op& op = program.ops[static_cast<std::size_t>(k)];
    last_use[static_cast<std::size_t>(op.in)] = k;
    if (op.other >= 0) last_use[static_cast<std::size_t>(op.other)] = k;
  }
  values.assign(static_cast<std::size_t>(n), ImageValue<R>{});
  std::vector<index> offset(static_cast<std::size_t>(n));
  // Without gradients memory is used again after a value's last reader; a pointwise operation writes over its input.
  struct Slot {
    index offset, size;
    int free_after;
  };
  std::vector<Slot> slots;
  index total = 0, scratch = 0;
  for (int v = 0; v < n; ++v) {
    ImageValue<R>& value = values[static_cast<std::size_t>(v)];
    const ValueShape& s = shape(v);
    value.height = s.height;
    value.width = s.width;
    value.full = s.full;
    value.line = pairs && !s.full;
    value.rows = value.line ? 1 : s.positions();
    value.cols = pairs ? s.positions() : kImageLanes;
    value.stride = pairs ? length(v) : kImageLanes;
    value.y_row = pairs ? 0 : kImageLanes;
    const index size = 2 * value.rows * value.stride;
    const int made_by = v - 1;
    const bool in_place =
        made_by >= 0 && (program.ops[static_cast<std::size_t>(made_by)].type == Operation::pointwise ||
                         program.ops[static_cast<std::size_t>(made_by)].type == Operation::normalise);
    Slot* found = nullptr;
    if (!gradient)
      for (Slot& slot : slots)
        if (slot.size >= size &&
            (slot.free_after < made_by ||
             (in_place && slot.free_after == made_by &&
              slot.offset == offset[static_cast<std::size_t>(program.ops[static_cast<std::size_t>(made_by)].in)]))) {
          found = &slot;
          break;
        }
    if (found == nullptr) {
      slots.push_back({total, size, 0});
      found = &slots.back();
      total += size * (gradient ? 2 : 1);
    }
    found->free_after = v + 1 == n ? n : last_use[static_cast<std::size_t>(v)];
    offset[static_cast<std::size_t>(v)] = found->offset;
  }
  steps.assign(program.ops.size(), ImageStep<R>{});
  divisors.assign(2 * program.ops.size(), {});
  for (std::size_t k = 0; k < steps.size(); ++k) {
    const Op& op = program.ops[k];
    ImageStep<R>& step = steps[k];
    const ImageValue<R>&in = values[static_cast<std::size_t>(op.in)], &out = values[k + 1];
    step.type = op.type;
    step.in = op.in;
    step.other = op.other;
    step.out = static_cast<int>(k) + 1;
    step.layer = op.layer;
    step.window = op.window;
    const Geometry h = geometry(in.height, out.height, op.window.kh, op.window.sh, op.window);
    const Geometry w = geometry(in.width, out.width, op.window.kw, op.window.sw, op.window);
    step.low_h = h.low;
    step.low_w = w.low;
    const index between = out.height * in.width;
    if (op.type == Operation::shift)
      scratch = std::max(scratch, pairs ? between * (between + 3) + 3 * in.height * in.width : between * kImageLanes);
    if (op.type == Operation::pool) {
      scratch = std::max(scratch, in.rows * in.stride + in.stride + padded(out.height * out.width) + between);
      for (int side = 0; side < 2; ++side) {
        const Geometry& g = side == 0 ? h : w;
        for (index o = 0; o < g.out; ++o) {
          index inside = 0;
          g.for_each_source(o, [&](index) { ++inside; });
          const index divisor = op.divisor == Divisor::none ? 1 : op.divisor == Divisor::window ? g.taps : inside;
          divisors[2 * k + static_cast<std::size_t>(side)].push_back(R(1) / static_cast<R>(divisor));
        }
      }
      step.inverse_h = divisors[2 * k].data();
      step.inverse_w = divisors[2 * k + 1].data();
    }
  }
  memory_size = total + scratch;
  if (!allocate) return;
  memory = Matrix<R>(1, memory_size);
  for (int v = 0; v < n; ++v) {
    ImageValue<R>& value = values[static_cast<std::size_t>(v)];
    const index size = value.rows * value.stride;
    value.d = memory.data() + offset[static_cast<std::size_t>(v)];
    value.t = value.d + size;
    value.gd = gradient ? value.t + size : nullptr;
    value.gt = gradient ? value.gd + size : nullptr;
  }
  for (ImageStep<R>& step : steps) step.scratch = memory.data() + total;
}

template <class R>
void ImageRunner<R>::State::variances(const Op& op, int k, Sample& s) const {
  const ValueShape &in = shape(op.in), &out = shape(k + 1);
  const double* a = s.wide.data() + layout.variance[static_cast<std::size_t>(op.in)];
  double* b = s.wide.data() + layout.variance[static_cast<std::size_t>(k) + 1];
  const index n = in.positions(), m = out.positions();
  std::fill_n(b, m, 0.0);
  switch (op.type) {
    case Operation::pointwise: {
      const index length_in = padded(n);
      const int count = layers::info(op.layer.kind).n_coefficients;
      R* c = s.table.data() + layout.c[static_cast<std::size_t>(k)];
      double* slope = s.wide.data() + layout.slope[static_cast<std::size_t>(k)];
      constexpr double kSmallest = sizeof(R) == 4 ? 1e-34 : 1e-280, kStandIn = 1e-60;
      for (index p = 0; p < n; ++p) {
        const bool zero = a[p] < kSmallest;
        double value[kMaxCoefficients + 1] = {}, dvalue[kMaxCoefficients + 1] = {}, unused[kMaxCoefficients + 1];
        layers::visit(op.layer.kind, [&](auto layer) {
          using L = decltype(layer);
          const double start = zero ? kStandIn : a[p];
          const Variance v = L::sample({start, start}, op.layer.params.data(), value, dvalue);
          b[p] = zero ? L::sample({0, 0}, op.layer.params.data(), unused, unused).a : v.a;
          slope[p] = zero ? 0 : v.da / a[p];
        });
        for (int i = 0; i < count; ++i) {
          c[i * length_in + p] = static_cast<R>(value[i]);
          c[(count + i) * length_in + p] = static_cast<R>(dvalue[i]);
        }
      }
      for (int i = 0; i < 2 * count; ++i) pad(c + i * length_in, n);
      return;
    }
    case Operation::shift:
    case Operation::pool: {
      const Geometry h = geometry(in.height, out.height, op.window.kh, op.window.sh, op.window);
      const Geometry w = geometry(in.width, out.width, op.window.kw, op.window.sw, op.window);
      const double divisor = static_cast<double>(op.window.kh * op.window.kw);
      for (index oh = 0; oh < h.out; ++oh)
        for (index ow = 0; ow < w.out; ++ow)
          h.for_each_source(oh, [&](index ih) {
            w.for_each_source(ow, [&](index iw) { b[oh * w.out + ow] += a[ih * w.in + iw] / divisor; });
          });
      return;
    }
    case Operation::mean:
    case Operation::flatten:
      for (index p = 0; p < n; ++p) b[0] += a[p] / static_cast<double>(n);
      return;
    case Operation::normalise: {
      double mean = 0;
      for (index p = 0; p < n; ++p) mean += a[p] / static_cast<double>(n);
      for (index p = 0; p < n; ++p) b[p] = a[p] / ((op.all_positions ? mean : a[p]) + op.eps);
      return;
    }
    case Operation::sum: {
      const double* other = s.wide.data() + layout.variance[static_cast<std::size_t>(op.other)];
      for (index p = 0; p < n; ++p) b[p] = a[p] + other[p];
      return;
    }
  }
}

/// The scale of a value, and its roots in the table.
template <class R>
void ImageRunner<R>::State::roots(int value, Sample& s) const {
  const auto v = static_cast<std::size_t>(value), leader = static_cast<std::size_t>(layout.group[v]);
  const index n = program.values[leader].positions();
  double mean = 0;
  for (index p = 0; p < n; ++p)
    mean += s.wide[static_cast<std::size_t>(layout.variance[leader] + p)] / static_cast<double>(n);
  s.scale[v] = mean > 0 ? std::sqrt(mean) : 1.0;
  for (index p = 0; p < program.values[v].positions(); ++p)
    s.table[static_cast<std::size_t>(layout.root[v] + p)] =
        static_cast<R>(std::sqrt(s.wide[static_cast<std::size_t>(layout.variance[v] + p)]) / s.scale[v]);
  pad(s.table.data() + layout.root[v], program.values[v].positions());
}

template <class R>
void ImageRunner<R>::State::fill(const R* pixels, Sample& s, const ImageFunctions<R>& functions) {
  s.table.assign(static_cast<std::size_t>(layout.size), R(0));
  s.wide.assign(static_cast<std::size_t>(layout.doubles), 0.0);
  s.scale.assign(program.values.size(), 1.0);
  const index channels = program.input.channels;
  for (index p = 0; p < shape(0).positions(); ++p) {
    double sum = 0;
    for (index c = 0; c < channels; ++c) {
      const double value = static_cast<double>(pixels[p * channels + c]);
      sum += value * value;
    }
    s.wide[static_cast<std::size_t>(p)] = sum / static_cast<double>(channels);
  }
  roots(0, s);
  for (int k = 0; k < static_cast<int>(program.ops.size()); ++k) {
    variances(program.ops[static_cast<std::size_t>(k)], k, s);
    roots(k + 1, s);
  }
  s.pixels.resize(static_cast<std::size_t>(shape(0).positions() * channels));
  for (std::size_t k = 0; k < s.pixels.size(); ++k)
    s.pixels[k] = static_cast<R>(static_cast<double>(pixels[k]) / s.scale[0]);
  if (!pools.empty()) pool_variances(s, functions);
}

/// The pair of a sample with itself.
template <class R>
ImageJob<R> ImageRunner<R>::State::self_job(const Sample& s, Sample* grads) {
  const index channels = program.input.channels, positions = shape(0).positions(), plane = padded(positions);
  self_planes.assign(static_cast<std::size_t>(channels * plane), R(0));
  for (index p = 0; p < positions; ++p)
    for (index c = 0; c < channels; ++c)
      self_planes[static_cast<std::size_t>(c * plane + p)] = s.pixels[static_cast<std::size_t>(p * channels + c)];
  bind(s, s.table.data(), 1, grads);
  return {steps.data(),    static_cast<int>(steps.size()),
          values.data(),   channels,
          s.pixels.data(), self_planes.data(),
          plane,           grads != nullptr ? grads->dx.data() : nullptr};
}

/// The variance after pooling is the pooled covariance of the sample with itself: run the pair (x, x) up to each pool,
/// read K[p,p] there, and go on with it.
template <class R>
void ImageRunner<R>::State::pool_variances(Sample& s, const ImageFunctions<R>& functions) {
  const ImageJob<R> job = self_job(s, nullptr);
  int begin = 0;
  for (const int k : pools) {
    functions.forward(job, begin, k + 1);
    const auto v = static_cast<std::size_t>(k) + 1;
    const ImageValue<R>& out = values[v];
    const double square = s.scale[v] * s.scale[v];
    for (index p = 0; p < shape(k + 1).positions(); ++p) {
      double& a = s.wide[static_cast<std::size_t>(layout.variance[v] + p)];
      const R d = out.d[(out.full ? p * out.stride : 0) + p];
      a = std::max(0.0, a - square * static_cast<double>(d) / 2);
    }
    roots(k + 1, s);
    for (int later = k + 1; later < static_cast<int>(program.ops.size()); ++later) {
      variances(program.ops[static_cast<std::size_t>(later)], later, s);
      roots(later + 1, s);
    }
    begin = k;  // again, with the variances that are now known
  }
}

/// Adjoint of pool_variances: go = dL/da at the output of pool k. Both arguments of the pair (x, x) are x, which
/// doubles the derivative by the first one.
template <class R>
void ImageRunner<R>::State::back_through_pool(int k, const double* go, std::vector<double>& g, Sample& s,
                                              const ImageFunctions<R>& functions) {
  Sample own;
  own.root_grad.assign(g.size(), 0.0);
  own.log_grad.assign(g.size(), 0.0);
  own.dx.assign(s.dx.size(), 0.0);
  const ImageJob<R> job = self_job(s, &own);
  for (int v = 0; v <= k + 1; ++v) {
    ImageValue<R>& value = values[static_cast<std::size_t>(v)];
    std::fill_n(value.gd, 2 * value.rows * value.stride, R(0));
  }
  functions.forward(job, 0, k + 1);
  const auto out_index = static_cast<std::size_t>(k) + 1;
  const ImageValue<R>& out = values[out_index];
  const double square = s.scale[out_index] * s.scale[out_index];
  for (index p = 0; p < shape(k + 1).positions(); ++p)
    out.gd[(out.full ? p * out.stride : 0) + p] = static_cast<R>(-go[p] * square / 2);
  functions.backward(job, k + 1);
  for (int v = 0; v <= k; ++v)
    for (index p = 0; p < shape(v).positions(); ++p) {
      const auto at = static_cast<std::size_t>(layout.variance[static_cast<std::size_t>(v)] + p);
      if (s.wide[at] > 0) g[at] += own.root_grad[at] / (std::sqrt(s.wide[at]) * s.scale[static_cast<std::size_t>(v)]);
    }
  for (std::size_t i = 0; i < s.log_grad.size(); ++i) s.log_grad[i] += 2 * own.log_grad[i];
  for (std::size_t i = 0; i < s.dx.size(); ++i) s.dx[i] += 2 * own.dx[i];
}

/// dL/da of every value from the adjoints of roots and logarithms, last value first; then the pixels.
template <class R>
void ImageRunner<R>::State::back_to_pixels(const R* pixels, Sample& s, const ImageFunctions<R>& functions) {
  std::vector<double>& g = s.root_grad;  // of roots, then in place of variances
  for (std::size_t v = 0; v < program.values.size(); ++v)
    for (index p = 0; p < program.values[v].positions(); ++p) {
      const double a = s.wide[static_cast<std::size_t>(layout.variance[v] + p)];
      double& slot = g[static_cast<std::size_t>(layout.variance[v] + p)];
      slot = a > 0 ? slot / (2 * std::sqrt(a) * s.scale[v]) : 0.0;
    }
  for (int k = static_cast<int>(program.ops.size()) - 1; k >= 0; --k) {
    const Op& op = program.ops[static_cast<std::size_t>(k)];
    const ValueShape &in = shape(op.in), &out = shape(k + 1);
    const index n = in.positions();
    const double* a = s.wide.data() + layout.variance[static_cast<std::size_t>(op.in)];
    double* gi = g.data() + layout.variance[static_cast<std::size_t>(op.in)];
    const double* go = g.data() + layout.variance[static_cast<std::size_t>(k) + 1];
    switch (op.type) {
      case Operation::pointwise: {
        const double* slope = s.wide.data() + layout.slope[static_cast<std::size_t>(k)];
        const double* log_grad = s.log_grad.data() + layout.slope[static_cast<std::size_t>(k)];
        for (index p = 0; p < n; ++p) gi[p] += go[p] * slope[p] + (slope[p] != 0 ? log_grad[p] / a[p] : 0.0);
        break;
      }
      case Operation::shift:
      case Operation::pool: {
        if (std::find(pools.begin(), pools.end(), k) != pools.end()) {
          back_through_pool(k, go, g, s, functions);
          break;
        }
        const Geometry h = geometry(in.height, out.height, op.window.kh, op.window.sh, op.window);
        const Geometry w = geometry(in.width, out.width, op.window.kw, op.window.sw, op.window);
        const double divisor = static_cast<double>(op.window.kh * op.window.kw);
        for (index oh = 0; oh < h.out; ++oh)
          for (index ow = 0; ow < w.out; ++ow)
            h.for_each_source(oh, [&](index ih) {
              w.for_each_source(ow, [&](index iw) { gi[ih * w.in + iw] += go[oh * w.out + ow] / divisor; });
            });
        break;
      }
      case Operation::mean:
      case Operation::flatten:
        for (index p = 0; p < n; ++p) gi[p] += go[0] / static_cast<double>(n);
        break;
      case Operation::normalise: {
        double mean = 0, shared = 0;
        for (index p = 0; p < n; ++p) mean += a[p] / static_cast<double>(n);
        for (index p = 0; p < n; ++p) {
          const double base = (op.all_positions ? mean : a[p]) + op.eps;
          gi[p] += op.all_positions ? go[p] / base : go[p] * op.eps / (base * base);
          shared -= go[p] * a[p] / (base * base) / static_cast<double>(n);
        }
        if (op.all_positions)
          for (index p = 0; p < n; ++p) gi[p] += shared;
        break;
      }
      case Operation::sum: {
        double* other = g.data() + layout.variance[static_cast<std::size_t>(op.other)];
        for (index p = 0; p < n; ++p) {
          gi[p] += go[p];
          other[p] += go[p];
        }
        break;
      }
    }
  }
  const index channels = program.input.channels;
  for (index p = 0; p < shape(0).positions(); ++p)
    for (index c = 0; c < channels; ++c) {
      double& dx = s.dx[static_cast<std::size_t>(p * channels + c)];
      dx = dx / s.scale[0] + 2 * g[static_cast<std::size_t>(p)] * static_cast<double>(pixels[p * channels + c]) /
                                 static_cast<double>(channels);
    }
}

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
  std::array<double, kImageLanes> y_scale{};
  const index block = s.pairs ? 1 : kImageLanes;
  const index plane = s.pairs ? padded(positions) : positions * kImageLanes;
  for (index j = 0; j < m; j += block) {
    const index count = std::min(block, m - j);
    s.planes.assign(static_cast<std::size_t>(channels * plane), R(0));
    if (!s.pairs) s.lanes.assign(static_cast<std::size_t>(s.layout.size * kImageLanes), R(0));
    for (index l = 0; l < block; ++l) {
      // Lanes beyond the last sample repeat it: their numbers are finite and are not used.
      const R* pixels = tile.y.row(j + std::min(l, count - 1));
      s.fill(pixels, s.y, functions);
      y_scale[static_cast<std::size_t>(l)] = s.y.scale.back();
      for (index p = 0; p < positions; ++p)
        for (index c = 0; c < channels; ++c)
          s.planes[static_cast<std::size_t>(c * plane + p * block + l)] =
              s.y.pixels[static_cast<std::size_t>(p * channels + c)];
      if (!s.pairs)
        for (index k = 0; k < s.layout.size; ++k)
          s.lanes[static_cast<std::size_t>(k * kImageLanes + l)] = s.y.table[static_cast<std::size_t>(k)];
    }
    const R* y_table = s.pairs ? s.y.table.data() : s.lanes.data();
    for (index i = 0; i < n; ++i) {
      auto& x = s.xs[static_cast<std::size_t>(i)];
      s.bind(x, y_table, block, s.gradient ? &x : nullptr);
      ImageJob<R> job{s.steps.data(),  static_cast<int>(s.steps.size()),
                      s.values.data(), channels,
                      x.pixels.data(), s.planes.data(),
                      plane,           s.gradient ? x.dx.data() : nullptr};
      functions.forward(job, 0, job.n_steps);
      const double a = static_cast<double>(last.x_root[0]);
      const auto scale = [&](index l) { return x.scale.back() * y_scale[static_cast<std::size_t>(l)]; };
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

template class ImageRunner<float>;
template class ImageRunner<double>;

std::string image_reason(const Program& program) {
  for (std::size_t k = 0; k < program.ops.size(); ++k)
    if (program.ops[k].type == Operation::mean && program.values[static_cast<std::size_t>(program.ops[k].in)].full &&
        read_by_nonlinear(program, k + 1))
      return "nonlinear layers after global average pooling are not there; put them before it";
  return {};
}

std::size_t image_scratch(const Program& program, std::size_t bytes_per_number, bool gradient) {
  if (bytes_per_number == sizeof(float)) return ImageRunner<float>::bytes(program, gradient);
  return ImageRunner<double>::bytes(program, gradient);
}

}  // namespace ntkrob
