// Products with packed operands, and the verbs that use them: against the reference backend, and bit for bit for every
// way of sharing out the work.
#include "kernel/inputs.hpp"
#include "kit/check.hpp"
#include "ntkrob/kernel/kernel.hpp"
#include "ntkrob/runtime/runtime.hpp"

using namespace ntkrob;

namespace {

template <class R>
Matrix<R> product(Backend& backend, Transpose t, const Matrix<R>& a, const Matrix<R>& b, R alpha, R beta, Matrix<R> c) {
  Panels<R> panels;
  backend.pack(t, b.view(), panels);
  backend.multiply(alpha, a.view(), panels, 0, beta, c.view());
  return c;
}

template <class R>
void check_products(double tolerance) {
  const auto cpu = make_backend("cpu", 2), reference = make_backend("reference");
  struct Shape {
    index n, m, k;
  };
  // Edges of tiles (14 or 6 rows, 32 columns or fewer), of row blocks (84), of inner ranges (512), of column blocks
  // (1024), and distances of rows that collide in the cache.
  for (const Shape& s : {Shape{1, 1, 1}, Shape{14, 32, 7}, Shape{15, 33, 512}, Shape{13, 31, 513}, Shape{85, 16, 1024},
                         Shape{84, 17, 3}, Shape{3, 1030, 20}, Shape{100, 65, 784}, Shape{29, 130, 1500}})
    for (const Transpose t : {Transpose::no, Transpose::yes})
      for (const double beta : {0.0, 1.0, -0.5}) {
        INFO(s.n << " x " << s.m << " x " << s.k << (t == Transpose::yes ? " transposed" : "") << ", beta " << beta);
        const Matrix<R> a = kit::uniform_matrix<R>(s.n, s.k, 1, -1, 1);
        const Matrix<R> b = t == Transpose::yes ? kit::uniform_matrix<R>(s.m, s.k, 2, -1, 1)
                                                : kit::uniform_matrix<R>(s.k, s.m, 2, -1, 1);
        const Matrix<R> c = kit::uniform_matrix<R>(s.n, s.m, 3, -1, 1);
        const Matrix<R> expected = product(*reference, t, a, b, R(0.7), static_cast<R>(beta), c);
        NTKROB_CHECK_SAME(kit::compare(product(*cpu, t, a, b, R(0.7), static_cast<R>(beta), c).view(), expected.view(),
                                       tolerance * std::sqrt(static_cast<double>(s.k))));
      }
}

template <class R>
void check_cuts() {
  const auto backend = make_backend("cpu", 2);
  const index n = 97, m = 300, k = 600;
  const Matrix<R> a = kit::uniform_matrix<R>(n, k, 4, -1, 1), b = kit::uniform_matrix<R>(m, k, 5, -1, 1);
  Panels<R> panels;
  backend->pack(Transpose::yes, b.view(), panels);
  Matrix<R> whole(n, m);
  backend->multiply(R(1), a.view(), panels, 0, R(0), whole.view());
  for (const index rows : {1, 5, 14, 50}) {
    Matrix<R> cut(n, m);
    for (index i = 0; i < n; i += rows)
      for (index j = 0; j < m; j += 2 * kPanelStep) {
        const index height = std::min(rows, n - i), width = std::min(2 * kPanelStep, m - j);
        backend->multiply(R(1), a.view().middle_rows(i, height), panels, j, R(0),
                          cut.view().middle_rows(i, height).middle_cols(j, width));
      }
    INFO("rows " << rows);
    NTKROB_CHECK_SAME(kit::compare(cut.view(), whole.view(), 0));
  }
}

template <class R>
Matrix<R> transposed(const Matrix<R>& a) {
  Matrix<R> t(a.cols(), a.rows());
  for (index i = 0; i < t.rows(); ++i)
    for (index j = 0; j < t.cols(); ++j) t(i, j) = a(j, i);
  return t;
}

template <class R>
void check_general_products() {
  struct Shape {
    index n, m, k;
  };
  // Few rows, which read b where it lies, and many; whole and partial panels; distances of rows that collide in the
  // cache, and more panels than are laid out at a time; enough work for several tasks.
  for (const Shape& s : {Shape{1, 1, 1}, Shape{12, 128, 100}, Shape{29, 37, 513}, Shape{85, 200, 1100},
                         Shape{256, 784, 100}, Shape{700, 10, 600}})
    for (const Transpose ta : {Transpose::no, Transpose::yes})
      for (const Transpose tb : {Transpose::no, Transpose::yes})
        for (const R beta : {R(0), R(1), R(-0.5)}) {
          INFO(s.n << " x " << s.m << " x " << s.k << (ta == Transpose::yes ? " T" : " N")
                   << (tb == Transpose::yes ? "T" : "N") << ", beta " << beta);
          const auto backend = make_backend("cpu", 2);
          const Matrix<R> a = kit::uniform_matrix<R>(s.n, s.k, 1, -1, 1),
                          b = kit::uniform_matrix<R>(s.k, s.m, 2, -1, 1);
          const Matrix<R> c = kit::uniform_matrix<R>(s.n, s.m, 3, -1, 1);
          const Matrix<R> at = transposed(a), bt = transposed(b);
          Matrix<R> result = c;
          backend->gemm(ta, tb, R(0.7), ta == Transpose::yes ? at.view() : a.view(),
                        tb == Transpose::yes ? bt.view() : b.view(), beta, result.view());
          NTKROB_CHECK_SAME(
              kit::compare(result.view(), product(*backend, Transpose::no, a, b, R(0.7), beta, c).view(), 0));
        }
}

}  // namespace

TEST_CASE("a general product has the bits of a packed one", "[kernel]") {
  check_general_products<float>();
  check_general_products<double>();
}

TEST_CASE("products with packed operands equal the reference for every edge", "[kernel]") {
  check_products<float>(2e-6);
  check_products<double>(4e-15);
}

TEST_CASE("a product has the same bits for every cut of its rows and columns", "[kernel]") {
  check_cuts<float>();
  check_cuts<double>();
}

TEST_CASE("a product writes nothing outside its result", "[kernel]") {
  const auto backend = make_backend("cpu", 1);
  const Matrix<float> a = kit::uniform_matrix<float>(15, 40, 6), b = kit::uniform_matrix<float>(37, 40, 7);
  Panels<float> panels;
  backend->pack(Transpose::yes, b.view(), panels);
  Matrix<float> frame(17, 50);
  for (index i = 0; i < frame.size(); ++i) frame.data()[i] = 7;
  backend->multiply(1.0f, a.view(), panels, 0, 0.0f, frame.view().middle_rows(1, 15).middle_cols(3, 37));
  for (index i = 0; i < frame.rows(); ++i)
    for (index j = 0; j < frame.cols(); ++j)
      if (i < 1 || i >= 16 || j < 3 || j >= 40) {
        INFO("(" << i << "," << j << ")");
        CHECK(frame(i, j) == 7);
      }
}

TEST_CASE("thin products equal the reference, and add", "[kernel]") {
  const auto cpu = make_backend("cpu", 1), reference = make_backend("reference");
  for (const index m : {1, 15, 16, 1024, 1025, 2100})
    for (const index r : {1, 4, 5, 10, 13}) {
      INFO("m " << m << ", r " << r);
      const Matrix<float> a = kit::uniform_matrix<float>(7, m, 8, -1, 1),
                          vt = kit::uniform_matrix<float>(r, m, 9, -1, 1);
      Matrix<double> sum = kit::uniform_matrix<double>(7, r, 10), expected = sum;
      cpu->add_thin(a.view(), vt.view(), sum.view());
      reference->add_thin(a.view(), vt.view(), expected.view());
      NTKROB_CHECK_SAME(kit::compare(sum.view(), expected.view(), 2e-6 * std::sqrt(static_cast<double>(m))));
    }
}

TEST_CASE("verbs have the same bits with a prepared set, any number of workers and any roomy budget", "[kernel]") {
  const index n = 150, m = 2200, d = 30, r = 4;
  const Matrix<float> x = kit::uniform_matrix<float>(n, d, 11), y = kit::uniform_matrix<float>(m, d, 12),
                      u = kit::uniform_matrix<float>(n, r, 13, -1, 1), v = kit::uniform_matrix<float>(m, r, 14, -1, 1);
  Matrix<float> out(n, r), dx(n, d), k(n, m);
  const auto one = make_backend("cpu", 1);
  const KernelSpec spec = KernelSpec::parse("fc:2");
  const Kernel first(spec, *one);
  first.apply(x.view(), y.view(), Pairing::cross, v.view(), out.view());
  first.grad(x.view(), y.view(), Pairing::cross, u.view(), v.view(), dx.view());
  first.matrix(x.view(), y.view(), Pairing::cross, k.view());
  const auto given = [&](index begin, ConstView2D<float>, View2D<float> target) {
    convert(u.view().middle_rows(begin, target.rows), target);
  };
  for (const int workers : {1, 2, 3})
    for (const std::size_t budget : {std::size_t(0), std::size_t(1) << 20}) {
      INFO(workers << " workers, budget " << budget);
      const auto backend = make_backend("cpu", workers);
      const Kernel kernel(spec, *backend, {Output::ntk, budget});
      if (budget > 0) CHECK(plan_tiles(Verb::grad, n, m, d, r, 4, workers, budget).band < m);
      PreparedSet<float> set;
      kernel.prepare<float>(y.view(), set);
      for (const bool prepared : {false, true}) {
        if (prepared && budget > 0) continue;
        INFO((prepared ? "prepared" : "plain"));
        Matrix<float> o(n, r), g(n, d), fused_o(n, r), fused_g(n, d), matrix(n, m);
        if (prepared) {
          kernel.apply(x.view(), set, v.view(), o.view());
          kernel.grad(x.view(), set, u.view(), v.view(), g.view());
          kernel.apply_grad(x.view(), set, v.view(), given, fused_o.view(), fused_g.view());
        } else {
          kernel.apply(x.view(), y.view(), Pairing::cross, v.view(), o.view());
          kernel.grad(x.view(), y.view(), Pairing::cross, u.view(), v.view(), g.view());
          kernel.apply_grad(x.view(), y.view(), Pairing::cross, v.view(), given, fused_o.view(), fused_g.view());
          kernel.matrix(x.view(), y.view(), Pairing::cross, matrix.view());
          NTKROB_CHECK_SAME(kit::compare(matrix.view(), k.view(), 0));
        }
        NTKROB_CHECK_SAME(kit::compare(o.view(), out.view(), 0));
        NTKROB_CHECK_SAME(kit::compare(g.view(), dx.view(), 0));
        NTKROB_CHECK_SAME(kit::compare(fused_o.view(), out.view(), 0));
        NTKROB_CHECK_SAME(kit::compare(fused_g.view(), dx.view(), 0));
      }
    }
}
