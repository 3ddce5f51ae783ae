/// Matrix products with a packed right-hand operand, and products with few columns. Compiled once per instruction set
/// (NTKROB_ISA), as simd.cpp is.
///
/// A BLAS packs its operands in every call. Here the support set of a whole attack is packed once, elementwise work
/// follows while a strip is in the cache, and the bits of an element depend on its row, its column and the inner length
/// alone, so that rows may be shared out in any way.
#include "backend_cpu/products.hpp"

#include "backend_cpu/product_loops.hpp"

namespace ntkrob::NTKROB_ISA {
namespace {

/// Operands as numbers of type R.
template <class R>
struct Numbers {
  using Number = R;
  using Lanes = Vec<R>;
  static constexpr index kPerCell = 1;
  static constexpr index kInner = 512;
  static constexpr bool kConverts = false;

  static Lanes load(const R* cells) { return Lanes::load(cells); }
  static Lanes broadcast(const R* cell) { return Lanes(*cell); }
  static Vec<R> add_product(Lanes left, Lanes right, Vec<R> sum) { return fma(left, right, sum); }
  static void read(const R* from, index n, R* cells) {
    std::memcpy(cells, from, static_cast<std::size_t>(n) * sizeof(R));
  }
};

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

/// Numbers of op(b) laid out at a time by gemm: some panels, which stay in the second-level cache with a block of rows.
template <class R>
constexpr index kGroupNumbers = (index{256} << 10) / sizeof(R);

/// Rows of c for which it does not pay to lay out op(b): it is read where it lies, if its rows do not collide.
constexpr index kFewRows = 2 * kRows;

/// A group of panels of op(b), columns [begin, end), with all rows of c.   a, b: `length` long on the inner side
template <class R, bool transpose>
void gemm_group(R alpha, ConstView2D<R> a, const R* panels, index step, index panel_distance, index length, R beta,
                View2D<R> c, index begin, index end) {
  const index blocks = (c.rows + kRowBlock - 1) / kRowBlock;
  for (index block = 0, i = 0; block < blocks; ++block) {
    const index rows = (c.rows - i + blocks - block - 1) / (blocks - block);
    const ConstView2D<R> part = transpose ? ConstView2D<R>(a.data + i, a.rows, rows, a.stride)
                                          : ConstView2D<R>(a.data + i * a.stride, rows, a.cols, a.stride);
    const LeftBlock<Numbers<R>, transpose> left(part, 0, length);
    Tile<R> t{alpha, nullptr, left.stride, nullptr, step, length, beta, nullptr, c.stride, 0, nullptr};
    for (index j = begin; j < end; j += kWidth<R>) {
      t.b = panels + (j - begin) / kWidth<R> * panel_distance;
      t.cols = j + kWidth<R> < c.cols ? kWidth<R> : c.cols - j;
      tiles<Numbers<R>, transpose, true>(rows, t, left.data, c.data + i * c.stride + j, [](index) {});
    }
    i += rows;
  }
}

template <class R, bool transpose>
void gemm_inner(R alpha, ConstView2D<R> a, bool transpose_b, ConstView2D<R> b, R beta, View2D<R> c) {
  constexpr index width = kWidth<R>;
  alignas(64) R copy[kGroupNumbers<R>];
  const index k = transpose ? a.rows : a.cols;
  for (index inner = 0; inner < k; inner += Numbers<R>::kInner) {
    const index length = inner + Numbers<R>::kInner < k ? Numbers<R>::kInner : k - inner;
    const R keep = inner == 0 ? beta : R(1);
    const ConstView2D<R> left = transpose ? ConstView2D<R>(a.data + inner * a.stride, length, a.cols, a.stride)
                                          : ConstView2D<R>(a.data + inner, a.rows, length, a.stride);
    const ConstView2D<R> right = transpose_b ? ConstView2D<R>(b.data + inner, b.rows, length, b.stride)
                                             : ConstView2D<R>(b.data + inner * b.stride, length, b.cols, b.stride);
    const index in_place = transpose_b || c.rows > kFewRows || collides<R>(b.stride) ? 0 : c.cols / width * width;
    if (in_place > 0)
      gemm_group<R, transpose>(alpha, left, right.data, right.stride, width, length, keep, c, 0, in_place);
    const index columns = kGroupNumbers<R> / (length * width) * width;
    for (index j = in_place; j < c.cols; j += columns) {
      const index end = j + columns < c.cols ? j + columns : c.cols;
      for (index p = j; p < end; p += width) pack(transpose_b, right, p, copy + (p - j) * length);
      gemm_group<R, transpose>(alpha, left, copy, width, width * length, length, keep, c, j, end);
    }
  }
}

template <class R>
void gemm(bool transpose_a, bool transpose_b, R alpha, ConstView2D<R> a, ConstView2D<R> b, R beta, View2D<R> c) {
  if ((transpose_a ? a.rows : a.cols) == 0) {
    for (index i = 0; i < c.rows; ++i)
      for (index j = 0; j < c.cols; ++j)
        c.data[i * c.stride + j] = beta == R(0) ? R(0) : beta * c.data[i * c.stride + j];
    return;
  }
  if (transpose_a)
    gemm_inner<R, true>(alpha, a, transpose_b, b, beta, c);
  else
    gemm_inner<R, false>(alpha, a, transpose_b, b, beta, c);
}

/// Partial sums of a thin product in the precision of its operands are over at most this many terms.
constexpr index kThinBlock = 1024;
/// Terms that several passes go over, where a stripe is several vectors.
constexpr index kThinStep = 256;

/// sum(i + row, c + column) += a vt^T for `rows` rows and `columns` columns. An element's arithmetic does not depend on
/// either.
template <class R, int rows, int columns>
void thin_some(ConstView2D<R> a, ConstView2D<R> vt, index i, index c, View2D<double> sum) {
  using V = Vec<R>;
  for (index begin = 0; begin < a.cols; begin += kThinBlock) {
    const index end = begin + kThinBlock < a.cols ? begin + kThinBlock : a.cols;
    const index whole = begin + (end - begin) / kStripe<R> * kStripe<R>;
    V part[rows][columns][kParts<R>];
    for (auto& row : part)
      for (auto& stripe : row)
        for (V& vector : stripe) vector = V(0);
    // One vector of the stripes at a time, so that all sums are in registers, over what stays in the first-level cache.
    for (index first = begin; first < whole; first += kThinStep) {
      const index last = first + kThinStep < whole ? first + kThinStep : whole;
      for (int p = 0; p < kParts<R>; ++p) {
        V own[rows][columns];
        for (int r = 0; r < rows; ++r)
          for (int s = 0; s < columns; ++s) own[r][s] = part[r][s][p];
        for (index j = first + p * V::kLanes; j < last; j += kStripe<R>) {
          V left[rows];
          for (int r = 0; r < rows; ++r) left[r] = V::load(a.data + (i + r) * a.stride + j);
          for (int s = 0; s < columns; ++s) {
            const V right = V::load(vt.data + (c + s) * vt.stride + j);
            for (int r = 0; r < rows; ++r) own[r][s] = fma(left[r], right, own[r][s]);
          }
        }
        for (int r = 0; r < rows; ++r)
          for (int s = 0; s < columns; ++s) part[r][s][p] = own[r][s];
      }
    }
    for (int r = 0; r < rows; ++r)
      for (int s = 0; s < columns; ++s) {
        R total = 0;
        for (index rest = whole; rest < end; ++rest)
          total += a.data[(i + r) * a.stride + rest] * vt.data[(c + s) * vt.stride + rest];
        sum.data[(i + r) * sum.stride + c + s] += static_cast<double>(total + sum_of_stripe(part[r][s]));
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

/// As `pack`, back: b (or b^T) is n x the used columns.
template <class R>
void unpack(bool transpose, const R* panel, index first, View2D<R> b) {
  constexpr index width = kWidth<R>;
  const index k = transpose ? b.cols : b.rows, n = transpose ? b.rows : b.cols;
  const index used = first + width < n ? width : n - first;
  if (!transpose) {
    for (index p = 0; p < k; ++p)
      std::memcpy(b.data + p * b.stride + first, panel + p * width, static_cast<std::size_t>(used) * sizeof(R));
    return;
  }
  using V = Vec<R>;
  for (index c = 0; c < used; c += V::kLanes) {
    index p = 0;
    if (c + V::kLanes <= used)
      for (; p + V::kLanes <= k; p += V::kLanes) {
        V square[V::kLanes];
        for (int l = 0; l < V::kLanes; ++l) square[l] = V::load(panel + (p + l) * width + c);
        transpose_square(square);
        for (int l = 0; l < V::kLanes; ++l) square[l].store(b.data + (first + c + l) * b.stride + p);
      }
    for (; p < k; ++p)
      for (index l = c; l < c + V::kLanes && l < used; ++l) b.data[(first + l) * b.stride + p] = panel[p * width + l];
  }
}

/// Rows of a triangular solve worked on together; an element's arithmetic does not depend on it.
#if defined(__AVX512F__)
constexpr int kSolveRows = 8;
#else
constexpr int kSolveRows = 4;
#endif

/// x_i = (x_i - sum_j l_ij x_j) / l_ii for the rows i, i + step, .. of a panel, with all x_j before them known: j = 0,
/// 1,
/// .. for step 1, n - 1, n - 2, .. for step -1, where l is transposed.
template <class R, int step, int rows>
void solve_rows(ConstView2D<R> l, index i, R* panel) {
  using V = Vec<R>;
  constexpr index width = kWidth<R>;
  const auto at = [&](index row, index j) {
    return step > 0 ? l.data[row * l.stride + j] : l.data[j * l.stride + row];
  };
  V x[rows][kVectors];
  for (int r = 0; r < rows; ++r)
    for (int v = 0; v < kVectors; ++v) x[r][v] = V::load(panel + (i + step * r) * width + v * V::kLanes);
  for (index j = step > 0 ? 0 : l.rows - 1; j != i; j += step) {
    V known[kVectors];
    for (int v = 0; v < kVectors; ++v) known[v] = -V::load(panel + j * width + v * V::kLanes);
    for (int r = 0; r < rows; ++r) {
      const V factor(at(i + step * r, j));
      for (int v = 0; v < kVectors; ++v) x[r][v] = fma(factor, known[v], x[r][v]);
    }
  }
  for (int r = 0; r < rows; ++r) {
    const V inverse(R(1) / at(i + step * r, i + step * r));
    for (int v = 0; v < kVectors; ++v) {
      for (int q = 0; q < r; ++q) x[r][v] = fma(V(at(i + step * r, i + step * q)), -x[q][v], x[r][v]);
      x[r][v] = x[r][v] * inverse;
      x[r][v].store(panel + (i + step * r) * width + v * V::kLanes);
    }
  }
}

template <class R, int step>
void solve(ConstView2D<R> l, R* panel) {
  index done = 0;
  const auto row = [&] { return step > 0 ? done : l.rows - 1 - done; };
  for (; done + kSolveRows <= l.rows; done += kSolveRows) solve_rows<R, step, kSolveRows>(l, row(), panel);
  for (; done < l.rows; ++done) solve_rows<R, step, 1>(l, row(), panel);
}

template <class R>
constexpr ProductFunctions<R> kFunctions{kWidth<R>, 1,          &pack<R>,     &multiply<Numbers<R>>, &thin<R>,
                                         &gemm<R>,  &unpack<R>, &solve<R, 1>, &solve<R, -1>};

}  // namespace

extern const ProductFunctions<float> kProductsFloat;
const ProductFunctions<float> kProductsFloat = kFunctions<float>;
extern const ProductFunctions<double> kProductsDouble;
const ProductFunctions<double> kProductsDouble = kFunctions<double>;

}  // namespace ntkrob::NTKROB_ISA
