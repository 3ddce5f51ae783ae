/// Matrix products with a packed right-hand operand, and products with few columns. Compiled once per instruction set
/// (NTKROB_ISA), as simd.cpp is.
///
/// A BLAS packs its operands in every call. Here the support set of a whole attack is packed once, elementwise work
/// follows while a strip is in the cache, and the bits of an element depend on its row, its column and the inner length
/// alone, so that rows may be shared out in any way.
#include "backend_cpu/products.hpp"

#include "backend_cpu/vec.hpp"

namespace ntkrob::NTKROB_ISA {
namespace {

/// Registers hold kRows x kVectors accumulators, one row of panels and one broadcast.
#if defined(__AVX512F__)
constexpr int kRows = 14;
#else
constexpr int kRows = 6;
#endif
constexpr int kVectors = 2;
/// The inner length is cut here: partial sums stay short, and the part of a panel in use stays in the cache.
constexpr index kInner = 512;
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

/// One tile of c: alpha a b + beta c, with a: rows x k and b: a panel from row 0 of its inner length.
template <class R>
struct Tile {
  R alpha;
  const R* a;
  index a_stride;
  const R* b;
  index k;
  R beta;
  R* c;
  index c_stride;
  index cols;  // of c: at most the width of the panel, whose padding goes nowhere
  const R* ahead;
};

/// `vectors` of the panel's columns, the first ones.
template <class R, int rows, int vectors>
void micro(const Tile<R>& t) {
  using V = Vec<R>;
  const R *a = t.a, *b = t.b, *ahead = t.ahead;
  const index stride = t.a_stride;
  V sum[rows][vectors];
  for (int i = 0; i < rows; ++i)
    for (int v = 0; v < vectors; ++v) sum[i][v] = V(0);
  for (index p = 0; p < t.k; ++p) {
    __builtin_prefetch(ahead + p * kAhead<R>, 0, 2);
    V right[vectors];
    for (int v = 0; v < vectors; ++v) right[v] = V::load(b + p * kWidth<R> + v * V::kLanes);
    for (int i = 0; i < rows; ++i) {
      const V left(a[i * stride + p]);
      for (int v = 0; v < vectors; ++v) sum[i][v] = fma(left, right[v], sum[i][v]);
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

template <class R, int vectors, int rows = kRows>
void micro_any(int n, const Tile<R>& t) {
  if constexpr (rows > 0) {
    if (n == rows)
      micro<R, rows, vectors>(t);
    else
      micro_any<R, vectors, rows - 1>(n, t);
  }
}

/// Rows of a, for an inner range of at most kInner, at a distance that does not map them onto the same cache sets.
template <class R>
struct LeftBlock {
  static constexpr index kStride = kInner + 64 / sizeof(R);
  alignas(64) R copy[kRowBlock * kStride];
  const R* data;
  index stride;

  LeftBlock(ConstView2D<R> a, index inner, index length) : data(a.data + inner), stride(a.stride) {
    if (static_cast<std::size_t>(stride) * sizeof(R) % 512 != 0) return;
    for (index i = 0; i < a.rows; ++i)
      std::memcpy(copy + i * kStride, data + i * stride, static_cast<std::size_t>(length) * sizeof(R));
    data = copy;
    stride = kStride;
  }
};

/// Rows [0, a.rows) and columns [begin, end) of c; everything it touches stays in the second-level cache.
template <class R>
void multiply_block(R alpha, ConstView2D<R> a, const R* panels, R beta, View2D<R> c, index begin, index end) {
  constexpr index width = kWidth<R>;
  const index k = a.cols;
  for (index inner = 0; inner < k; inner += kInner) {
    const index length = inner + kInner < k ? kInner : k - inner;
    const LeftBlock<R> left(a, inner, length);
    Tile<R> t{alpha, nullptr, left.stride, nullptr, length, inner == 0 ? beta : R(1), nullptr, c.stride, 0, nullptr};
    for (index j = begin; j < end; j += width) {
      t.b = panels + j * k + inner * width;
      t.cols = j + width < c.cols ? width : c.cols - j;
      const R* next = j + width < end ? t.b + width * k : t.b + width * length;
      for (index i = 0; i < a.rows; i += kRows) {
        const int rows = static_cast<int>(i + kRows < a.rows ? kRows : a.rows - i);
        t.a = left.data + i * left.stride;
        t.c = c.data + i * c.stride + j;
        t.ahead = i < 4 * kRows ? next + i / kRows * length * kAhead<R> : t.b;
        if (t.cols > Vec<R>::kLanes)
          micro_any<R, kVectors>(rows, t);
        else
          micro_any<R, 1>(rows, t);
      }
    }
  }
}

template <class R>
void multiply(R alpha, ConstView2D<R> a, const R* panels, R beta, View2D<R> c) {
  for (index i = 0; i < a.rows; i += kRowBlock) {
    const index rows = i + kRowBlock < a.rows ? kRowBlock : a.rows - i;
    const ConstView2D<R> a_rows(a.data + i * a.stride, rows, a.cols, a.stride);
    const View2D<R> c_rows(c.data + i * c.stride, rows, c.cols, c.stride);
    for (index j = 0; j < c.cols; j += kColumnBlock)
      multiply_block(alpha, a_rows, panels, beta, c_rows, j, j + kColumnBlock < c.cols ? j + kColumnBlock : c.cols);
  }
}

template <class R>
void pack(bool transpose, ConstView2D<R> b, index first, R* panel) {
  constexpr index width = kWidth<R>;
  const index k = transpose ? b.cols : b.rows, n = transpose ? b.rows : b.cols;
  const index used = first + width < n ? width : n - first;
  if (!transpose) {
    for (index p = 0; p < k; ++p) {
      std::memcpy(panel + p * width, b.data + p * b.stride + first, static_cast<std::size_t>(used) * sizeof(R));
      for (index c = used; c < width; ++c) panel[p * width + c] = R(0);
    }
    return;
  }
  using V = Vec<R>;
  for (index c = 0; c < width; c += V::kLanes) {
    index p = 0;
    if (c + V::kLanes <= used)
      for (; p + V::kLanes <= k; p += V::kLanes) {
        V square[V::kLanes];
        for (int l = 0; l < V::kLanes; ++l) square[l] = V::load(b.data + (first + c + l) * b.stride + p);
        transpose_square(square);
        for (int l = 0; l < V::kLanes; ++l) square[l].store(panel + (p + l) * width + c);
      }
    for (; p < k; ++p)
      for (index l = c; l < c + V::kLanes; ++l)
        panel[p * width + l] = l < used ? b.data[(first + l) * b.stride + p] : R(0);
  }
}

/// Partial sums of a thin product in the precision of its operands are over at most this many terms.
constexpr index kThinBlock = 1024;

/// sum(i + row, c + column) += a vt^T for `rows` rows and `columns` columns. An element's arithmetic does not depend on
/// either.
template <class R, int rows, int columns>
void thin_some(ConstView2D<R> a, ConstView2D<R> vt, index i, index c, View2D<double> sum) {
  using V = Vec<R>;
  for (index begin = 0; begin < a.cols; begin += kThinBlock) {
    const index end = begin + kThinBlock < a.cols ? begin + kThinBlock : a.cols;
    V part[rows][columns];
    for (int r = 0; r < rows; ++r)
      for (int s = 0; s < columns; ++s) part[r][s] = V(0);
    index j = begin;
    for (; j + V::kLanes <= end; j += V::kLanes) {
      V left[rows];
      for (int r = 0; r < rows; ++r) left[r] = V::load(a.data + (i + r) * a.stride + j);
      for (int s = 0; s < columns; ++s) {
        const V right = V::load(vt.data + (c + s) * vt.stride + j);
        for (int r = 0; r < rows; ++r) part[r][s] = fma(left[r], right, part[r][s]);
      }
    }
    for (int r = 0; r < rows; ++r)
      for (int s = 0; s < columns; ++s) {
        R total = 0;
        for (index rest = j; rest < end; ++rest)
          total += a.data[(i + r) * a.stride + rest] * vt.data[(c + s) * vt.stride + rest];
        sum.data[(i + r) * sum.stride + c + s] += static_cast<double>(total + sum_of_lanes(part[r][s]));
      }
  }
}

template <class R, int rows>
void thin_rows(ConstView2D<R> a, ConstView2D<R> vt, index i, View2D<double> sum) {
  constexpr int kColumns = 5;  // 10 classes are 2 x 5
  index c = 0;
  for (; c + kColumns <= vt.rows; c += kColumns) thin_some<R, rows, kColumns>(a, vt, i, c, sum);
  for (; c < vt.rows; ++c) thin_some<R, rows, 1>(a, vt, i, c, sum);
}

template <class R>
void thin(ConstView2D<R> a, ConstView2D<R> vt, View2D<double> sum) {
#if defined(__AVX512F__)
  constexpr int kThinRows = 4;
#else
  constexpr int kThinRows = 2;
#endif
  index i = 0;
  for (; i + kThinRows <= a.rows; i += kThinRows) thin_rows<R, kThinRows>(a, vt, i, sum);
  for (; i < a.rows; ++i) thin_rows<R, 1>(a, vt, i, sum);
}

}  // namespace

extern const ProductFunctions<float> kProductsFloat;
const ProductFunctions<float> kProductsFloat{kWidth<float>, &pack<float>, &multiply<float>, &thin<float>};
extern const ProductFunctions<double> kProductsDouble;
const ProductFunctions<double> kProductsDouble{kWidth<double>, &pack<double>, &multiply<double>, &thin<double>};

}  // namespace ntkrob::NTKROB_ISA
