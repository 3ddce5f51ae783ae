// Products with operands rounded to bfloat16: against the emulation of the reference backend, and bit for bit for every
// way of sharing out the work.
#include <cmath>
#include <cstdio>
#include <limits>

#include "kernel/inputs.hpp"
#include "kit/check.hpp"
#include "ntkrob/kernel/kernel.hpp"
#include "ntkrob/runtime/runtime.hpp"

using namespace ntkrob;

namespace {

/// The cpu backend, or null (and a line) where it has no such products.
std::unique_ptr<Backend> rough_backend(int workers) {
  auto backend = make_backend("cpu", workers);
  if (backend->supports_bfloat16().empty()) return backend;
  std::printf("skipped: %s\n", backend->supports_bfloat16().c_str());
  return nullptr;
}

Matrix<float> product(Backend& backend, Transpose t, const Matrix<float>& a, const Matrix<float>& b, float alpha = 1,
                      float beta = 0, Matrix<float> c = {}) {
  if (c.empty()) c = Matrix<float>(a.rows(), t == Transpose::yes ? b.rows() : b.cols());
  Panels<float> panels;
  backend.pack_bfloat16(t, b.view(), panels);
  backend.multiply(alpha, a.view(), panels, 0, beta, c.view());
  return c;
}

float product(Backend& backend, float a, float b) {
  Matrix<float> left(1, 1), right(1, 1);
  left(0, 0) = a;
  right(0, 0) = b;
  return product(backend, Transpose::no, left, right)(0, 0);
}

/// What a loop over attack steps does: values and gradient of x against y in one pass.
struct Pass {
  Matrix<float> out, dx;
  Pass(Backend& backend, const char* spec, const Matrix<float>& x, const Matrix<float>& y, const Matrix<float>& v,
       bool rough)
      : out(x.rows(), v.cols()), dx(x.rows(), x.cols()) {
    const Kernel kernel(KernelSpec::parse(spec), backend);
    PreparedSet<float> set;
    rough ? kernel.prepare_bfloat16(y.view(), set) : kernel.prepare<float>(y.view(), set);
    const auto cotangent = [](index, ConstView2D<float> f, View2D<float> u) { convert(f, u); };
    kernel.apply_grad<float>(x.view(), set, v.view(), cotangent, out.view(), dx.view());
  }
};

}  // namespace

TEST_CASE("operands are rounded to the nearest of 8 bits, ties to even, on both sides", "[kernel]") {
  const auto check = [](Backend& backend) {
    struct Case {
      float from, to;
    };
    const float ulp = 0x1p-7f;
    for (const Case& c :
         {Case{1, 1}, Case{1 + ulp / 2, 1}, Case{1 + 3 * ulp / 2, 1 + 2 * ulp}, Case{1 + ulp / 2 + 0x1p-23f, 1 + ulp},
          Case{-3 - ulp, -3}, Case{-3 - ulp - 0x1p-22f, -3 - 2 * ulp}, Case{0x1.fffp10f, 0x1p11f},
          Case{0x1.01p-100f, 0x1p-100f}, Case{0, 0}}) {
      INFO(c.from);
      CHECK(product(backend, c.from, 1) == c.to);
      CHECK(product(backend, 1, c.from) == c.to);
    }
    const float nan = std::numeric_limits<float>::quiet_NaN();
    CHECK(std::isnan(product(backend, nan, 1)));
    CHECK(std::isnan(product(backend, 1, nan)));
  };
  check(*make_backend("reference"));
  if (const auto cpu = rough_backend(1)) check(*cpu);
}

TEST_CASE("products of bfloat16 numbers equal the emulation for every edge", "[kernel]") {
  const auto cpu = rough_backend(2), reference = make_backend("reference");
  if (!cpu) return;
  struct Shape {
    index n, m, k;
  };
  // Edges of tiles (14 rows, 32 columns or fewer), of row blocks (84), of inner ranges (1024), of column blocks (1024),
  // of vectors of pairs (32), and odd inner lengths, whose last pair is half empty.
  for (const Shape& s : {Shape{1, 1, 1}, Shape{1, 1, 2}, Shape{14, 32, 7}, Shape{15, 33, 512}, Shape{13, 31, 1023},
                         Shape{85, 16, 1024}, Shape{29, 17, 1025}, Shape{84, 17, 3}, Shape{3, 1030, 21},
                         Shape{100, 65, 784}, Shape{5, 130, 2081}, Shape{7, 48, 31}, Shape{7, 49, 33}})
    for (const Transpose t : {Transpose::no, Transpose::yes})
      for (const float beta : {0.0f, 1.0f, -0.5f}) {
        INFO(s.n << " x " << s.m << " x " << s.k << (t == Transpose::yes ? " transposed" : "") << ", beta " << beta);
        const Matrix<float> a = kit::uniform_matrix<float>(s.n, s.k, 1, -1, 1);
        const Matrix<float> b = t == Transpose::yes ? kit::uniform_matrix<float>(s.m, s.k, 2, -1, 1)
                                                    : kit::uniform_matrix<float>(s.k, s.m, 2, -1, 1);
        const Matrix<float> c = kit::uniform_matrix<float>(s.n, s.m, 3, -1, 1);
        const Matrix<float> expected = product(*reference, t, a, b, 0.7f, beta, c);
        NTKROB_CHECK_SAME(kit::compare(product(*cpu, t, a, b, 0.7f, beta, c).view(), expected.view(),
                                       2e-6 * std::sqrt(static_cast<double>(s.k))));
      }
}

TEST_CASE("a bfloat16 product has the same bits for every cut and writes nothing outside its result", "[kernel]") {
  const auto backend = rough_backend(2);
  if (!backend) return;
  const index n = 97, m = 300, k = 1301;
  const Matrix<float> a = kit::uniform_matrix<float>(n, k, 4, -1, 1), b = kit::uniform_matrix<float>(m, k, 5, -1, 1);
  Panels<float> panels;
  backend->pack_bfloat16(Transpose::yes, b.view(), panels);
  Matrix<float> whole(n, m);
  backend->multiply(1.0f, a.view(), panels, 0, 0.0f, whole.view());
  for (const index rows : {1, 5, 14, 50}) {
    Matrix<float> frame(n + 2, m + 10);
    for (index i = 0; i < frame.size(); ++i) frame.data()[i] = 7;
    const View2D<float> cut = frame.view().middle_rows(1, n).middle_cols(3, m);
    for (index i = 0; i < n; i += rows)
      for (index j = 0; j < m; j += 2 * kPanelStep) {
        const index height = std::min(rows, n - i), width = std::min(2 * kPanelStep, m - j);
        backend->multiply(1.0f, a.view().middle_rows(i, height), panels, j, 0.0f,
                          cut.middle_rows(i, height).middle_cols(j, width));
      }
    INFO("rows " << rows);
    NTKROB_CHECK_SAME(kit::compare(cut, whole.view(), 0));
    index spoilt = 0;
    for (index i = 0; i < frame.rows(); ++i)
      for (index j = 0; j < frame.cols(); ++j) spoilt += (i < 1 || i > n || j < 3 || j >= m + 3) && frame(i, j) != 7;
    CHECK(spoilt == 0);
  }
}

TEST_CASE("panels may be packed again in the other precision", "[kernel]") {
  const auto backend = rough_backend(1);
  if (!backend) return;
  const Matrix<float> a = kit::uniform_matrix<float>(3, 40, 6), b = kit::uniform_matrix<float>(37, 40, 7);
  Panels<float> panels, fresh;
  Matrix<float> again(3, 37), expected(3, 37);
  backend->pack_bfloat16(Transpose::yes, b.view(), panels);
  backend->pack(Transpose::yes, b.view(), panels);
  backend->multiply(1.0f, a.view(), panels, 0, 0.0f, again.view());
  backend->pack(Transpose::yes, b.view(), fresh);
  backend->multiply(1.0f, a.view(), fresh, 0, 0.0f, expected.view());
  NTKROB_CHECK_SAME(kit::compare(again.view(), expected.view(), 0));
}

TEST_CASE("values and gradients from bfloat16 products equal the emulation and are near the full ones", "[kernel]") {
  const auto cpu = rough_backend(2), reference = make_backend("reference");
  if (!cpu) return;
  const char* spec = GENERATE("fc:1", "fc:3");
  const index d = GENERATE(17, 120);
  CAPTURE(spec, d);
  // Parallel, antiparallel, nearly parallel and zero rows on both sides: their rounded products leave [-1, 1].
  const Matrix<float> hard = kit::difficult_matrix<float>(d, 20), soft = kit::uniform_matrix<float>(90, d, 21);
  Matrix<float> x(hard.rows() + soft.rows(), d), y = x;
  convert(hard.view(), x.view().middle_rows(0, hard.rows()));
  convert(soft.view(), x.view().middle_rows(hard.rows(), soft.rows()));
  convert(hard.view(), y.view().middle_rows(0, hard.rows()));
  convert(kit::uniform_matrix<float>(90, d, 22).view(), y.view().middle_rows(hard.rows(), soft.rows()));
  const Matrix<float> v = kit::uniform_matrix<float>(y.rows(), 3, 23, -1, 1);
  const Pass rough(*cpu, spec, x, y, v, true), emulated(*reference, spec, x, y, v, true);
  const Pass full(*reference, spec, x, y, v, false);

  // The rounding of dq to 8 bits turns differences of 1e-7 between the backends into one unit of it, now and then.
  NTKROB_CHECK_SAME(kit::compare(rough.out.view(), emulated.out.view(), 1e-5 * kit::largest(emulated.out)));
  NTKROB_CHECK_SAME(kit::compare(rough.dx.view(), emulated.dx.view(), 1e-3 * kit::largest(emulated.dx)));
  NTKROB_CHECK_SAME(kit::compare(rough.out.view(), full.out.view(), 1e-2 * kit::largest(full.out)));
  // Rows with a nearly parallel partner are left out: there the gradient is a small difference of large terms.
  const index first = hard.rows(), n = soft.rows();
  NTKROB_CHECK_SAME(kit::compare(rough.dx.view().middle_rows(first, n), full.dx.view().middle_rows(first, n),
                                 2e-2 * kit::largest(full.dx)));
  double change = 0;
  for (index i = 0; i < full.out.size(); ++i) change += std::abs(rough.out.data()[i] - full.out.data()[i]);
  CHECK(change > 1e-5 * kit::largest(full.out));
}

TEST_CASE("bfloat16 values and gradients have the same bits for any number of workers", "[kernel]") {
  if (!rough_backend(1)) return;
  const Matrix<float> x = kit::uniform_matrix<float>(200, 50, 30), y = kit::uniform_matrix<float>(1100, 50, 31),
                      v = kit::uniform_matrix<float>(1100, 4, 32, -1, 1);
  const Pass one(*rough_backend(1), "fc:2", x, y, v, true);
  for (const int workers : {2, 3}) {
    INFO(workers << " workers");
    const Pass more(*rough_backend(workers), "fc:2", x, y, v, true);
    NTKROB_CHECK_SAME(kit::compare(more.out.view(), one.out.view(), 0));
    NTKROB_CHECK_SAME(kit::compare(more.dx.view(), one.dx.view(), 0));
  }
}

TEST_CASE("a set of bfloat16 operands serves no Gram matrix", "[kernel]") {
  const auto reference = make_backend("reference");
  const Kernel kernel(KernelSpec::parse("fc:1"), *reference);
  const Matrix<float> y = kit::uniform_matrix<float>(5, 4, 40);
  PreparedSet<float> set;
  kernel.prepare_bfloat16(y.view(), set);
  Matrix<double> gram(5, 5);
  Matrix<float> dx(5, 4);
  CHECK_THROWS_WITH(kernel.gram<float>(set, gram.view(), {}), Catch::Contains("bfloat16"));
  CHECK_THROWS_WITH(kernel.gram_grad<float>(set, {}, y.view(), y.view(), dx.view()), Catch::Contains("bfloat16"));
}

TEST_CASE("a backend without bfloat16 products says so and refuses to pack for them", "[kernel]") {
  const auto backend = make_backend("cpu", 1);
  if (backend->supports_bfloat16().empty()) {
    std::printf("skipped: this processor has them\n");
    return;
  }
  Panels<float> panels;
  const Matrix<float> b(2, 2);
  CHECK_THROWS_AS(backend->pack_bfloat16(Transpose::no, b.view(), panels), NotSupported);
  CHECK_THROWS_WITH(backend->pack_bfloat16(Transpose::no, b.view(), panels), Catch::Contains("AVX512_BF16"));
}
