// Every backend of this build that this machine can run, against the reference backend: all operations, shapes at the
// edges of blocks.
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "backend/each_backend.hpp"
#include "kernel/inputs.hpp"
#include "kernel/parity_specs.hpp"
#include "ntkrob/kernel/kernel.hpp"

using namespace ntkrob;

namespace {

void for_each_backend(const std::function<void(Backend& tested, Backend& reference)>& check) {
  const auto reference = make_backend("reference");
  kit::for_each_backend([&](Backend& tested) { check(tested, *reference); });
}

struct Shape {
  index n, m, k;
};
constexpr Shape kShapes[] = {{1, 1, 1},     {2, 3, 5},      {31, 33, 32}, {64, 64, 16},
                             {65, 63, 129}, {14, 130, 513}, {7, 1025, 3}, {0, 4, 3}};

/// A matrix inside a larger one, whose frame must stay as it is.
template <class R>
struct Framed {
  Matrix<R> all;
  index rows, cols;
  explicit Framed(const Matrix<R>& inner)
      : all(inner.rows() + 2, inner.cols() + 5), rows(inner.rows()), cols(inner.cols()) {
    std::fill_n(all.data(), all.size(), R(7));
    convert(inner.view(), view());
  }
  View2D<R> view() { return all.view().middle_rows(1, rows).middle_cols(2, cols); }
  bool intact() {
    index sevens = 0;
    Matrix<R> copy = all;
    for (index i = 0; i < rows; ++i) std::fill_n(copy.row(i + 1) + 2, cols, R(7));
    for (index i = 0; i < copy.size(); ++i) sevens += copy.data()[i] == R(7) ? 1 : 0;
    return sevens == copy.size();
  }
};

template <class R>
void check_gemm(Backend& tested, Backend& reference, double tolerance) {
  for (const Shape& s : kShapes)
    for (const Transpose ta : {Transpose::no, Transpose::yes})
      for (const Transpose tb : {Transpose::no, Transpose::yes})
        for (const double beta : {0.0, -0.5}) {
          INFO(s.n << " x " << s.m << " x " << s.k << (ta == Transpose::yes ? " a transposed" : "")
                   << (tb == Transpose::yes ? " b transposed" : "") << ", beta " << beta);
          const bool at = ta == Transpose::yes, bt = tb == Transpose::yes;
          Framed<R> a(kit::uniform_matrix<R>(at ? s.k : s.n, at ? s.n : s.k, 1, -1, 1)),
              b(kit::uniform_matrix<R>(bt ? s.m : s.k, bt ? s.k : s.m, 2, -1, 1)),
              c(kit::uniform_matrix<R>(s.n, s.m, 3, -1, 1)), expected = c;
          tested.gemm(ta, tb, R(0.7), a.view(), b.view(), static_cast<R>(beta), c.view());
          reference.gemm(ta, tb, R(0.7), a.view(), b.view(), static_cast<R>(beta), expected.view());
          NTKROB_CHECK_SAME(kit::compare(c.view(), expected.view(), tolerance * std::sqrt(static_cast<double>(s.k))));
          CHECK(c.intact());
        }
}

template <class R>
void check_multiply(Backend& tested, Backend& reference, double tolerance) {
  for (const Shape& s : kShapes)
    for (const Transpose t : {Transpose::no, Transpose::yes})
      for (const double beta : {0.0, 1.0}) {
        INFO(s.n << " x " << s.m << " x " << s.k << (t == Transpose::yes ? " transposed" : "") << ", beta " << beta);
        const bool bt = t == Transpose::yes;
        Framed<R> a(kit::uniform_matrix<R>(s.n, s.k, 4, -1, 1)),
            b(kit::uniform_matrix<R>(bt ? s.m : s.k, bt ? s.k : s.m, 5, -1, 1)),
            c(kit::uniform_matrix<R>(s.n, s.m, 6, -1, 1)), expected = c;
        Panels<R> ours, theirs;
        tested.pack(t, b.view(), ours);
        reference.pack(t, b.view(), theirs);
        tested.multiply(R(0.7), a.view(), ours, 0, static_cast<R>(beta), c.view());
        reference.multiply(R(0.7), a.view(), theirs, 0, static_cast<R>(beta), expected.view());
        NTKROB_CHECK_SAME(kit::compare(c.view(), expected.view(), tolerance * std::sqrt(static_cast<double>(s.k))));
        CHECK(c.intact());
        if (s.m <= kPanelStep) continue;
        const index rest = s.m - kPanelStep;  // the same bits for a part
        Matrix<R> part(kit::uniform_matrix<R>(s.n, s.m, 6, -1, 1).view().middle_cols(kPanelStep, rest));
        tested.multiply(R(0.7), a.view(), ours, kPanelStep, static_cast<R>(beta), part.view());
        NTKROB_CHECK_SAME(kit::compare(part.view(), c.view().middle_cols(kPanelStep, rest), 0));
      }
}

template <class R>
void check_sums(Backend& tested, Backend& reference, double tolerance) {
  for (const index m : {1, 127, 1024, 1025, 2100})
    for (const index r : {1, 10}) {
      INFO("m " << m << ", r " << r);
      const double bound = tolerance * std::sqrt(static_cast<double>(m));
      Framed<R> a(kit::uniform_matrix<R>(3, m, 7, -1, 1)), vt(kit::uniform_matrix<R>(r, m, 8, -1, 1)),
          u(kit::uniform_matrix<R>(3, r, 9, -1, 1)), dq(kit::uniform_matrix<R>(3, m, 10, -1, 1)), expected_dq = dq;
      Framed<double> sum(kit::uniform_matrix<double>(3, r, 11)), expected = sum;
      tested.add_thin(a.view(), vt.view(), sum.view());
      reference.add_thin(a.view(), vt.view(), expected.view());
      NTKROB_CHECK_SAME(kit::compare(sum.view(), expected.view(), bound));
      CHECK(sum.intact());
      Framed<double> rows(kit::uniform_matrix<double>(3, 1, 12)), expected_rows = rows;
      tested.weigh_tile(u.view(), vt.view(), dq.view(), a.view(), rows.view());
      reference.weigh_tile(u.view(), vt.view(), expected_dq.view(), a.view(), expected_rows.view());
      NTKROB_CHECK_SAME(kit::compare(dq.view(), expected_dq.view(), 2 * tolerance));
      NTKROB_CHECK_SAME(kit::compare(rows.view(), expected_rows.view(), 4 * bound));
      CHECK((dq.intact() && rows.intact()));
    }
}

template <class R>
struct TileResults {
  Matrix<R> value, nngp, dq, da;
  TileResults(index n, index m) : value(n, m), nngp(n, m), dq(n, m), da(n, m) {}
};

/// Rows [x_begin, ..) of x against rows [y_begin, ..) of y, with a packed operand or products made before.
template <class R>
TileResults<R> tile_of(Backend& backend, const Chain& chain, Output output, ConstView2D<R> x, ConstView2D<R> y,
                       index x_begin, index y_begin, bool same, bool packed) {
  SampleTable<R> tables[2];
  backend.sample_table(chain, x, tables[0]);
  backend.sample_table(chain, y, tables[1]);
  Panels<R> panels;
  backend.pack(Transpose::yes, y, panels);
  PairTile<R> tile;
  tile.chain = &chain;
  tile.output = output;
  tile.x = x.middle_rows(x_begin, x.rows - x_begin);
  tile.y = y.middle_rows(y_begin, y.rows - y_begin);
  tile.x_table = &tables[0];
  tile.y_table = &tables[1];
  tile.x_begin = x_begin;
  tile.y_begin = y_begin;
  tile.same = same;
  TileResults<R> r(tile.x.rows, tile.y.rows);
  tile.value = r.value.view();
  tile.nngp = r.nngp.view();
  tile.dq = r.dq.view();
  tile.da = r.da.view();
  if (packed) {
    tile.panels = &panels;
    tile.panel_begin = y_begin;
  } else {
    backend.multiply(R(1) / static_cast<R>(x.cols), tile.x, panels, y_begin, R(0), tile.value);
  }
  backend.pair_tile(tile);
  return r;
}

}  // namespace

TEST_CASE("products equal the reference for all shapes and write nothing else", "[backend]") {
  for_each_backend([](Backend& tested, Backend& reference) {
    check_gemm<float>(tested, reference, 2e-6);
    check_gemm<double>(tested, reference, 4e-15);
    check_multiply<float>(tested, reference, 2e-6);
    check_multiply<double>(tested, reference, 4e-15);
  });
}

TEST_CASE("sums along tiles equal the reference and write nothing else", "[backend]") {
  for_each_backend([](Backend& tested, Backend& reference) {
    check_sums<float>(tested, reference, 2e-6);
    check_sums<double>(tested, reference, 4e-15);
  });
}

TEST_CASE("tiles of pairs equal the reference for all layers", "[backend]") {
  const Matrix<double> x = kit::uniform_matrix<double>(6, 11, 12, -1, 1),
                       y = kit::uniform_matrix<double>(140, 11, 13, -1, 1),
                       hard = kit::difficult_matrix<double>(11, 14);
  for_each_backend([&](Backend& tested, Backend& reference) {
    for (const std::string& text : kit::parity_specs())
      for (const Output output : {Output::ntk, Output::nngp}) {
        INFO(text << (output == Output::ntk ? " ntk" : " nngp"));
        const KernelSpec spec = KernelSpec::parse(text);
        const auto on = [&](Backend& backend, bool packed) {
          return tile_of<double>(backend, spec.layers(), output, x.view(), y.view(), 1, kPanelStep, false, packed);
        };
        const TileResults<double> expected = on(reference, true), found = on(tested, true), again = on(tested, false);
        NTKROB_CHECK_SAME(
            kit::compare(found.value.view(), expected.value.view(), 1e-13 * kit::largest(expected.value)));
        NTKROB_CHECK_SAME(kit::compare(found.nngp.view(), expected.nngp.view(), 1e-13 * kit::largest(expected.nngp)));
        NTKROB_CHECK_SAME(kit::compare(found.dq.view(), expected.dq.view(), 1e-11 * kit::largest(expected.dq)));
        NTKROB_CHECK_SAME(kit::compare(found.da.view(), expected.da.view(), 1e-11 * kit::largest(expected.dq)));
        NTKROB_CHECK_SAME(kit::compare(again.value.view(), found.value.view(), 0));
        // Zero, equal and nearly parallel samples, and pairs of a sample with itself. Angles near 0: the textbook root
        // of ab - q^2 is good to 1e-8 only.
        const auto same = [&](Backend& backend) {
          return tile_of<double>(backend, spec.layers(), output, hard.view(), hard.view(), 2, 0, true, true).value;
        };
        const Matrix<double> textbook = same(reference);
        NTKROB_CHECK_SAME(kit::compare(same(tested).view(), textbook.view(), 5e-8 * kit::largest(textbook)));
      }
  });
}

TEST_CASE("float32 tiles are within 1e-6 of scale of float64 textbook formulas", "[backend]") {
  const Matrix<float> x = kit::difficult_matrix<float>(784, 15), y = kit::uniform_matrix<float>(70, 784, 16, -0.2, 1);
  for_each_backend([&](Backend& tested, Backend& reference) {
    for (const char* text : {"fc:3", "dense-gelu-dense", "dense-relu-dropout(0.7)-dense-erf-dense"}) {
      INFO(text);
      const KernelSpec spec = KernelSpec::parse(text);
      const auto expected = [&](ConstView2D<double> right, bool same) {
        return tile_of<double>(reference, spec.layers(), Output::ntk, kit::converted<double>(x).view(), right, 0, 0,
                               same, true)
            .value;
      };
      const Matrix<double> general = expected(kit::converted<double>(y).view(), false),
                           hard = expected(kit::converted<double>(x).view(), true);
      NTKROB_CHECK_SAME(kit::compare(
          tile_of<float>(tested, spec.layers(), Output::ntk, x.view(), y.view(), 0, 0, false, true).value.view(),
          general.view(), 1e-6 * kit::largest(hard)));
      NTKROB_CHECK_SAME(kit::compare(
          tile_of<float>(tested, spec.layers(), Output::ntk, x.view(), x.view(), 0, 0, true, true).value.view(),
          hard.view(), 1e-6 * kit::largest(hard)));
    }
  });
}

TEST_CASE("products and pairs of bfloat16 numbers equal the reference, nearly coincident pairs to full precision",
          "[backend]") {
  const KernelSpec spec = KernelSpec::parse("fc:3");
  for_each_backend([&](Backend& tested, Backend& reference) {
    if (!tested.supports_bfloat16().empty()) {
      std::printf("skipped: %s\n", tested.supports_bfloat16().c_str());
      return;
    }
    Panels<float> ours, theirs;
    for (const Shape& s : {Shape{1, 1, 1}, Shape{31, 33, 32}, Shape{14, 130, 513}})
      for (const Transpose t : {Transpose::no, Transpose::yes}) {
        INFO(s.n << " x " << s.m << " x " << s.k << (t == Transpose::yes ? " transposed" : ""));
        Framed<float> a(kit::uniform_matrix<float>(s.n, s.k, 31, -1, 1)),
            b(kit::uniform_matrix<float>(t == Transpose::yes ? s.m : s.k, t == Transpose::yes ? s.k : s.m, 32, -1, 1)),
            c(kit::uniform_matrix<float>(s.n, s.m, 33, -1, 1)), expected = c;
        tested.pack_bfloat16(t, b.view(), ours);
        reference.pack_bfloat16(t, b.view(), theirs);
        tested.multiply(0.7f, a.view(), ours, 0, -0.5f, c.view());
        reference.multiply(0.7f, a.view(), theirs, 0, -0.5f, expected.view());
        NTKROB_CHECK_SAME(kit::compare(c.view(), expected.view(), 2e-6 * std::sqrt(static_cast<double>(s.k))));
        CHECK(c.intact());
        tested.pack(t, b.view(), ours);  // the same panels for full operands
        reference.pack(t, b.view(), theirs);
        tested.multiply(1.0f, a.view(), ours, 0, 0.0f, c.view());
        reference.multiply(1.0f, a.view(), theirs, 0, 0.0f, expected.view());
        NTKROB_CHECK_SAME(kit::compare(c.view(), expected.view(), 2e-6 * std::sqrt(static_cast<double>(s.k))));
      }
    // Samples y in host memory and in an array; x has samples next to some of y.
    const Matrix<float> y = kit::uniform_matrix<float>(kPanelStep + 9, 50, 34, 0, 1);
    Matrix<float> x = kit::uniform_matrix<float>(8, 50, 35, 0, 1);
    for (index k = 0; k < x.cols(); ++k)
      for (index i = 0; i < 4; ++i) x(i, k) = y(kPanelStep + i, k) + (k == i ? 1e-3f : 0.0f);
    Array<float> near(tested.arrays(), y.rows(), y.cols());
    tested.arrays().copy(y.view(), near.view());
    const auto values = [&](Backend& backend, ConstView2D<float> right) {
      SampleTable<float> x_table, y_table;
      backend.sample_table(spec.layers(), x.view(), x_table);
      backend.sample_table(spec.layers(), right, y_table);
      Panels<float> panels;
      backend.pack_bfloat16(Transpose::yes, right, panels);
      PairTile<float> tile;
      tile.chain = &spec.layers();
      tile.x = x.view();
      tile.y = right.middle_rows(kPanelStep, 9);
      tile.x_table = &x_table;
      tile.y_table = &y_table;
      tile.y_begin = tile.panel_begin = kPanelStep;
      tile.panels = &panels;
      TileResults<float> r(8, 9);
      tile.value = r.value.view();
      tile.nngp = r.nngp.view();
      tile.dq = r.dq.view();
      tile.da = r.da.view();
      backend.pair_tile(tile);
      return r;
    };
    const TileResults<float> expected = values(reference, y.view()), found = values(tested, y.view()),
                             again = values(tested, near.view());
    NTKROB_CHECK_SAME(kit::compare(found.value.view(), expected.value.view(), 1e-5 * kit::largest(expected.value)));
    NTKROB_CHECK_SAME(kit::compare(found.dq.view(), expected.dq.view(), 1e-3 * kit::largest(expected.dq)));
    NTKROB_CHECK_SAME(kit::compare(again.value.view(), found.value.view(), 0));
    NTKROB_CHECK_SAME(kit::compare(again.dq.view(), found.dq.view(), 0));
    for (index i = 0; i < 4; ++i)  // exact: the rounded product is wrong by some 1e-3
      CHECK(std::abs(found.value(i, i) - expected.value(i, i)) < 2e-6 * kit::largest(expected.value));
  });
}

/// G G^T + I.
template <class R>
Matrix<R> definite_matrix(Backend& reference, index n) {
  const Matrix<R> g = kit::uniform_matrix<R>(n, n + 3, 17, -1, 1);
  Matrix<R> a(n, n);
  reference.gemm(Transpose::no, Transpose::yes, R(1), g.view(), g.view(), R(0), a.view());
  for (index i = 0; i < n; ++i) a(i, i) += R(1);
  return a;
}

template <class R>
void check_factor(Backend& tested, Backend& reference) {
  const double rounding = std::is_same<R, float>::value ? 1e-5 : 1e-13;
  for (const index n : {1, 5, 65, 193, 401}) {
    INFO("n " << n << ", " << sizeof(R) << " bytes");
    const Matrix<R> a = definite_matrix<R>(reference, n);
    Framed<R> factor(a), x(kit::uniform_matrix<R>(n, 3, 18, -1, 1));
    Matrix<R> back(n, 3);
    const Matrix<R> rhs(x.view());
    REQUIRE(tested.factor_spd(factor.view()) == -1);
    for (index i = 0; i < n; ++i)  // the upper triangle stays
      for (index j = i + 1; j < n; ++j) CHECK(factor.view()(i, j) == a(i, j));
    tested.solve_spd(factor.view(), x.view());
    reference.gemm(Transpose::no, Transpose::no, R(1), a.view(), x.view(), R(0), back.view());
    NTKROB_CHECK_SAME(kit::compare(back.view(), rhs.view(), rounding * kit::largest(a)));
    CHECK((factor.intact() && x.intact()));
  }
  Matrix<R> bad(400, 400);
  for (const R pivot : {R(-1), std::numeric_limits<R>::quiet_NaN()})
    for (const index place : {70, 300}) {
      for (index i = 0; i < 400; ++i) bad(i, i) = i == place ? pivot : R(1);
      CHECK(tested.factor_spd(Matrix<R>(bad).view()) == place);
    }
}

TEST_CASE("factor and solve invert in both precisions, and the bad pivot is named", "[backend]") {
  for_each_backend([](Backend& tested, Backend& reference) {
    check_factor<float>(tested, reference);
    check_factor<double>(tested, reference);
  });
}

TEST_CASE("eigenvectors give the matrix back", "[backend]") {
  for_each_backend([](Backend& tested, Backend& reference) {
    for (const index n : {1, 5, 65, 193}) {
      INFO("n " << n);
      const Matrix<double> a = definite_matrix<double>(reference, n);
      Matrix<double> values(1, n);
      Framed<double> vectors(a);
      tested.symmetric_eigen(vectors.view(), values.data());
      Matrix<double> scaled(vectors.view()), sum(n, n);
      for (index k = 0; k < n; ++k) {
        CHECK((k == 0 || values(0, k) >= values(0, k - 1)));
        for (index j = 0; j < n; ++j) scaled(k, j) *= values(0, k);
      }
      reference.gemm(Transpose::yes, Transpose::no, 1.0, scaled.view(), vectors.view(), 0.0, sum.view());
      NTKROB_CHECK_SAME(kit::compare(sum.view(), a.view(), 1e-12 * kit::largest(a) * static_cast<double>(n)));
      CHECK(vectors.intact());
    }
    Matrix<double> bad(100, 100);
    bad(70, 70) = std::numeric_limits<double>::quiet_NaN();
    CHECK_THROWS_AS(tested.symmetric_eigen(bad.view(), std::vector<double>(100).data()), NonFinite);
  });
}

TEST_CASE("tasks run once each, on workers that exist, and may use the backend", "[backend]") {
  for_each_backend([](Backend& tested, Backend& reference) {
    const index n = 40, k = 30;
    const Matrix<double> a = kit::uniform_matrix<double>(n, k, 19, -1, 1),
                         b = kit::uniform_matrix<double>(70, k, 20, -1, 1);
    Panels<double> panels, theirs;
    tested.pack(Transpose::yes, b.view(), panels);
    reference.pack(Transpose::yes, b.view(), theirs);
    Matrix<double> c(n, 70), expected(n, 70), runs(1, n);
    tested.for_each(n, [&](index i, int worker) {
      runs(0, i) += worker >= 0 && worker < tested.info().workers ? 1 : 100;
      tested.multiply(1.0, a.view().middle_rows(i, 1), panels, 0, 0.0, c.view().middle_rows(i, 1));
    });
    reference.multiply(1.0, a.view(), theirs, 0, 0.0, expected.view());
    NTKROB_CHECK_SAME(kit::compare(c.view(), expected.view(), 1e-13));
    for (index i = 0; i < n; ++i) CHECK(runs(0, i) == 1);
  });
}

TEST_CASE("copies of packed operands and tables keep what they were made from", "[backend]") {
  for_each_backend([](Backend& tested, Backend&) {
    const Matrix<double> a = kit::uniform_matrix<double>(3, 5, 21), b = kit::uniform_matrix<double>(8, 5, 22);
    Panels<double> panels;
    tested.pack(Transpose::yes, b.view(), panels);
    const Panels<double> copy = panels;
    Matrix<double> before(3, 8), after(3, 8);
    tested.multiply(1.0, a.view(), copy, 0, 0.0, before.view());
    tested.pack(Transpose::yes, Matrix<double>(8, 5).view(), panels);
    tested.multiply(1.0, a.view(), copy, 0, 0.0, after.view());
    NTKROB_CHECK_SAME(kit::compare(after.view(), before.view(), 0));
    CHECK(kit::largest(before) > 0);
  });
}
