/// The elementwise sandwich between two matrix products: gap, layers, scale. Compiled once per instruction set
/// (NTKROB_ISA).
///
/// Includes nothing that could emit shared inline functions: whatever this file instantiates lives in the namespace
/// NTKROB_ISA.
#include "backend_cpu/simd.hpp"

#include "backend_cpu/vec.hpp"
#include "backend_cpu/vec_math.hpp"
#include "layers/all.hpp"
#include "layers/gap.hpp"
#include "layers/samples.hpp"

namespace ntkrob::NTKROB_ISA {
namespace {

/// The gap of one pair from |x/|x| -+ y/|y||^2 / 2, in float64.
template <class R>
double exact_gap(const R* x, const R* y, index d, double x_inverse, double y_inverse, bool antiparallel) {
  using V = Vec<double>;
  const V ix(x_inverse), iy(antiparallel ? -y_inverse : y_inverse);
  constexpr int parts = kParts<double>;
  V sum[parts];
  for (V& part : sum) part = V(0);
  index k = 0;
  for (; k + kStripe<double> <= d; k += kStripe<double>)
    for (int p = 0; p < parts; ++p) {
      const index at = k + p * V::kLanes;
      const V difference = load_doubles(x + at) * ix - load_doubles(y + at) * iy;
      sum[p] = fma(difference, difference, sum[p]);
    }
  double total = 0;
  for (int p = 0; p < parts; ++p)
    for (int l = 0; l < V::kLanes; ++l) total += sum[p].v[l];
  for (; k < d; ++k) {
    const double difference = static_cast<double>(x[k]) * x_inverse - static_cast<double>(y[k]) * iy.v[0];
    total += difference * difference;
  }
  const double half = total / (2 * static_cast<double>(d));
  const double gap = half < layers::kCoincident ? 0.0 : half;
  return antiparallel ? 2.0 - gap : gap;
}

/// Block-wise state; one array per quantity.
template <class R>
struct Block {
  alignas(64) R u[kPairBlock], t[kPairBlock], du[kPairBlock], dt[kPairBlock], eu[kPairBlock], et[kPairBlock];
};

/// u of pairs [begin, begin + n) from their inner products, with the near and the same pairs put right.
template <class R>
void gaps(const PairRow<R>& row, index begin, index n, R* u) {
  using V = Vec<R>;
  const V ix(row.x_column[layers::kInverseNorm * row.x_stride]);
  const R* iy = row.y_columns + layers::kInverseNorm * row.y_stride + begin;
  bool any_near = false;
  for (index j = 0; j < n; j += V::kLanes) {
    V product;
    if (j + V::kLanes <= n) {
      product = V::load(row.value + begin + j);
    } else {  // the last, partial vector: the row's memory may end here
      alignas(64) R rest[V::kLanes] = {};
      std::memcpy(rest, row.value + begin + j, static_cast<std::size_t>(n - j) * sizeof(R));
      product = V::load(rest);
    }
    const V gap = V(1) - (product * ix) * V::load(iy + j);
    gap.store(u + j);
    any_near |= any_outside(gap, layers::kNear<R>, R(2) - layers::kNear<R>);
  }
  if (any_near)
    for (index j = 0; j < n; ++j)
      if (!(u[j] >= layers::kNear<R> && u[j] <= R(2) - layers::kNear<R>)) {
        const index y = begin + j;
        u[j] = static_cast<R>(exact_gap(row.x, row.y + y * row.y_row_stride, row.d, row.x_inverse_norm,
                                        row.y_inverse_norm[y], u[j] > R(1)));
      }
  if (row.same >= begin && row.same < begin + n) u[row.same - begin] = 0;
}

/// Coefficients of one layer: x's broadcast once, y's loaded per vector.
template <class L, class R>
struct Coefficients {
  using V = Vec<R>;
  static constexpr int n = L::kCoefficients;
  V x[n + 1], dx[n + 1];
  const R* columns;
  index stride;

  Coefficients(const PairRow<R>& row, int table_row, index begin)
      : columns(row.y_columns + table_row * row.y_stride + begin), stride(row.y_stride) {
    for (int k = 0; k < n; ++k) {
      x[k] = V(row.x_column[(table_row + k) * row.x_stride]);
      dx[k] = V(row.x_column[(table_row + n + k) * row.x_stride]);
    }
  }

  template <class State>
  void run(State& state, index j) const {
    V y[n + 1];
    for (int k = 0; k < n; ++k) y[k] = V::load(columns + k * stride + j);
    if constexpr (State::kGradient)
      L::gradient(state, x, dx, y);
    else
      L::value(state, x, y);
  }
};

template <class V>
struct ValueState : PairValue<V> {
  static constexpr bool kGradient = false;
};
template <class V>
struct GradientState : PairGradient<V> {
  static constexpr bool kGradient = true;
};

/// One pass over the block through one layer, or through a layer and the dense layer that follows it: the state then
/// stays in registers between the two, and all that the layers call is inlined.
template <bool gradient, class R, class... Layers>
NTKROB_FLATTEN void pass(Block<R>& s, index n, const Coefficients<Layers, R>&... layers) {
  using V = Vec<R>;
  for (index j = 0; j < n; j += V::kLanes) {
    std::conditional_t<gradient, GradientState<V>, ValueState<V>> p;
    p.u = V::load(s.u + j);
    p.t = V::load(s.t + j);
    if constexpr (gradient) {
      p.du = V::load(s.du + j);
      p.dt = V::load(s.dt + j);
      p.eu = V::load(s.eu + j);
      p.et = V::load(s.et + j);
    }
    (layers.run(p, j), ...);
    p.u.store(s.u + j);
    p.t.store(s.t + j);
    if constexpr (gradient) {
      p.du.store(s.du + j);
      p.dt.store(s.dt + j);
      p.eu.store(s.eu + j);
      p.et.store(s.et + j);
    }
  }
}

template <class R, bool gradient>
void run_layers(Block<R>& s, const PairRow<R>& row, index begin, index n) {
  using layers::Dense;
  int table_row = layers::kFirstCoefficient;
  for (int l = 0; l < row.n_layers; ++l) {
    const bool dense_next = l + 1 < row.n_layers && row.layers[l + 1].kind == layers::k_dense;
    layers::visit(row.layers[l].kind, [&](auto layer) {
      using L = decltype(layer);
      const Coefficients<L, R> first(row, table_row, begin);
      table_row += 2 * L::kCoefficients;
      if (dense_next) {
        const Coefficients<Dense, R> second(row, table_row, begin);
        table_row += 2 * Dense::kCoefficients;
        pass<gradient>(s, n, first, second);
        ++l;
      } else {
        pass<gradient>(s, n, first);
      }
    });
  }
}

/// Writes n numbers of a padded block to their place.
template <class R>
inline void put(const R* from, index n, R* to) {
  std::memcpy(to, from, static_cast<std::size_t>(n) * sizeof(R));
}

template <class R, bool gradient>
void finish(Block<R>& s, const PairRow<R>& row, index begin, index n) {
  using V = Vec<R>;
  const auto of_x = [&](int k) { return V(row.x_column[k * row.x_stride]); };
  const V g(of_x(layers::kScale)), gain(of_x(layers::kGain)), slope(of_x(layers::kScaleSlope)),
      inverse(of_x(layers::kInverseVariance));
  const R* g_y = row.y_columns + layers::kScale * row.y_stride + begin;
  const R* gain_y = row.y_columns + layers::kGain * row.y_stride + begin;
  const bool ntk = row.output == Output::ntk;
  for (index j = 0; j < n; j += V::kLanes) {
    const V scale_y = V::load(g_y + j);
    const V k = ntk ? V::load(s.t + j) : V(1) - V::load(s.u + j);
    const V scale = g * scale_y;
    (scale * k).store(s.t + j);
    if (row.nngp != nullptr) (scale * (V(1) - V::load(s.u + j))).store(s.u + j);
    if constexpr (gradient) {
      const V dk = ntk ? V::load(s.dt + j) : -V::load(s.du + j);
      const V ek = ntk ? V::load(s.et + j) : -V::load(s.eu + j);
      (-((gain * V::load(gain_y + j)) * dk)).store(s.dt + j);
      ((fma(g, ek, slope * k) * scale_y) * inverse).store(s.et + j);
    }
  }
  put(s.t, n, row.value + begin);
  if (row.nngp != nullptr) put(s.u, n, row.nngp + begin);
  if constexpr (gradient) {
    put(s.dt, n, row.dq + begin);
    put(s.et, n, row.da + begin);
  }
}

template <class R, bool gradient>
void pair_row(const PairRow<R>& row) {
  using V = Vec<R>;
  Block<R> s;
  for (index begin = 0; begin < row.m; begin += kPairBlock) {
    const index n = row.m - begin < kPairBlock ? row.m - begin : kPairBlock;
    gaps(row, begin, n, s.u);
    for (index j = 0; j < n; j += V::kLanes) {
      V(0).store(s.t + j);
      if constexpr (gradient) {
        V(1).store(s.du + j);
        V(0).store(s.dt + j);
        (V(0.5) * (V(1) - V::load(s.u + j))).store(s.eu + j);
        V(0).store(s.et + j);
      }
    }
    run_layers<R, gradient>(s, row, begin, n);
    finish<R, gradient>(s, row, begin, n);
  }
}

template <class R>
void pair_row_any(const PairRow<R>& row) {
  if (row.dq != nullptr)
    pair_row<R, true>(row);
  else
    pair_row<R, false>(row);
}

template <class R>
double sum_of_squares(const R* x, index d) {
  using V = Vec<double>;
  constexpr int parts = kParts<double>;
  V part[4 * parts];  // of four stripes
  for (V& p : part) p = V(0);
  index k = 0;
  for (; k + 4 * kStripe<double> <= d; k += 4 * kStripe<double>)
    for (int a = 0; a < 4 * parts; ++a) {
      const V p = load_doubles(x + k + a * V::kLanes);
      part[a] = fma(p, p, part[a]);
    }
  double total = 0;
  for (int p = 0; p < parts; ++p) {
    const V sum = (part[p] + part[parts + p]) + (part[2 * parts + p] + part[3 * parts + p]);
    for (int l = 0; l < V::kLanes; ++l) total += sum.v[l];
  }
  for (; k < d; ++k) total += static_cast<double>(x[k]) * static_cast<double>(x[k]);
  return total;
}

/// `rows` rows at once, so that each load of vt serves all of them. One row's arithmetic does not depend on `rows`.
template <class R, int rows>
void weigh_some(ConstView2D<R> u, ConstView2D<R> vt, index i, View2D<R> dq, ConstView2D<R> da, double* row_sum) {
  using V = Vec<R>;
  const index m = dq.cols, r = u.cols;
  // Float32 partial sums over at most kPairBlock pairs, float64 between blocks.
  for (index begin = 0; begin < m; begin += kPairBlock) {
    const index end = begin + kPairBlock < m ? begin + kPairBlock : m;
    V sum[kParts<R>][rows];
    for (auto& part : sum)
      for (V& of_row : part) of_row = V(0);
    index j = begin;
    for (; j + kStripe<R> <= end; j += kStripe<R>)
      for (int p = 0; p < kParts<R>; ++p) {
        const index at = j + p * V::kLanes;
        V g[rows];
        for (int a = 0; a < rows; ++a) g[a] = V(0);
        for (index c = 0; c < r; ++c) {
          const V v = V::load(vt.data + c * vt.stride + at);
          for (int a = 0; a < rows; ++a) g[a] = fma(V(u.data[(i + a) * u.stride + c]), v, g[a]);
        }
        for (int a = 0; a < rows; ++a) {
          R* weight = dq.data + (i + a) * dq.stride + at;
          (g[a] * V::load(weight)).store(weight);
          sum[p][a] = fma(g[a], V::load(da.data + (i + a) * da.stride + at), sum[p][a]);
        }
      }
    for (int a = 0; a < rows; ++a)
      for (int p = 0; p < kParts<R>; ++p)
        for (int l = 0; l < V::kLanes; ++l) row_sum[i + a] += static_cast<double>(sum[p][a].v[l]);
    for (; j < end; ++j)
      for (int a = 0; a < rows; ++a) {
        R g = 0;
        for (index c = 0; c < r; ++c) g = multiply_add(u.data[(i + a) * u.stride + c], vt.data[c * vt.stride + j], g);
        dq.data[(i + a) * dq.stride + j] *= g;
        row_sum[i + a] += static_cast<double>(g) * static_cast<double>(da.data[(i + a) * da.stride + j]);
      }
  }
}

template <class R>
void weigh(ConstView2D<R> u, ConstView2D<R> vt, View2D<R> dq, ConstView2D<R> da, double* row_sum) {
  index i = 0;
  for (; i + 4 <= dq.rows; i += 4) weigh_some<R, 4>(u, vt, i, dq, da, row_sum);
  for (; i < dq.rows; ++i) weigh_some<R, 1>(u, vt, i, dq, da, row_sum);
}

}  // namespace

extern const ProductFunctions<float> kProductsFloat;
extern const ProductFunctions<double> kProductsDouble;
extern const ImageFunctions<float> kImageFloat;
extern const ImageFunctions<double> kImageDouble;
extern const SimdTable kTable;
#define NTKROB_TEXT_(x) #x
#define NTKROB_TEXT(x) NTKROB_TEXT_(x)
const SimdTable kTable{
    NTKROB_TEXT(NTKROB_ISA),
    {&pair_row_any<float>, &weigh<float>, &sum_of_squares<float>, &kProductsFloat, &kImageFloat},
    {&pair_row_any<double>, &weigh<double>, &sum_of_squares<double>, &kProductsDouble, &kImageDouble}};

}  // namespace ntkrob::NTKROB_ISA
