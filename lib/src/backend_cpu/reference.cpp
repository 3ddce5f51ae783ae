/// The reference backend: loops that can be read beside the formulas. Everything in float64, one thread, no library.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <numeric>
#include <vector>

#include "backend_cpu/dual.hpp"
#include "backend_cpu/reference_images.hpp"
#include "layers/all.hpp"
#include "layers/noise.hpp"
#include "ntkrob/backend_cpu/backend_cpu.hpp"
#include "ntkrob/base/memory.hpp"

namespace ntkrob {
namespace {

template <class R>
double dot(const R* x, const R* y, index d) {
  double sum = 0;
  for (index k = 0; k < d; ++k) sum += static_cast<double>(x[k]) * static_cast<double>(y[k]);
  return sum;
}

/// The nearest number with 8 significant bits and the exponents of float; ties to even.
float to_bfloat16(float x) {
  if (!std::isfinite(x)) return x;
  std::uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  const std::uint32_t below = bits & 0xffffu, odd = (bits >> 16) & 1u;
  bits -= below;
  if (below > 0x8000u || (below == 0x8000u && odd != 0)) bits += 0x10000u;
  std::memcpy(&x, &bits, sizeof x);
  return x;
}
double to_bfloat16(double x) { return x; }  // float64 products have no such operands

template <class R>
Matrix<R> to_bfloat16(ConstView2D<R> a) {
  Matrix<R> rounded(a.rows, a.cols);
  for (index i = 0; i < a.rows; ++i)
    for (index j = 0; j < a.cols; ++j) rounded(i, j) = to_bfloat16(a(i, j));
  return rounded;
}

/// Pairs with a smaller gap 1 - |cosine| are never taken from rounded products, as in the cpu backend.
constexpr double kNearKink = 0.03;

/// k(x,y) and its derivatives by q = x.y/D and a = x.x/D. `same`: x and y are one sample; their angle is 0 exactly and
/// the derivative of the root counts as 0.
Dual pair_kernel(const Chain& chain, Output output, double q, double a, double b, bool same) {
  Covariance<Dual> s{Dual(q, 1, 0), Dual(0.0), Dual(a, 0, 1), Dual(b)};
  for (const ChainLayer& layer : chain) {
    // In one sample q = a = b holds exactly through all layers, whatever the rounding of the products.
    if (same) s.a.v = s.b.v = s.q.v;
    layers::visit(layer.kind, [&](auto l) { s = decltype(l)::template textbook<Dual>(s, layer.params.data()); });
  }
  return output == Output::ntk ? s.t : s.q;
}

class ReferenceBackend final : public Backend {
 public:
  DeviceInfo info() const override {
    return {"reference", "1 worker, textbook formulas in float64", 1, physical_memory_bytes(), 0, {}, {}, {}, false};
  }
  std::string supports(const Chain& chain) const override {
    return chain.empty() ? "the chain has no layers" : std::string();
  }
  std::string supports_images(const Program&) const override { return {}; }
  void image_tile(const ImageTile<float>& tile) override { reference_image_tile(tile); }
  void image_tile(const ImageTile<double>& tile) override { reference_image_tile(tile); }
  // It reads no tables: there is nothing to lay out.
  void image_table(const Program&, ConstView2D<float>, ImageTable<float>&) override {}
  void image_table(const Program&, ConstView2D<double>, ImageTable<double>&) override {}
  std::size_t image_bytes(const Program& program, std::size_t, bool gradient) const override {
    return reference_image_bytes(program, gradient);
  }
  void for_each(index n, const std::function<void(index, int)>& task) override {
    for (index i = 0; i < n; ++i) {
      look_for_stop(stop());
      task(i, 0);
    }
  }
  void gemm(Transpose ta, Transpose tb, float alpha, ConstView2D<float> a, ConstView2D<float> b, float beta,
            View2D<float> c) override {
    product(ta, tb, alpha, a, b, beta, c);
  }
  void gemm(Transpose ta, Transpose tb, double alpha, ConstView2D<double> a, ConstView2D<double> b, double beta,
            View2D<double> c) override {
    product(ta, tb, alpha, a, b, beta, c);
  }

  void pack(Transpose t, ConstView2D<float> b, Panels<float>& panels) override { copy(t, b, panels); }
  void pack(Transpose t, ConstView2D<double> b, Panels<double>& panels) override { copy(t, b, panels); }
  std::string supports_bfloat16() const override { return {}; }
  void pack_bfloat16(Transpose t, ConstView2D<float> b, Panels<float>& panels) override {
    copy(t, ConstView2D<float>(to_bfloat16(b).view()), panels);
    panels.operands = Operands::bfloat16;
  }
  void multiply(float alpha, ConstView2D<float> a, const Panels<float>& panels, index begin, float beta,
                View2D<float> c) override {
    const Matrix<float> rounded = panels.operands == Operands::bfloat16 ? to_bfloat16(a) : Matrix<float>();
    if (panels.operands == Operands::bfloat16) a = ConstView2D<float>(rounded.view());
    product(Transpose::no, Transpose::no, alpha, a, panels.data.view().middle_cols(begin, c.cols), beta, c);
  }
  void multiply(double alpha, ConstView2D<double> a, const Panels<double>& panels, index begin, double beta,
                View2D<double> c) override {
    product(Transpose::no, Transpose::no, alpha, a, panels.data.view().middle_cols(begin, c.cols), beta, c);
  }
  void add_thin(ConstView2D<float> a, ConstView2D<float> vt, View2D<double> sum) override { add_rows(a, vt, sum); }
  void add_thin(ConstView2D<double> a, ConstView2D<double> vt, View2D<double> sum) override { add_rows(a, vt, sum); }

  index factor_spd(View2D<float> a) override { return factor(a); }
  index factor_spd(View2D<double> a) override { return factor(a); }
  void solve_spd(ConstView2D<float> factor, View2D<float> b) override { substitute(factor, b); }
  void solve_spd(ConstView2D<double> factor, View2D<double> b) override { substitute(factor, b); }
  /// Cyclic Jacobi (Golub & Van Loan, Matrix Computations, 8.5): rotations until all off-diagonal entries vanish.
  void symmetric_eigen(View2D<double> a, double* values) override {
    NTKROB_CHECK_SHAPE(a, a.rows, a.rows);
    check_finite(a);
    const index n = a.rows;
    Matrix<double> v(n, n);  // rows become eigenvectors
    double largest = 0;
    for (index i = 0; i < n; ++i) {
      v(i, i) = 1;
      for (index j = 0; j < n; ++j) largest = std::max(largest, std::abs(a(i, j)));
    }
    for (int sweep = 0; !rotate_all(a, v.view(), 1e-17 * largest); ++sweep)
      NTKROB_CHECK(sweep < 60, NumericalError, "the eigenvalues of a ", n, " x ", n, " matrix did not converge");
    std::vector<index> order(static_cast<std::size_t>(n));
    std::iota(order.begin(), order.end(), index(0));
    std::sort(order.begin(), order.end(), [&](index i, index j) { return a(i, i) < a(j, j); });
    for (index k = 0; k < n; ++k) values[k] = a(order[static_cast<std::size_t>(k)], order[static_cast<std::size_t>(k)]);
    for (index k = 0; k < n; ++k) std::copy_n(v.row(order[static_cast<std::size_t>(k)]), n, a.row(k));
  }

  void sample_table(const Chain& chain, ConstView2D<float> x, SampleTable<float>& table) override {
    check_samples(chain, x, table);
  }
  void sample_table(const Chain& chain, ConstView2D<double> x, SampleTable<double>& table) override {
    check_samples(chain, x, table);
  }
  void pair_tile(const PairTile<float>& tile) override { run(tile); }
  void pair_tile(const PairTile<double>& tile) override { run(tile); }
  void weigh_tile(ConstView2D<float> u, ConstView2D<float> vt, View2D<float> dq, ConstView2D<float> da,
                  View2D<double> row_sum) override {
    weigh(u, vt, dq, da, row_sum);
  }
  void weigh_tile(ConstView2D<double> u, ConstView2D<double> vt, View2D<double> dq, ConstView2D<double> da,
                  View2D<double> row_sum) override {
    weigh(u, vt, dq, da, row_sum);
  }

 private:
  static void check_finite(ConstView2D<double> a) {
    for (index i = 0; i < a.rows; ++i)
      for (index j = 0; j < a.cols; ++j)
        NTKROB_CHECK(std::isfinite(a(i, j)), NonFinite, "entry (", i, ",", j, ") of a symmetric matrix is ", a(i, j));
  }

  /// One sweep; true when nothing was left to rotate.
  static bool rotate_all(View2D<double> a, View2D<double> v, double negligible) {
    const index n = a.rows;
    bool done = true;
    for (index p = 0; p < n; ++p)
      for (index q = p + 1; q < n; ++q) {
        if (std::abs(a(p, q)) <= negligible) continue;
        done = false;
        const double theta = (a(q, q) - a(p, p)) / (2 * a(p, q));
        const double t = (theta < 0 ? -1 : 1) / (std::abs(theta) + std::sqrt(theta * theta + 1));
        const double c = 1 / std::sqrt(t * t + 1), s = t * c;
        for (index k = 0; k < n; ++k) {
          const double kp = a(k, p), kq = a(k, q);
          a(k, p) = c * kp - s * kq;
          a(k, q) = s * kp + c * kq;
        }
        for (index k = 0; k < n; ++k) {
          const double pk = a(p, k), qk = a(q, k), vp = v(p, k), vq = v(q, k);
          a(p, k) = c * pk - s * qk;
          a(q, k) = s * pk + c * qk;
          v(p, k) = c * vp - s * vq;
          v(q, k) = s * vp + c * vq;
        }
        a(p, q) = a(q, p) = 0;
      }
    return done;
  }

  template <class R>
  static index factor(View2D<R> a) {
    for (index j = 0; j < a.rows; ++j) {
      const double pivot = static_cast<double>(a(j, j)) - dot(a.row(j), a.row(j), j);
      if (!(pivot > 0)) return j;
      a(j, j) = static_cast<R>(std::sqrt(pivot));
      for (index i = j + 1; i < a.rows; ++i)
        a(i, j) =
            static_cast<R>((static_cast<double>(a(i, j)) - dot(a.row(i), a.row(j), j)) / static_cast<double>(a(j, j)));
    }
    return -1;
  }

  template <class R>
  static void substitute(View2D<const R> factor, View2D<R> b) {
    const index n = factor.rows;
    for (index c = 0; c < b.cols; ++c) {
      for (index i = 0; i < n; ++i) {
        double sum = static_cast<double>(b(i, c));
        for (index k = 0; k < i; ++k) sum -= static_cast<double>(factor(i, k)) * static_cast<double>(b(k, c));
        b(i, c) = static_cast<R>(sum / static_cast<double>(factor(i, i)));
      }
      for (index i = n - 1; i >= 0; --i) {
        double sum = static_cast<double>(b(i, c));
        for (index k = i + 1; k < n; ++k) sum -= static_cast<double>(factor(k, i)) * static_cast<double>(b(k, c));
        b(i, c) = static_cast<R>(sum / static_cast<double>(factor(i, i)));
      }
    }
  }

  template <class R>
  static void product(Transpose ta, Transpose tb, R alpha, ConstView2D<R> a, ConstView2D<R> b, R beta, View2D<R> c) {
    const index inner = ta == Transpose::no ? a.cols : a.rows;
    for (index i = 0; i < c.rows; ++i)
      for (index j = 0; j < c.cols; ++j) {
        double sum = 0;
        for (index k = 0; k < inner; ++k)
          sum += static_cast<double>(ta == Transpose::no ? a(i, k) : a(k, i)) *
                 static_cast<double>(tb == Transpose::no ? b(k, j) : b(j, k));
        const double old = beta == R(0) ? 0.0 : static_cast<double>(beta) * static_cast<double>(c(i, j));
        c(i, j) = static_cast<R>(static_cast<double>(alpha) * sum + old);
      }
  }

  template <class R>
  static void copy(Transpose t, ConstView2D<R> b, Panels<R>& panels) {
    panels.operands = Operands::full;
    const bool transpose = t == Transpose::yes;
    panels.k = transpose ? b.cols : b.rows;
    panels.n = transpose ? b.rows : b.cols;
    panels.data = Matrix<R>(panels.k, panels.n);
    for (index p = 0; p < panels.k; ++p)
      for (index j = 0; j < panels.n; ++j) panels.data(p, j) = transpose ? b(j, p) : b(p, j);
  }

  template <class R>
  static void add_rows(ConstView2D<R> a, ConstView2D<R> vt, View2D<double> sum) {
    for (index i = 0; i < a.rows; ++i)
      for (index c = 0; c < vt.rows; ++c) sum(i, c) += dot(a.row(i), vt.row(c), a.cols);
  }

  /// The reference needs no coefficients; the table only carries the checks of the inputs: finite, and every layer's
  /// expectations exist.
  template <class R>
  static void check_samples(const Chain& chain, ConstView2D<R> x, SampleTable<R>& table) {
    table.n = x.rows;
    for (index i = 0; i < x.rows; ++i) {
      const double a = dot(x.row(i), x.row(i), x.cols) / static_cast<double>(x.cols);
      NTKROB_CHECK(std::isfinite(a), NonFinite, "sample ", i, " of a kernel input has values that are not finite");
      Variance v{a, 0};
      double unused[2][kMaxCoefficients];
      for (const ChainLayer& layer : chain)
        layers::visit(layer.kind,
                      [&](auto l) { v = decltype(l)::sample(v, layer.params.data(), unused[0], unused[1]); });
    }
  }

  template <class R>
  static void run(const PairTile<R>& tile) {
    const index d = tile.x.cols;
    const double inverse = 1 / static_cast<double>(d);
    for (index i = 0; i < tile.x.rows; ++i)
      for (index j = 0; j < tile.y.rows; ++j) {
        const R *x = tile.x.row(i), *y = tile.y.row(j);
        const bool same = tile.same && tile.x_begin + i == tile.y_begin + j;
        const double a = dot(x, x, d) * inverse, b = dot(y, y, d) * inverse;
        double q = dot(x, y, d) * inverse;
        if (tile.panels != nullptr && tile.panels->operands == Operands::bfloat16) {
          double rounded = 0;
          for (index k = 0; k < d; ++k)
            rounded += static_cast<double>(to_bfloat16(x[k])) * static_cast<double>(to_bfloat16(y[k]));
          rounded *= inverse;
          if (std::abs(rounded) <= (1 - kNearKink) * std::sqrt(a * b)) q = rounded;
        }
        const Dual k = pair_kernel(*tile.chain, tile.output, q, a, b, same);
        tile.value(i, j) = static_cast<R>(k.v);
        if (!tile.nngp.empty())
          tile.nngp(i, j) = static_cast<R>(pair_kernel(*tile.chain, Output::nngp, q, a, b, same).v);
        if (!tile.dq.empty()) tile.dq(i, j) = static_cast<R>(k.dq);
        if (!tile.da.empty()) tile.da(i, j) = static_cast<R>(k.da);
      }
    layers::set_same_pairs(tile);
  }

  template <class R>
  static void weigh(ConstView2D<R> u, ConstView2D<R> vt, View2D<R> dq, ConstView2D<R> da, View2D<double> row_sum) {
    for (index i = 0; i < dq.rows; ++i)
      for (index j = 0; j < dq.cols; ++j) {
        double g = 0;
        for (index c = 0; c < u.cols; ++c) g += static_cast<double>(u(i, c)) * static_cast<double>(vt(c, j));
        row_sum(i, 0) += g * static_cast<double>(da(i, j));
        dq(i, j) = static_cast<R>(g * static_cast<double>(dq(i, j)));
      }
  }
};

}  // namespace

std::unique_ptr<Backend> make_reference_backend() { return std::make_unique<ReferenceBackend>(); }

}  // namespace ntkrob
