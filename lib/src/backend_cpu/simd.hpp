/// The elementwise work of the cpu backend, as a table of functions per instruction set.
///
/// simd.cpp is compiled once per set; simd_table() picks the best one this processor has, or the one named by the
/// environment variable NTKROB_SIMD (avx512, avx2, baseline). Results are the same bits for any tile shape and worker
/// count, and on avx512 and avx2; baseline, which has no fused multiply-add, differs from them in the last bits.
#pragma once

#include <cstddef>

#include "backend_cpu/images/steps.hpp"
#include "backend_cpu/products.hpp"
#include "ntkrob/backend/chain.hpp"

namespace ntkrob {

/// Column blocks of one row are processed in scratch arrays of this many pairs, which stay in the first-level cache.
constexpr index kPairBlock = 256;
/// Padding of sample tables and scratch tiles, so that whole vectors may be loaded at the end of a row.
constexpr index kPadding = 16;

/// One row of a tile: pairs of one x with m consecutive y. Pointers into tables are to the first column concerned.
template <class R>
struct PairRow {
  const ChainLayer* layers;
  int n_layers;
  Output output;
  const R* x_column;  // quantities of x: entry k at x_column[k * x_stride]
  index x_stride;
  const R*
      y_columns;  // quantities of the y: entry k of pair j at y_columns[k * y_stride + j]; readable up to m + kPadding
  index y_stride;
  index m;
  const R* x;  // the samples themselves, for pairs close to the kink
  const R* y;
  index y_row_stride;
  index d;
  double x_inverse_norm;
  const double* y_inverse_norm;
  index same;  // the j that is the same sample, or -1
  R* value;    // in: x.y / D; out: k
  R* nngp;     // m: with output ntk, the other kernel too; or null
  R* dq;       // m, or null
  R* da;       // m, or null
};

template <class R>
struct SimdFunctions {
  void (*pair_row)(const PairRow<R>&);
  /// As Backend::weigh_tile.
  void (*weigh)(ConstView2D<R> u, ConstView2D<R> vt, View2D<R> dq, ConstView2D<R> da, double* row_sum);
  double (*sum_of_squares)(const R* x, index d);
  const ProductFunctions<R>* products;
  const ImageFunctions<R>* images;
};

struct SimdTable {
  const char* name;
  SimdFunctions<float> f32;
  SimdFunctions<double> f64;
};

const SimdTable& simd_table();
/// Products with operands rounded to bfloat16, or null where the processor, the build or NTKROB_SIMD has none.
const ProductFunctions<float>* bfloat16_products();

}  // namespace ntkrob
