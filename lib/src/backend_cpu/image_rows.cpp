/// The operations of a Program on one pair of samples, or on one x and several y: values, and adjoints in reverse.
/// Compiled once per instruction set (NTKROB_ISA), as simd.cpp is.
#include "backend_cpu/image.hpp"
#include "backend_cpu/vec.hpp"
#include "backend_cpu/vec_math.hpp"
#include "layers/all.hpp"

namespace ntkrob::NTKROB_ISA {
namespace {

/// What one row of a pointwise operation works on; rows differ in their pointers only.
template <class R>
struct Row {
  index n;
  bool line;
  const R *d, *t;
  R *d_out, *t_out;
  const R *x_root, *x_root_out, *y_root, *y_root_out;
  const R *x, *dx, *y;
  index x_next, y_next;
  R *gd, *gt;
  const R *gd_out, *gt_out;
  double *root_grad, *root_out_grad, *log_grad;
};

/// A quantity of x: along a line, or the same for the whole row.
template <class R>
inline Vec<R> of_x(const Row<R>& r, const R* p, index j) {
  return r.line ? Vec<R>::load(p + j) : Vec<R>(*p);
}

/// Gap and normalised tangent kernel of a vector of pairs.
template <class R>
struct Normal {
  using V = Vec<R>;
  V a, b, inverse, u, t;

  Normal(const Row<R>& r, index j) : a(of_x(r, r.x_root, j)), b(V::load(r.y_root + j)) {
    const V product = a * b;
    const V safe = select_greater(product, V(0), product, V(1));
    inverse = select_greater(product, V(0), V(V(1).v / safe.v), V(0));
    const V difference = a - b;
    const V gap = max_with_zero(V(0.5) * (V::load(r.d + j) - difference * difference) * inverse);
    // Where a variance is 0 the angle counts as a right one.
    u = select_greater(product, V(0), min(gap, V(2)), V(1));
    t = V::load(r.t + j) * inverse;
  }
};

/// The pointwise layer that changes neither gap nor normalised tangent kernel: layer norm.
struct Unchanged {
  static constexpr int kCoefficients = 0;
  template <class V>
  static void value(PairValue<V>&, const V*, const V*) {}
  template <class V>
  static void gradient(PairGradient<V>&, const V*, const V*, const V*) {}
};

template <class L, class R>
void pointwise_row(const Row<R>& r) {
  using V = Vec<R>;
  constexpr int n = L::kCoefficients;
  for (index j = 0; j < r.n; j += V::kLanes) {
    const Normal<R> in(r, j);
    V x[n + 1], y[n + 1];
    for (int k = 0; k < n; ++k) {
      x[k] = of_x(r, r.x + k * r.x_next, j);
      y[k] = V::load(r.y + k * r.y_next + j);
    }
    PairValue<V> s;
    s.u = in.u;
    s.t = in.t;
    L::value(s, x, y);
    const V a = of_x(r, r.x_root_out, j), b = V::load(r.y_root_out + j), difference = a - b, product = a * b;
    fma(difference, difference, V(2) * product * s.u).store(r.d_out + j);
    (product * s.t).store(r.t_out + j);
  }
}

/// Adds a vector to the numbers of a line, or its sum to the number of a row.
template <class R>
inline void add_to(const Row<R>& r, double* target, index j, Vec<R> v) {
  if (!r.line) {
    *target += static_cast<double>(sum_of_lanes(v));
    return;
  }
  for (int l = 0; l < Vec<R>::kLanes; ++l) target[j + l] += static_cast<double>(v.v[l]);
}

template <class L, class R>
void pointwise_row_back(const Row<R>& r) {
  using V = Vec<R>;
  constexpr int n = L::kCoefficients;
  V zero[n + 1];
  for (int k = 0; k < n; ++k) zero[k] = V(0);
  for (index j = 0; j < r.n; j += V::kLanes) {
    const Normal<R> in(r, j);
    V x[n + 1], dx[n + 1], y[n + 1];
    for (int k = 0; k < n; ++k) {
      x[k] = of_x(r, r.x + k * r.x_next, j);
      dx[k] = of_x(r, r.dx + k * r.x_next, j);
      y[k] = V::load(r.y + k * r.y_next + j);
    }
    // Derivatives of the layer by u (d) and by log a (e); then by t.
    PairGradient<V> s{in.u, in.t, V(1), V(0), V(0), V(0)}, by_t{in.u, in.t, V(0), V(1), V(0), V(0)};
    L::gradient(s, x, dx, y);
    L::gradient(by_t, x, zero, y);
    const V a = of_x(r, r.x_root_out, j), b = V::load(r.y_root_out + j), product = a * b;
    const V gd_out = V::load(r.gd_out + j), gt_out = V::load(r.gt_out + j);
    const V gu_out = V(2) * product * gd_out, gs_out = product * gt_out;
    const V gu = fma(gu_out, s.du, gs_out * s.dt), gs = gs_out * by_t.dt;
    fma(V(0.5) * gu, in.inverse, V::load(r.gd + j)).store(r.gd + j);
    fma(gs, in.inverse, V::load(r.gt + j)).store(r.gt + j);
    const V inverse_a = in.b * in.inverse;
    add_to(r, r.root_grad, j, -fma(gu, fma(in.a - in.b, in.inverse, in.u * inverse_a), gs * in.t * inverse_a));
    add_to(r, r.root_out_grad, j, fma(V(2) * gd_out, fma(b, s.u, a - b), gt_out * b * s.t));
    add_to(r, r.log_grad, j, fma(gu_out, s.eu, gs_out * s.et));
  }
}

template <class L, class R>
void pointwise(const ImageStep<R>& step, const ImageValue<R>& in, const ImageValue<R>& out, bool back) {
  for (index p = 0; p < in.rows; ++p) {
    const index at = p * in.stride, y_at = p * in.y_row;
    Row<R> r{};
    r.n = in.stride;
    r.line = in.line;
    r.d = in.d + at;
    r.t = in.t + at;
    r.d_out = out.d + at;
    r.t_out = out.t + at;
    r.x_root = in.x_root + p;
    r.x_root_out = out.x_root + p;
    r.y_root = in.y_root + y_at;
    r.y_root_out = out.y_root + y_at;
    r.x = step.x + p;
    r.dx = step.dx + p;
    r.y = step.y + y_at;
    r.x_next = step.x_next;
    r.y_next = step.y_next;
    if (!back) {
      pointwise_row<L>(r);
      continue;
    }
    r.gd = in.gd + at;
    r.gt = in.gt + at;
    r.gd_out = out.gd + at;
    r.gt_out = out.gt + at;
    r.root_grad = in.x_root_grad + p;
    r.root_out_grad = out.x_root_grad + p;
    r.log_grad = step.x_log_grad + p;
    pointwise_row_back<L>(r);
  }
}

template <class R>
inline void add(const R* from, index n, R* to) {
  for (index k = 0; k < n; ++k) to[k] += from[k];
}
template <class R>
inline void scale(R factor, index n, R* to) {
  for (index k = 0; k < n; ++k) to[k] *= factor;
}
template <class R>
inline void clear(R* p, index n) {
  for (index k = 0; k < n; ++k) p[k] = R(0);
}

/// One axis of a window: which input index tap t of output index o reads, or -1 outside.
struct Axis {
  index in, out, taps, step, dilation, low;
  bool circular;

  index source(index o, index tap) const {
    const index i = o * step + tap * dilation - low;
    if (circular) return ((i % in) + in) % in;
    return i >= 0 && i < in ? i : -1;
  }
};

template <class R>
Axis axis_h(const ImageStep<R>& s, const ImageValue<R>& in, const ImageValue<R>& out) {
  return {in.height,
          out.height,
          s.window.kh,
          s.window.sh,
          s.window.dilation,
          s.low_h,
          s.window.padding == Padding::circular};
}
template <class R>
Axis axis_w(const ImageStep<R>& s, const ImageValue<R>& in, const ImageValue<R>& out) {
  return {
      in.width, out.width, s.window.kw, s.window.sw, s.window.dilation, s.low_w, s.window.padding == Padding::circular};
}

/// to += from, or from += to in the adjoint.
template <bool back, class R>
inline void move(R* from, index n, R* to) {
  if (back)
    add<R>(to, n, from);
  else
    add<R>(from, n, to);
}
/// The same with a step on the side of `from`.
template <bool back, class R>
inline void move_strided(R* from, index step, index n, R* to) {
  if (step == 1) return move<back>(from, n, to);
  for (index k = 0; k < n; ++k)
    if (back)
      from[k * step] += to[k];
    else
      to[k] += from[k * step];
}

/// One row of an axis, out[o] += sum over taps of in[source]: the part of tap `tap`, inside the image.
template <bool back, class R>
inline void shift_line(const Axis& w, index tap, R* from, R* to) {
  const index offset = tap * w.dilation - w.low;
  if (w.circular) {
    for (index o = 0; o < w.out; ++o) {
      R* source = from + w.source(o, tap);
      if (back)
        *source += to[o];
      else
        to[o] += *source;
    }
    return;
  }
  index first = 0;
  while (first < w.out && first * w.step + offset < 0) ++first;
  index end = w.out;
  while (end > first && (end - 1) * w.step + offset >= w.in) --end;
  if (end > first) move_strided<back>(from + first * w.step + offset, w.step, end - first, to + first);
}

/// Variances around a shift of distances: outside the image the state is 0, so where a tap is inside on one side only,
/// the distance is that side's variance. `half`: between the passes.
template <class R>
struct Border {
  R *a, *b, *a_grad;                 // by input position
  R *a_half, *b_half, *a_half_grad;  // out.height x in.width

  Border(R* memory, const ImageValue<R>& in, const Axis& h, index width) {
    const index n = in.height * in.width, m = h.out * width;
    a = memory;
    b = a + n;
    a_grad = b + n;
    a_half = a_grad + n;
    b_half = a_half + m;
    a_half_grad = b_half + m;
    clear(a_grad, n);
    clear(a_half, 3 * m);
    for (index p = 0; p < n; ++p) {
      a[p] = in.x_root[p] * in.x_root[p];
      b[p] = in.y_root[p] * in.y_root[p];
    }
    for (index o = 0; o < h.out; ++o)
      for (index tap = 0; tap < h.taps; ++tap) {
        const index i = h.source(o, tap);
        if (i < 0) continue;
        add(a + i * width, width, a_half + o * width);
        add(b + i * width, width, b_half + o * width);
      }
  }

  /// The adjoint of the sums above, and of the squares.
  void finish(const ImageValue<R>& in, const Axis& h, index width) {
    for (index o = 0; o < h.out; ++o)
      for (index tap = 0; tap < h.taps; ++tap) {
        const index i = h.source(o, tap);
        if (i >= 0) add(a_half_grad + o * width, width, a_grad + i * width);
      }
    for (index p = 0; p < in.height * in.width; ++p)
      in.x_root_grad[p] += 2 * static_cast<double>(in.x_root[p]) * static_cast<double>(a_grad[p]);
  }
};

template <class R>
inline void add_number(R value, index n, R* to) {
  for (index k = 0; k < n; ++k) to[k] += value;
}
template <class R>
inline R sum_of(const R* p, index n) {
  R total = 0;
  for (index k = 0; k < n; ++k) total += p[k];
  return total;
}

/// The same tap on both sides, first along heights, then along widths. from: the input array, to: the output array.
/// border: for distances, or null.
template <bool back, class R>
void shift_full(const ImageStep<R>& s, const ImageValue<R>& in, const ImageValue<R>& out, R* from, R* to,
                bool distances) {
  const Axis h = axis_h(s, in, out), w = axis_w(s, in, out);
  // Between the passes: out.height x in.width positions of x, by the same of y.
  const index row = h.out * w.in;
  R* middle = s.scratch;
  clear(middle, row * row);
  Border<R> border(middle + row * row, in, h, w.in);
  const auto heights = [&] {
    for (index tap = 0; tap < h.taps; ++tap)
      for (index px = 0; px < h.out; ++px) {
        const index sx = h.source(px, tap);
        for (index c = 0; c < w.in; ++c)
          for (index py = 0; py < h.out; ++py) {
            const index sy = h.source(py, tap);
            R* half = middle + (px * w.in + c) * row + py * w.in;
            if (sx >= 0 && sy >= 0) {
              move<back>(from + (sx * w.in + c) * in.stride + sy * w.in, w.in, half);
            } else if (distances && sx >= 0) {
              if (back)
                border.a_grad[sx * w.in + c] += sum_of(half, w.in);
              else
                add_number(border.a[sx * w.in + c], w.in, half);
            } else if (distances && sy >= 0 && !back) {
              add(border.b + sy * w.in, w.in, half);
            }
          }
      }
  };
  const auto widths = [&] {
    for (index tap = 0; tap < w.taps; ++tap)
      for (index r = 0; r < h.out; ++r)
        for (index px = 0; px < w.out; ++px) {
          const index sx = w.source(px, tap);
          for (index py = 0; py < h.out; ++py) {
            R* target = to + (r * w.out + px) * out.stride + py * w.out;
            if (sx >= 0) shift_line<back>(w, tap, middle + (r * w.in + sx) * row + py * w.in, target);
            if (!distances || s.window.padding != Padding::same) continue;
            for (index o = 0; o < w.out; ++o) {
              const index sy = w.source(o, tap);
              if (sx >= 0 && sy < 0) {
                if (back)
                  border.a_half_grad[r * w.in + sx] += target[o];
                else
                  target[o] += border.a_half[r * w.in + sx];
              } else if (sx < 0 && sy >= 0 && !back) {
                target[o] += border.b_half[py * w.in + sy];
              }
            }
          }
        }
  };
  if (back) {
    widths();
    heights();
    if (distances) border.finish(in, h, w.in);
  } else {
    heights();
    widths();
  }
}

/// Positions are rows: lanes of samples.
template <bool back, class R>
void shift_lanes(const ImageStep<R>& s, const ImageValue<R>& in, const ImageValue<R>& out, R* from, R* to) {
  const Axis h = axis_h(s, in, out), w = axis_w(s, in, out);
  const index n = in.stride;
  R* middle = s.scratch;
  clear(middle, h.out * w.in * n);
  const auto heights = [&] {
    for (index o = 0; o < h.out; ++o)
      for (index tap = 0; tap < h.taps; ++tap) {
        const index i = h.source(o, tap);
        if (i >= 0) move<back>(from + i * w.in * n, w.in * n, middle + o * w.in * n);
      }
  };
  const auto widths = [&] {
    for (index r = 0; r < h.out; ++r)
      for (index o = 0; o < w.out; ++o)
        for (index tap = 0; tap < w.taps; ++tap) {
          const index i = w.source(o, tap);
          if (i >= 0) move<back>(middle + (r * w.in + i) * n, n, to + (r * w.out + o) * n);
        }
  };
  if (back) {
    widths();
    heights();
  } else {
    heights();
    widths();
  }
}

/// One line of positions, x and y moving together.
template <bool back, class R>
void shift_positions(const ImageStep<R>& s, const ImageValue<R>& in, const ImageValue<R>& out, R* from, R* to) {
  const Axis h = axis_h(s, in, out), w = axis_w(s, in, out);
  for (index o = 0; o < h.out; ++o)
    for (index th = 0; th < h.taps; ++th) {
      const index i = h.source(o, th);
      if (i < 0) continue;
      for (index tw = 0; tw < w.taps; ++tw) shift_line<back>(w, tw, from + i * w.in, to + o * w.out);
    }
}

template <class R>
void shift(const ImageStep<R>& s, const ImageValue<R>& in, const ImageValue<R>& out, R* from, R* to, bool distances,
           bool back) {
  const R inverse = R(1) / static_cast<R>(s.window.kh * s.window.kw);
  const index n = out.rows * out.stride;
  if (back) scale(inverse, n, to);  // the adjoint of the output is used up here
  if (in.full)
    back ? shift_full<true>(s, in, out, from, to, distances) : shift_full<false>(s, in, out, from, to, distances);
  else if (in.line)
    back ? shift_positions<true>(s, in, out, from, to) : shift_positions<false>(s, in, out, from, to);
  else
    back ? shift_lanes<true>(s, in, out, from, to) : shift_lanes<false>(s, in, out, from, to);
  if (!back) scale(inverse, n, to);
}

/// Sums over the window of y's positions within one row, heights and widths in turn.
template <bool back, class R>
void pool_row(const Axis& h, const Axis& w, R* middle, R* from, R* to) {
  clear(middle, h.out * w.in);
  const auto heights = [&] {
    for (index o = 0; o < h.out; ++o)
      for (index tap = 0; tap < h.taps; ++tap) {
        const index i = h.source(o, tap);
        if (i >= 0) move<back>(from + i * w.in, w.in, middle + o * w.in);
      }
  };
  const auto widths = [&] {
    for (index o = 0; o < h.out; ++o)
      for (index tap = 0; tap < w.taps; ++tap) shift_line<back>(w, tap, middle + o * w.in, to + o * w.out);
  };
  if (back) {
    widths();
    heights();
  } else {
    heights();
    widths();
  }
}

/// Windows on both sides: x's positions (whole rows), then y's inside each row. The output may need p = q only.
template <bool back, class R>
void pool_both(const ImageStep<R>& s, const ImageValue<R>& in, const ImageValue<R>& out, R* from, R* to, R* scratch) {
  const Axis h = axis_h(s, in, out), w = axis_w(s, in, out);
  const index positions = h.out * w.out;
  R *sums = scratch, *row = sums + in.stride, *middle = row + positions;
  for (index oh = 0; oh < h.out; ++oh)
    for (index ow = 0; ow < w.out; ++ow) {
      const index o = oh * w.out + ow;
      const R inverse_x = s.inverse_h[oh] * s.inverse_w[ow];
      const auto x_side = [&] {
        for (index th = 0; th < h.taps; ++th)
          for (index tw = 0; tw < w.taps; ++tw) {
            const index ih = h.source(oh, th), iw = w.source(ow, tw);
            if (ih >= 0 && iw >= 0) move<back>(from + (ih * w.in + iw) * in.stride, in.cols, sums);
          }
      };
      const auto weight = [&](index q) { return inverse_x * s.inverse_h[q / w.out] * s.inverse_w[q % w.out]; };
      clear(sums, in.cols);
      clear(row, positions);
      if (back) {
        if (out.full)
          for (index q = 0; q < positions; ++q) row[q] = to[o * out.stride + q] * weight(q);
        else
          row[o] = to[o] * weight(o);
        pool_row<true>(h, w, middle, sums, row);
        x_side();
      } else {
        x_side();
        pool_row<false>(h, w, middle, sums, row);
        if (out.full)
          for (index q = 0; q < positions; ++q) to[o * out.stride + q] = row[q] * weight(q);
        else
          to[o] = row[o] * weight(o);
      }
    }
}

/// Distances are pooled as covariances K = (a + b - D) / 2: borders may weigh a and b differently.
template <class R>
void pool_distances(const ImageStep<R>& s, const ImageValue<R>& in, const ImageValue<R>& out, bool back) {
  R* k = s.scratch;
  R* rest = k + in.rows * in.stride;
  if (back) {
    clear(k, in.rows * in.stride);
    for (index p = 0; p < out.rows; ++p)
      for (index q = 0; q < out.cols; ++q) {
        const index at = out.full ? p : q;
        R& g = out.gd[p * out.stride + q];
        out.x_root_grad[at] += 2 * static_cast<double>(out.x_root[at]) * static_cast<double>(g);
        g *= R(-2);
      }
    pool_both<true>(s, in, out, k, out.gd, rest);
    for (index p = 0; p < in.rows; ++p)
      for (index q = 0; q < in.cols; ++q) {
        const R g = k[p * in.stride + q];
        in.gd[p * in.stride + q] -= R(0.5) * g;
        in.x_root_grad[p] += static_cast<double>(in.x_root[p]) * static_cast<double>(g);
      }
    return;
  }
  for (index p = 0; p < in.rows; ++p)
    for (index q = 0; q < in.stride; ++q)
      k[p * in.stride + q] =
          R(0.5) * (in.x_root[p] * in.x_root[p] + in.y_root[q] * in.y_root[q] - in.d[p * in.stride + q]);
  pool_both<false>(s, in, out, k, out.d, rest);
  for (index p = 0; p < out.rows; ++p)
    for (index q = 0; q < out.cols; ++q) {
      const R a = out.x_root[out.full ? p : q], b = out.y_root[q];
      R& d = out.d[p * out.stride + q];
      d = a * a + b * b - 2 * d;
    }
}

/// One position from all: mean over pairs, or over p = q.
template <class R>
void reduce(const ImageStep<R>& s, const ImageValue<R>& in, const ImageValue<R>& out, R* from, R* to, bool back) {
  const index positions = in.height * in.width;
  if (!in.full && !in.line) {  // lanes of samples
    const R inverse = R(1) / static_cast<R>(positions);
    for (index p = 0; p < positions; ++p)
      for (index j = 0; j < in.stride; ++j)
        if (back)
          from[p * in.stride + j] += inverse * to[j];
        else
          to[j] += inverse * from[p * in.stride + j];
    return;
  }
  const bool pairs = s.type == Operation::mean && in.full;
  const double n = static_cast<double>(positions), inverse = 1 / (pairs ? n * n : n);
  double total = 0;
  const R share = static_cast<R>(inverse * static_cast<double>(to[0]));
  for (index p = 0; p < positions; ++p) {
    R* row = in.full ? from + p * in.stride : from;
    const index first = pairs ? 0 : p, end = pairs ? positions : p + 1;
    for (index q = first; q < end; ++q)
      if (back)
        row[q] += share;
      else
        total += static_cast<double>(row[q]);
  }
  static_cast<void>(out);
  if (!back) to[0] = static_cast<R>(inverse * total);
}

template <class R>
void linear(const ImageStep<R>& s, const ImageValue<R>& in, const ImageValue<R>& out, R* from, R* to, bool distances,
            bool back) {
  if (!back) clear(to, out.rows * out.stride);
  switch (s.type) {
    case Operation::shift:
      return shift(s, in, out, from, to, distances, back);
    default:
      return reduce(s, in, out, from, to, back);
  }
}

template <class R>
void run(const ImageStep<R>& s, ImageValue<R>* values, bool back) {
  const ImageValue<R>&in = values[s.in], &out = values[s.out];
  const index n = out.rows * out.stride;
  switch (s.type) {
    case Operation::pointwise:
      return layers::visit(s.layer.kind, [&](auto layer) { pointwise<decltype(layer)>(s, in, out, back); });
    case Operation::normalise:
      return pointwise<Unchanged>(s, in, out, back);
    case Operation::sum: {
      const ImageValue<R>& other = values[s.other];
      for (index k = 0; k < n; ++k) {
        if (back) {
          in.gd[k] += out.gd[k];
          in.gt[k] += out.gt[k];
          other.gd[k] += out.gd[k];
          other.gt[k] += out.gt[k];
        } else {
          out.d[k] = in.d[k] + other.d[k];
          out.t[k] = in.t[k] + other.t[k];
        }
      }
      return;
    }
    case Operation::pool:
      if (!back) {
        clear(out.d, n);
        clear(out.t, n);
        pool_distances(s, in, out, back);
        return pool_both<false>(s, in, out, in.t, out.t, s.scratch);
      }
      pool_distances(s, in, out, back);
      return pool_both<true>(s, in, out, in.gt, out.gt, s.scratch);
    default:
      linear(s, in, out, back ? in.gd : in.d, back ? out.gd : out.d, true, back);
      linear(s, in, out, back ? in.gt : in.t, back ? out.gt : out.t, false, back);
  }
}

/// D of the inputs, T = 0; or the derivative by x from D's adjoint.
template <class R>
void inputs(const ImageJob<R>& job, bool back) {
  const ImageValue<R>& v = job.values[0];
  const index c = job.channels;
  const R inverse = R(1) / static_cast<R>(c);
  const double factor = 2.0 / static_cast<double>(c);
  for (index p = 0; p < v.rows; ++p) {
    R* d = v.d + p * v.stride;
    if (!back) {
      clear(d, v.stride);
      clear(v.t + p * v.stride, v.stride);
    }
    for (index k = 0; k < c; ++k) {
      const R* y = job.y + k * job.y_plane + p * v.y_row;
      if (!back) {
        for (index q = 0; q < v.cols; ++q) {
          const R difference = job.x[(v.line ? q : p) * c + k] - y[q];
          d[q] += inverse * difference * difference;
        }
        continue;
      }
      const R* gd = v.gd + p * v.stride;
      for (index q = 0; q < v.cols; ++q) {
        const index at = (v.line ? q : p) * c + k;
        job.dx[at] +=
            factor * static_cast<double>(gd[q]) * (static_cast<double>(job.x[at]) - static_cast<double>(y[q]));
      }
    }
  }
}

template <class R>
void forward(const ImageJob<R>& job, int begin, int end) {
  if (begin == 0) inputs(job, false);
  for (int k = begin; k < end; ++k) run(job.steps[k], job.values, false);
}

template <class R>
void backward(const ImageJob<R>& job, int end) {
  for (int k = end - 1; k >= 0; --k) run(job.steps[k], job.values, true);
  inputs(job, true);
}

}  // namespace

extern const ImageFunctions<float> kImageFloat;
const ImageFunctions<float> kImageFloat{&forward<float>, &backward<float>};
extern const ImageFunctions<double> kImageDouble;
const ImageFunctions<double> kImageDouble{&forward<double>, &backward<double>};

}  // namespace ntkrob::NTKROB_ISA
