/// The numbers of one sample, operation by operation, and the way back from their adjoints to the pixels.
#include <cmath>

#include "backend_cpu/images/layout.hpp"

namespace ntkrob {
namespace {

/// f(output position, input position, taps of the window) for every tap inside the image.
template <class F>
void for_each_tap(const Window& window, const ValueShape& in, const ValueShape& out, F&& f) {
  const Geometry h = geometry(in.height, out.height, window.kh, window.sh, window);
  const Geometry w = geometry(in.width, out.width, window.kw, window.sw, window);
  const double taps = static_cast<double>(window.kh * window.kw);
  for (index oh = 0; oh < h.out; ++oh)
    for (index ow = 0; ow < w.out; ++ow)
      h.for_each_source(
          oh, [&](index ih) { w.for_each_source(ow, [&](index iw) { f(oh * w.out + ow, ih * w.in + iw, taps); }); });
}

}  // namespace

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
    case Operation::pool:
      for_each_tap(op.window, in, out, [&](index o, index i, double divisor) { b[o] += a[i] / divisor; });
      return;
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
      case Operation::pool:
        if (std::find(pools.begin(), pools.end(), k) != pools.end()) {
          back_through_pool(k, go, g, s, functions);
          break;
        }
        for_each_tap(op.window, in, out, [&](index o, index i, double divisor) { gi[i] += go[o] / divisor; });
        break;
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

#define NTKROB_INSTANTIATE(R)                                                             \
  template void ImageRunner<R>::State::fill(const R*, Sample&, const ImageFunctions<R>&); \
  template void ImageRunner<R>::State::back_to_pixels(const R*, Sample&, const ImageFunctions<R>&);
NTKROB_INSTANTIATE(float)
NTKROB_INSTANTIATE(double)

}  // namespace ntkrob
