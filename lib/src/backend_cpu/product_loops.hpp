/// The loops of a product with a packed right-hand operand, for any way of reading operands. Included once per
/// instruction set, as vec.hpp is.
///
/// A way of reading is a class `Op`: Number (of the result), Lanes (a vector of cells), kPerCell (numbers of the inner
/// length in one cell), kInner (numbers), load, broadcast, add_product, read. products.cpp has the numbers
/// themselves, products_bf16.cpp pairs of bfloat16. A cell has the size of a Number, whose type carries its bits.
#pragma once

#include "backend_cpu/vec.hpp"
#include "ntkrob/base/view.hpp"

namespace ntkrob::NTKROB_ISA {

/// Registers hold kRows x kVectors accumulators, one row of panels and one broadcast.
#if defined(__AVX512F__)
constexpr int kRows = 14;
#else
constexpr int kRows = 6;
#endif
constexpr int kVectors = 2;
/// Rows and columns of c worked on together: a panel is read once for all rows, c stays in the cache between inner
/// ranges.
constexpr index kRowBlock = 6 * kRows;
constexpr index kColumnBlock = 1024;

template <class R>
constexpr int kWidth = kVectors* Vec<R>::kLanes;

/// The share of the next panel that one tile of rows brings into the second-level cache on the way: four tiles bring it
/// whole.
template <class R>
constexpr index kAhead = kWidth<R> / 4;

/// Cells of an inner length of k numbers.
template <class Op>
constexpr index cells(index k) {
  return (k + Op::kPerCell - 1) / Op::kPerCell;
}

/// Whether rows this far apart fall onto few sets of the first-level cache.
template <class R>
constexpr bool collides(index stride) {
  return static_cast<std::size_t>(stride) * sizeof(R) % 512 == 0;
}

/// One tile of c: alpha a b + beta c, with a: rows x k cells and b: a panel from row 0 of its inner length.
template <class R>
struct Tile {
  R alpha;
  const R* a;
  index a_stride;
  const R* b;
  index b_step;  // distance of its rows, where that is not the width
  index k;
  R beta;
  R* c;
  index c_stride;
  index cols;  // of c: at most the width of the panel, whose padding goes nowhere
  const R* ahead;
};

/// `vectors` of the panel's columns, the first ones.   transpose: a is k x rows   apart: rows of b lie b_step apart
template <class Op, bool transpose, bool apart, int rows, int vectors>
void micro(const Tile<typename Op::Number>& t) {
  using R = typename Op::Number;
  using V = Vec<R>;
  const R *a = t.a, *b = t.b, *ahead = t.ahead;
  const index stride = t.a_stride, step = apart ? t.b_step : kWidth<R>;
  V sum[rows][vectors];
  for (int i = 0; i < rows; ++i)
    for (int v = 0; v < vectors; ++v) sum[i][v] = V(0);
  for (index p = 0; p < t.k; ++p) {
    if constexpr (!apart) __builtin_prefetch(ahead + p * kAhead<R>, 0, 2);
    typename Op::Lanes right[vectors];
    for (int v = 0; v < vectors; ++v) right[v] = Op::load(b + p * step + v * V::kLanes);
    for (int i = 0; i < rows; ++i) {
      const typename Op::Lanes left = Op::broadcast(transpose ? a + p * stride + i : a + i * stride + p);
      for (int v = 0; v < vectors; ++v) sum[i][v] = Op::add_product(left, right[v], sum[i][v]);
    }
  }
  const V scale(t.alpha), keep(t.beta);
  for (int i = 0; i < rows; ++i)
    for (int v = 0; v < vectors; ++v) {
      const V value = scale * sum[i][v];
      R* to = t.c + i * t.c_stride + v * V::kLanes;
      const index cols = t.cols - v * V::kLanes;
      if (cols >= V::kLanes) {
        (t.beta == R(0) ? value : fma(keep, V::load(to), value)).store(to);
      } else {
        alignas(64) R lanes[V::kLanes];
        value.store(lanes);
        for (index l = 0; l < cols; ++l) to[l] = t.beta == R(0) ? lanes[l] : multiply_add(t.beta, to[l], lanes[l]);
      }
    }
}

template <class Op, bool transpose, bool apart, int vectors, int rows = kRows>
void micro_any(int n, const Tile<typename Op::Number>& t) {
  if constexpr (rows > 0) {
    if (n == rows)
      micro<Op, transpose, apart, rows, vectors>(t);
    else
      micro_any<Op, transpose, apart, vectors, rows - 1>(n, t);
  }
}

/// All rows of a block, in tiles of nearly the same height, for the columns of one panel.   a: the block, b: in t
/// prepare(number of the tile): what is to be brought into the cache on the way, into t.ahead
template <class Op, bool transpose, bool apart, class R, class Prepare>
void tiles(index n, Tile<R>& t, const R* a, R* c, const Prepare& prepare) {
  const index count = (n + kRows - 1) / kRows;
  for (index tile = 0, i = 0; tile < count; ++tile) {
    const index rows = (n - i + count - tile - 1) / (count - tile);
    t.a = transpose ? a + i : a + i * t.a_stride;
    t.c = c + i * t.c_stride;
    prepare(tile);
    if (t.cols > Vec<R>::kLanes)
      micro_any<Op, transpose, apart, kVectors>(static_cast<int>(rows), t);
    else
      micro_any<Op, transpose, apart, 1>(static_cast<int>(rows), t);
    i += rows;
  }
}

/// Cells of the rows of a (or of a^T, from a: k x rows) for an inner range of at most kInner: where they are, if they
/// need no conversion and their distance does not map them onto the same cache sets.
template <class Op, bool transpose = false>
struct LeftBlock {
  using R = typename Op::Number;
  static constexpr index kStride = transpose ? kRowBlock : cells<Op>(Op::kInner) + 64 / sizeof(R);
  alignas(64) R copy[transpose ? cells<Op>(Op::kInner) * kRowBlock : kRowBlock * kStride];
  const R* data;
  index stride;

  LeftBlock(ConstView2D<R> a, index inner, index length) : stride(a.stride) {
    data = transpose ? a.data + inner * stride : a.data + inner;
    if (!Op::kConverts && !collides<R>(stride)) return;
    if constexpr (transpose)
      for (index p = 0; p < length; ++p)
        std::memcpy(copy + p * kStride, data + p * stride, static_cast<std::size_t>(a.cols) * sizeof(R));
    else
      for (index i = 0; i < a.rows; ++i) Op::read(data + i * stride, length, copy + i * kStride);
    data = copy;
    stride = kStride;
  }
};

/// Rows [0, a.rows) and columns [begin, end) of c; everything it touches stays in the second-level cache.
template <class Op, class R>
void multiply_block(R alpha, ConstView2D<R> a, const R* panels, R beta, View2D<R> c, index begin, index end) {
  constexpr index width = kWidth<R>;
  const index k = cells<Op>(a.cols);
  for (index inner = 0; inner < a.cols; inner += Op::kInner) {
    const index numbers = inner + Op::kInner < a.cols ? Op::kInner : a.cols - inner, length = cells<Op>(numbers);
    const LeftBlock<Op> left(a, inner, numbers);
    Tile<R> t{alpha,   nullptr,  left.stride, nullptr, width, length, inner == 0 ? beta : R(1),
              nullptr, c.stride, 0,           nullptr};
    for (index j = begin; j < end; j += width) {
      t.b = panels + j * k + cells<Op>(inner) * width;
      t.cols = j + width < c.cols ? width : c.cols - j;
      const R* next = j + width < end ? t.b + width * k : t.b + width * length;
      tiles<Op, false, false>(a.rows, t, left.data, c.data + j,
                              [&](index tile) { t.ahead = tile < 4 ? next + tile * length * kAhead<R> : t.b; });
    }
  }
}

template <class Op>
void multiply(typename Op::Number alpha, ConstView2D<typename Op::Number> a, const typename Op::Number* panels,
              typename Op::Number beta, View2D<typename Op::Number> c) {
  using R = typename Op::Number;
  for (index i = 0; i < a.rows; i += kRowBlock) {
    const index rows = i + kRowBlock < a.rows ? kRowBlock : a.rows - i;
    const ConstView2D<R> a_rows(a.data + i * a.stride, rows, a.cols, a.stride);
    const View2D<R> c_rows(c.data + i * c.stride, rows, c.cols, c.stride);
    for (index j = 0; j < c.cols; j += kColumnBlock)
      multiply_block<Op>(alpha, a_rows, panels, beta, c_rows, j, j + kColumnBlock < c.cols ? j + kColumnBlock : c.cols);
  }
}

}  // namespace ntkrob::NTKROB_ISA
