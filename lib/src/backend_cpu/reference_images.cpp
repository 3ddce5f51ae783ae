#include "backend_cpu/reference_images.hpp"

#include "backend_cpu/tape.hpp"
#include "layers/all.hpp"

namespace ntkrob {
namespace {

/// A matrix over pairs of positions.
class Pairs {
 public:
  Pairs() = default;
  explicit Pairs(index positions) : n_(positions), data_(static_cast<std::size_t>(positions * positions)) {}
  index n() const { return n_; }
  Taped& operator()(index p, index q) { return data_[static_cast<std::size_t>(p * n_ + q)]; }
  Taped operator()(index p, index q) const { return data_[static_cast<std::size_t>(p * n_ + q)]; }

 private:
  index n_ = 0;
  std::vector<Taped> data_;
};

/// State of a pair of images: covariances, and the tangent kernel between x and y.
struct State {
  Pairs xx, xy, yy, t;
};

/// f(matrix, side of its rows, side of its columns) for every matrix of a state; side 0 is x, 1 is y.
template <class F>
State each(const State& in, F&& f) {
  return {f(in.xx, 0, 0), f(in.xy, 0, 1), f(in.yy, 1, 1), f(in.t, 0, 1)};
}

/// Positions of the input under the taps of every output position; -1 for a tap outside.
std::vector<std::vector<index>> taps(const Window& w, const ValueShape& in, const ValueShape& out) {
  const auto source = [&](index o, index tap, index n, index m, index k, index step) {
    const index reach = (k - 1) * w.dilation + 1;
    const index pad = w.padding == Padding::valid ? 0 : std::max<index>((m - 1) * step + reach - n, 0);
    const index i = o * step + tap * w.dilation - pad / 2;
    if (w.padding == Padding::circular) return ((i % n) + n) % n;
    return i >= 0 && i < n ? i : -1;
  };
  std::vector<std::vector<index>> result;
  for (index oh = 0; oh < out.height; ++oh)
    for (index ow = 0; ow < out.width; ++ow) {
      std::vector<index> list;
      for (index th = 0; th < w.kh; ++th)
        for (index tw = 0; tw < w.kw; ++tw) {
          const index ih = source(oh, th, in.height, out.height, w.kh, w.sh);
          const index iw = source(ow, tw, in.width, out.width, w.kw, w.sw);
          list.push_back(ih < 0 || iw < 0 ? -1 : ih * in.width + iw);
        }
      result.push_back(list);
    }
  return result;
}

/// M'[p,q] = mean over the taps t of M[p + t, q + t], 0 outside.
Pairs shift(const Pairs& m, const std::vector<std::vector<index>>& window) {
  Pairs out(static_cast<index>(window.size()));
  for (index p = 0; p < out.n(); ++p)
    for (index q = 0; q < out.n(); ++q) {
      const auto &x = window[static_cast<std::size_t>(p)], &y = window[static_cast<std::size_t>(q)];
      Taped sum;
      for (std::size_t t = 0; t < x.size(); ++t)
        if (x[t] >= 0 && y[t] >= 0) sum = sum + m(x[t], y[t]);
      out(p, q) = sum * Taped(1 / static_cast<double>(x.size()));
    }
  return out;
}

/// M'[p,q] = sum over the taps t and t' of M[p + t, q + t'], divided on each side.
Pairs pool(const Pairs& m, const std::vector<std::vector<index>>& window, Divisor divisor) {
  const auto share = [&](const std::vector<index>& list) {
    if (divisor == Divisor::none) return 1.0;
    double n = 0;
    for (const index i : list) n += divisor == Divisor::window || i >= 0 ? 1 : 0;
    return 1 / n;
  };
  Pairs out(static_cast<index>(window.size()));
  for (index p = 0; p < out.n(); ++p)
    for (index q = 0; q < out.n(); ++q) {
      const auto &x = window[static_cast<std::size_t>(p)], &y = window[static_cast<std::size_t>(q)];
      Taped sum;
      for (const index i : x)
        for (const index j : y)
          if (i >= 0 && j >= 0) sum = sum + m(i, j);
      out(p, q) = sum * Taped(share(x) * share(y));
    }
  return out;
}

/// The mean over all pairs of positions, or over equal ones.
Pairs mean(const Pairs& m, bool all) {
  Pairs out(1);
  for (index p = 0; p < m.n(); ++p)
    for (index q = all ? 0 : p; q < (all ? m.n() : p + 1); ++q) out(0, 0) = out(0, 0) + m(p, q);
  const double n = static_cast<double>(m.n());
  out(0, 0) = out(0, 0) * Taped(1 / (all ? n * n : n));
  return out;
}

/// One layer of layers.def at every pair of positions: a and b are the variances on the two sides.
State pointwise(const ChainLayer& layer, const State& in) {
  State out{Pairs(in.xy.n()), Pairs(in.xy.n()), Pairs(in.xy.n()), Pairs(in.xy.n())};
  layers::visit(layer.kind, [&](auto l) {
    using L = decltype(l);
    const auto run = [&](Taped q, Taped t, Taped a, Taped b) {
      return L::textbook(Covariance<Taped>{q, t, a, b}, layer.params.data());
    };
    for (index p = 0; p < in.xy.n(); ++p) {
      double unused[2][kMaxCoefficients];  // sample() checks that the layer's expectations exist
      for (const Pairs* side : {&in.xx, &in.yy})
        L::sample({(*side)(p, p).v, 0}, layer.params.data(), unused[0], unused[1]);
      for (index q = 0; q < in.xy.n(); ++q) {
        out.xx(p, q) = run(in.xx(p, q), Taped(), in.xx(p, p), in.xx(q, q)).q;
        out.yy(p, q) = run(in.yy(p, q), Taped(), in.yy(p, p), in.yy(q, q)).q;
        const Covariance<Taped> cross = run(in.xy(p, q), in.t(p, q), in.xx(p, p), in.yy(q, q));
        out.xy(p, q) = cross.q;
        out.t(p, q) = cross.t;
      }
    }
  });
  return out;
}

/// M'[p,q] = M[p,q] / sqrt((v[p] + eps)(w[q] + eps)), v and w the variances, or their mean over positions.
State normalise(const Op& op, const State& in) {
  std::vector<Taped> v[2];
  for (int side = 0; side < 2; ++side) {
    const Pairs& own = side == 0 ? in.xx : in.yy;
    for (index p = 0; p < own.n(); ++p)
      v[side].push_back((op.all_positions ? mean(own, false)(0, 0) : own(p, p)) + Taped(op.eps));
  }
  return each(in, [&](const Pairs& m, int x, int y) {
    Pairs out(m.n());
    for (index p = 0; p < m.n(); ++p)
      for (index q = 0; q < m.n(); ++q)
        out(p, q) = m(p, q) / sqrt_or_zero(v[x][static_cast<std::size_t>(p)] * v[y][static_cast<std::size_t>(q)]);
    return out;
  });
}

State sum(const State& one, const State& two) {
  State out = one;
  const auto add = [](Pairs& to, const Pairs& from) {
    for (index p = 0; p < to.n(); ++p)
      for (index q = 0; q < to.n(); ++q) to(p, q) = to(p, q) + from(p, q);
  };
  add(out.xx, two.xx);
  add(out.xy, two.xy);
  add(out.yy, two.yy);
  add(out.t, two.t);
  return out;
}

/// K = K1 K2, T = T1 K2 + K1 T2.
State product(const State& one, const State& two) {
  State out = one;
  for (index p = 0; p < one.xy.n(); ++p)
    for (index q = 0; q < one.xy.n(); ++q) {
      out.xx(p, q) = one.xx(p, q) * two.xx(p, q);
      out.xy(p, q) = one.xy(p, q) * two.xy(p, q);
      out.yy(p, q) = one.yy(p, q) * two.yy(p, q);
      out.t(p, q) = one.t(p, q) * two.xy(p, q) + one.xy(p, q) * two.t(p, q);
    }
  return out;
}

State run(const Program& program, const Op& op, const ValueShape& out, const std::vector<State>& values) {
  const State& in = values[static_cast<std::size_t>(op.in)];
  const ValueShape& shape = program.values[static_cast<std::size_t>(op.in)];
  switch (op.type) {
    case Operation::pointwise:
      return pointwise(op.layer, in);
    case Operation::shift: {
      const auto window = taps(op.window, shape, out);
      return each(in, [&](const Pairs& m, int, int) { return shift(m, window); });
    }
    case Operation::pool: {
      const auto window = taps(op.window, shape, out);
      return each(in, [&](const Pairs& m, int, int) { return pool(m, window, op.divisor); });
    }
    case Operation::mean:
    case Operation::flatten:
      return each(in, [&](const Pairs& m, int, int) { return mean(m, op.type == Operation::mean); });
    case Operation::normalise:
      return normalise(op, in);
    case Operation::sum:
      return sum(in, values[static_cast<std::size_t>(op.other)]);
    case Operation::product:
      return product(in, values[static_cast<std::size_t>(op.other)]);
  }
  return in;
}

/// Inner products of the channels of positions, divided by their number.
Pairs inputs(const std::vector<Taped>& x, const std::vector<Taped>& y, index channels) {
  Pairs out(static_cast<index>(x.size()) / channels);
  for (index p = 0; p < out.n(); ++p)
    for (index q = 0; q < out.n(); ++q) {
      for (index c = 0; c < channels; ++c)
        out(p, q) =
            out(p, q) + x[static_cast<std::size_t>(p * channels + c)] * y[static_cast<std::size_t>(q * channels + c)];
      out(p, q) = out(p, q) * Taped(1 / static_cast<double>(channels));
    }
  return out;
}

/// The last value: both kernels.
State run_all(const Program& program, const std::vector<Taped>& x, const std::vector<Taped>& y) {
  const index channels = program.input.channels;
  std::vector<State> values;
  values.push_back({inputs(x, x, channels), inputs(x, y, channels), inputs(y, y, channels),
                    Pairs(static_cast<index>(x.size()) / channels)});
  for (std::size_t k = 0; k < program.ops.size(); ++k)
    values.push_back(run(program, program.ops[k], program.values[k + 1], values));
  return values.back();
}

}  // namespace

template <class R>
void reference_image_tile(const ImageTile<R>& tile) {
  for (index i = 0; i < tile.x.rows; ++i) {
    std::vector<double> dx(static_cast<std::size_t>(tile.x.cols), 0.0);
    for (index j = 0; j < tile.y.rows; ++j) {
      Tape tape;
      std::vector<Taped> x, y;
      for (index k = 0; k < tile.x.cols; ++k) {
        const auto pixel = static_cast<double>(tile.x(i, k));
        x.push_back(tile.cotangent.empty() ? Taped(pixel) : Taped(pixel, tape));
        y.push_back(Taped(static_cast<double>(tile.y(j, k))));
      }
      const State last = run_all(*tile.program, x, y);
      const Taped value = tile.output == Output::ntk ? last.t(0, 0) : last.xy(0, 0);
      if (!tile.nngp.empty()) tile.nngp(i, j) = static_cast<R>(last.xy(0, 0).v);
      if (!tile.value.empty()) tile.value(i, j) = static_cast<R>(value.v);
      if (tile.cotangent.empty()) continue;
      const std::vector<double> grad = tape.derivatives(value.id);
      for (std::size_t k = 0; k < dx.size(); ++k) dx[k] += static_cast<double>(tile.cotangent(i, j)) * grad[k];
    }
    if (!tile.dx.empty())
      for (index k = 0; k < tile.dx.cols; ++k) tile.dx(i, k) = static_cast<R>(dx[static_cast<std::size_t>(k)]);
  }
}
template void reference_image_tile(const ImageTile<float>&);
template void reference_image_tile(const ImageTile<double>&);

std::size_t reference_image_bytes(const Program& program, bool gradient) {
  // A pointwise operation records some 40 steps for a pair of positions, of each of the matrices made from x.
  constexpr std::size_t kMatrices = 4, kSteps = 120, kStepBytes = 32;
  std::size_t pairs = 0;
  for (const ValueShape& v : program.values) pairs += static_cast<std::size_t>(v.positions() * v.positions());
  return pairs * (kMatrices * sizeof(Taped) + (gradient ? kSteps * kStepBytes : 0));
}

}  // namespace ntkrob
