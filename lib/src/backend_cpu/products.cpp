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
const ProductFunctions<float> kProductsFloat{kWidth<float>, 1, &pack<float>, &multiply<Numbers<float>>, &thin<float>};
extern const ProductFunctions<double> kProductsDouble;
const ProductFunctions<double> kProductsDouble{kWidth<double>, 1, &pack<double>, &multiply<Numbers<double>>,
                                               &thin<double>};

}  // namespace ntkrob::NTKROB_ISA
