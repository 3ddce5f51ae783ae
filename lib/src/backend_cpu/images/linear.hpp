/// Operations that mix positions: windows, pooling, means; forward, and their adjoints with the same loops turned
/// round. Included by steps.cpp only.
#pragma once

#include "backend_cpu/images/steps.hpp"

namespace ntkrob::NTKROB_ISA {
namespace {

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

/// One pass after the other, in the adjoint the other way round.
template <bool back, class First, class Second>
inline void in_turn(const First& first, const Second& second) {
  if (back) {
    second();
    first();
  } else {
    first();
    second();
  }
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
  in_turn<back>(heights, widths);
  if (back && distances) border.finish(in, h, w.in);
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
  in_turn<back>(heights, widths);
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
  in_turn<back>(heights, widths);
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
void reduce(const ImageStep<R>& s, const ImageValue<R>& in, R* from, R* to, bool back) {
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
      return reduce(s, in, from, to, back);
  }
}

}  // namespace
}  // namespace ntkrob::NTKROB_ISA
