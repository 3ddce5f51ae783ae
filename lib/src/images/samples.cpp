#include "images/samples.hpp"

#include <algorithm>
#include <cmath>

namespace ntkrob {
namespace {

/// One axis of a window: the sources of each output.
OwnList sources_of(const Axis& axis) {
  OwnList list;
  for (index o = 0; o < axis.out; ++o) {
    axis.for_each_source(o, [&](index, index i) { list.item.push_back(static_cast<int>(i)); });
    list.close();
  }
  return list;
}

void add(const double* from, index n, double* to) {
  for (index k = 0; k < n; ++k) to[k] += from[k];
}

/// to += the means over an operation's window of from; or, back, from += the adjoint of that from to's.
void window_means(const Layout& layout, int k, double* from, double* to, bool back) {
  const Op& op = layout.op(k);
  const Axis h = layout.axis_h(op, k + 1), w = layout.axis_w(op, k + 1);
  const OwnList rows = sources_of(h), columns = sources_of(w);
  const double inverse = 1.0 / static_cast<double>(op.window.kh * op.window.kw);
  std::vector<double> middle(static_cast<std::size_t>(w.in));
  for (index oh = 0; oh < h.out; ++oh) {
    std::fill(middle.begin(), middle.end(), 0.0);
    const auto heights = [&] {
      for (int r = rows.begin[static_cast<std::size_t>(oh)]; r < rows.begin[static_cast<std::size_t>(oh) + 1]; ++r) {
        double* row = from + rows.item[static_cast<std::size_t>(r)] * w.in;
        back ? add(middle.data(), w.in, row) : add(row, w.in, middle.data());
      }
    };
    if (!back) heights();
    for (index ow = 0; ow < w.out; ++ow) {
      double& out = to[oh * w.out + ow];
      for (int c = columns.begin[static_cast<std::size_t>(ow)]; c < columns.begin[static_cast<std::size_t>(ow) + 1];
           ++c) {
        double& source = middle[static_cast<std::size_t>(columns.item[static_cast<std::size_t>(c)])];
        if (back)
          source += inverse * out;
        else
          out += inverse * source;
      }
    }
    if (back) heights();
  }
}

template <class R>
struct Smallest {
  static constexpr double variance = sizeof(R) == 4 ? 1e-34 : 1e-280;
  static constexpr double root = sizeof(R) == 4 ? 1e-18 : 1e-150;
};

/// Stands in for a variance of 0, where coefficients are undefined.
constexpr double kStandIn = 1e-60;

/// Variances of operation k's output from those of its inputs, of one sample.
template <class R>
void variances(const Layout& layout, int k, Sample<R>& s) {
  const Op& op = layout.op(k);
  const auto at = [&](int v) { return s.wide.data() + layout.variance[static_cast<std::size_t>(v)]; };
  double *a = at(op.in), *b = at(k + 1);
  const index n = layout.shape(op.in).positions();
  std::fill_n(b, layout.shape(k + 1).positions(), 0.0);
  switch (op.type) {
    case Operation::pointwise: {
      double* slope = s.slope.data() + layout.variance[static_cast<std::size_t>(k) + 1];
      layers::visit(op.layer.kind, [&](auto layer) {
        using L = decltype(layer);
        double c[kMaxCoefficients + 1], dc[kMaxCoefficients + 1];
        const double of_zero = L::sample({0, 0}, op.layer.params.data(), c, dc).a;
        for (index p = 0; p < n; ++p) {
          const bool zero = a[p] < Smallest<R>::variance;
          const Variance v = zero ? Variance{of_zero, 0} : L::sample({a[p], a[p]}, op.layer.params.data(), c, dc);
          b[p] = v.a;
          slope[p] = zero ? 0 : v.da / a[p];
        }
      });
      return;
    }
    case Operation::shift:
    case Operation::pool:
      window_means(layout, k, a, b, false);
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
    case Operation::sum:
    case Operation::product: {
      const double* other = at(op.other);
      for (index p = 0; p < n; ++p) b[p] = op.type == Operation::sum ? a[p] + other[p] : a[p] * other[p];
      return;
    }
  }
}

/// The scale of a value: the root mean square of the first value of its group. Behind a dense layer without bias w
/// times that in front, which leaves distances as they are.
template <class R>
void find_scale(const Layout& layout, int v, Sample<R>& s) {
  const auto leader = static_cast<std::size_t>(layout.group[static_cast<std::size_t>(v)]);
  if (leader > 0 && layout.is_linear(static_cast<int>(leader) - 1)) {
    const Op& made = layout.op(static_cast<int>(leader) - 1);
    s.scale[static_cast<std::size_t>(v)] = made.layer.params[0] * s.scale[static_cast<std::size_t>(made.in)];
    return;
  }
  const index n = layout.program.values[leader].positions();
  double mean = 0;
  for (index p = 0; p < n; ++p)
    mean += s.wide[static_cast<std::size_t>(layout.variance[leader] + p)] / static_cast<double>(n);
  s.scale[static_cast<std::size_t>(v)] = mean > 0 ? std::sqrt(mean) : 1.0;
}

/// Coefficients of the layers of a run at one position, with derivatives by log A.
template <class R>
void coefficients(const Layout& layout, const Unit& u, double a, index p, Sample<R>& s) {
  const index n = layout.shape(u.out).positions();
  Variance v{a < Smallest<R>::variance ? kStandIn : a, 0};
  v.da = v.a;
  std::size_t layer = 0;
  for (const int k : u.run) {
    const Op& op = layout.op(k);
    if (op.type == Operation::normalise) {
      // Over all positions it ends a run; here it is local.
      const double base = v.a + op.eps;
      v = {v.a / base, v.da * op.eps / (base * base)};
      continue;
    }
    double c[kMaxCoefficients + 1] = {}, dc[kMaxCoefficients + 1] = {};
    layers::visit(op.layer.kind, [&](auto type) { v = decltype(type)::sample(v, op.layer.params.data(), c, dc); });
    for (index i = 0; i < layers::info(op.layer.kind).n_coefficients; ++i) {
      s.table[static_cast<std::size_t>(u.coefficients[layer] + i * n + p)] = static_cast<R>(c[i]);
      s.table[static_cast<std::size_t>(u.derivatives[layer] + i * n + p)] = static_cast<R>(dc[i]);
    }
    ++layer;
  }
}

/// The tables from variances and scales.
template <class R>
void fill_tables(const Layout& layout, Sample<R>& s) {
  const auto roots = [&](int v, index place) {
    const auto value = static_cast<std::size_t>(v);
    const double inverse = 1 / s.scale[value];
    const double* a = s.wide.data() + layout.variance[value];
    R* root = s.table.data() + place;
    for (index p = 0; p < layout.shape(v).positions(); ++p) root[p] = static_cast<R>(std::sqrt(a[p]) * inverse);
  };
  for (int v = 0; v < static_cast<int>(layout.program.values.size()); ++v)
    if (layout.root[static_cast<std::size_t>(v)] >= 0) roots(v, layout.root[static_cast<std::size_t>(v)]);
  for (int v = 0; v < static_cast<int>(layout.program.values.size()); ++v) {
    if (!layout.is_product(v)) continue;
    const Op& made = layout.op(v - 1);
    const auto scale = [&](int value) { return s.scale[static_cast<std::size_t>(value)]; };
    s.table[static_cast<std::size_t>(layout.factor[static_cast<std::size_t>(v)])] =
        static_cast<R>(scale(made.in) / scale(v) * scale(made.other));
  }
  for (const Unit& u : layout.units) {
    const auto mid = static_cast<std::size_t>(u.mid);
    const index n = layout.shape(u.out).positions();
    roots(u.mid, u.place_mid);
    if (u.normal) {
      const R* root = s.table.data() + u.place_mid;
      R* inverse = s.table.data() + u.place_inverse;
      constexpr R smallest = R(Smallest<R>::root);
      for (index p = 0; p < n; ++p) inverse[p] = root[p] > smallest ? R(1) / root[p] : R(0);
    }
    if (u.dense) {
      // Variances in front of the dense layer: the input of the operation that makes mid.
      const auto front = static_cast<std::size_t>(layout.op(u.mid - 1).in);
      const double c = u.b == 0 && layout.group[mid] == u.mid ? 1 : u.w * s.scale[front] / s.scale[mid];
      s.table[static_cast<std::size_t>(u.place_c)] = static_cast<R>(c);
      s.table[static_cast<std::size_t>(u.place_beta)] = static_cast<R>(u.b / s.scale[mid]);
      for (index p = 0; p < n; ++p)
        s.table[static_cast<std::size_t>(u.place_share + p)] = static_cast<R>(
            c * s.wide[static_cast<std::size_t>(layout.variance[front] + p)] / (s.scale[front] * s.scale[front]));
    }
    const bool none = std::all_of(u.layers.begin(), u.layers.end(),
                                  [](const ChainLayer& layer) { return layers::info(layer.kind).n_coefficients == 0; });
    if (none) continue;
    for (index p = 0; p < n; ++p)
      coefficients(layout, u, s.wide[static_cast<std::size_t>(layout.variance[mid] + p)], p, s);
  }
}

}  // namespace

std::size_t sample_bytes(const Layout& layout, std::size_t bytes_per_number, bool gradient) {
  const auto pixels = static_cast<std::size_t>(layout.shape(0).positions() * layout.program.input.channels);
  const auto doubles = static_cast<std::size_t>(layout.doubles);
  return (static_cast<std::size_t>(layout.size) + pixels) * bytes_per_number + 2 * doubles * sizeof(double) +
         (gradient ? (2 * doubles + pixels) * sizeof(double) : 0);
}

template <class R>
void fill_sample(const Layout& layout, const R* pixels, Sample<R>& s) {
  s.table.assign(static_cast<std::size_t>(layout.size), R(0));
  s.wide.assign(static_cast<std::size_t>(layout.doubles), 0.0);
  s.slope.assign(static_cast<std::size_t>(layout.doubles), 0.0);
  s.scale.assign(layout.program.values.size(), 1.0);
  const index channels = layout.program.input.channels, positions = layout.shape(0).positions();
  for (index p = 0; p < positions; ++p) {
    double sum = 0;
    for (index c = 0; c < channels; ++c) {
      const double value = static_cast<double>(pixels[p * channels + c]);
      sum += value * value;
    }
    s.wide[static_cast<std::size_t>(p)] = sum / static_cast<double>(channels);
  }
  find_scale(layout, 0, s);
  s.pixels.resize(static_cast<std::size_t>(positions * channels));
  for (std::size_t k = 0; k < s.pixels.size(); ++k)
    s.pixels[k] = static_cast<R>(static_cast<double>(pixels[k]) / s.scale[0]);
  refill_after(layout, 0, s);
}

template <class R>
void refill_after(const Layout& layout, int v, Sample<R>& s) {
  find_scale(layout, v, s);
  for (int k = v; k < static_cast<int>(layout.program.ops.size()); ++k) {
    variances(layout, k, s);
    find_scale(layout, k + 1, s);
  }
  fill_tables(layout, s);
}

template <class R>
void add_adjoints(const Layout& layout, int v, const Sample<R>& s, const SampleGradient& g, double factor,
                  std::vector<double>& variance_gradient) {
  for (int value = 0; value <= v; ++value) {
    const double scale = s.scale[static_cast<std::size_t>(value)];
    for (index p = 0; p < layout.shape(value).positions(); ++p) {
      const auto at = static_cast<std::size_t>(layout.variance[static_cast<std::size_t>(value)] + p);
      variance_gradient[at] +=
          factor * (g.by_variance[at] / (scale * scale) + (s.wide[at] > 0 ? g.by_log[at] / s.wide[at] : 0.0));
    }
  }
}

template <class R>
void back_through(const Layout& layout, int first, int end, const Sample<R>& s, std::vector<double>& g) {
  for (int k = end - 1; k >= first; --k) {
    const Op& op = layout.op(k);
    const auto at = [&](int v) { return static_cast<std::size_t>(layout.variance[static_cast<std::size_t>(v)]); };
    const index n = layout.shape(op.in).positions();
    const double* a = s.wide.data() + at(op.in);
    double* gi = g.data() + at(op.in);
    const double* go = g.data() + at(k + 1);
    switch (op.type) {
      case Operation::pointwise: {
        const double* slope = s.slope.data() + at(k + 1);
        for (index p = 0; p < n; ++p) gi[p] += go[p] * slope[p];
        break;
      }
      case Operation::shift:
      case Operation::pool:
        window_means(layout, k, gi, g.data() + at(k + 1), true);
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
        double* other = g.data() + at(op.other);
        for (index p = 0; p < n; ++p) {
          gi[p] += go[p];
          other[p] += go[p];
        }
        break;
      }
      case Operation::product: {
        const double* b = s.wide.data() + at(op.other);
        double* other = g.data() + at(op.other);
        for (index p = 0; p < n; ++p) {
          gi[p] += go[p] * b[p];
          other[p] += go[p] * a[p];
        }
        break;
      }
    }
  }
}

template <class R>
void back_to_pixels(const Layout& layout, const R* pixels, const Sample<R>& s, const SampleGradient& g,
                    const std::vector<double>& variance_gradient, R* dx) {
  const index channels = layout.program.input.channels;
  for (index p = 0; p < layout.shape(0).positions(); ++p)
    for (index c = 0; c < channels; ++c)
      dx[p * channels + c] =
          static_cast<R>(g.pixels[static_cast<std::size_t>(p * channels + c)] / s.scale[0] +
                         2 * variance_gradient[static_cast<std::size_t>(p)] *
                             static_cast<double>(pixels[p * channels + c]) / static_cast<double>(channels));
}

index block_numbers(const Layout& layout, index lanes) {
  return lanes * (layout.y_size + layout.shape(0).positions() * layout.program.input.channels);
}

template <class R>
void put_lanes(const Layout& layout, const Sample<R>& s, index first, index end, index lanes, R* block) {
  for (index k = 0; k < layout.y_size; ++k)
    std::fill(block + k * lanes + first, block + k * lanes + end, s.table[static_cast<std::size_t>(k)]);
  const index channels = layout.program.input.channels, positions = layout.shape(0).positions();
  R* planes = block + layout.y_size * lanes;
  for (index p = 0; p < positions; ++p)
    for (index c = 0; c < channels; ++c) {
      R* at = planes + (c * positions + p) * lanes;
      std::fill(at + first, at + end, s.pixels[static_cast<std::size_t>(p * channels + c)]);
    }
}

#define NTKROB_INSTANTIATE(R)                                                                     \
  template void fill_sample(const Layout&, const R*, Sample<R>&);                                 \
  template void refill_after(const Layout&, int, Sample<R>&);                                     \
  template void add_adjoints(const Layout&, int, const Sample<R>&, const SampleGradient&, double, \
                             std::vector<double>&);                                               \
  template void back_through(const Layout&, int, int, const Sample<R>&, std::vector<double>&);    \
  template void back_to_pixels(const Layout&, const R*, const Sample<R>&, const SampleGradient&,  \
                               const std::vector<double>&, R*);                                   \
  template void put_lanes(const Layout&, const Sample<R>&, index, index, index, R*);
NTKROB_INSTANTIATE(float)
NTKROB_INSTANTIATE(double)

}  // namespace ntkrob
