// Invariants that hold for every kernel of the family.
#include "kernel/inputs.hpp"
#include "kit/check.hpp"
#include "ntkrob/kernel/kernel.hpp"
#include "ntkrob/runtime/runtime.hpp"

using namespace ntkrob;

namespace {

Matrix<double> gram(Backend& backend, const char* spec, const Matrix<double>& x, const Matrix<double>& y,
                    Output output = Output::ntk) {
  Matrix<double> k(x.rows(), y.rows());
  Kernel(KernelSpec::parse(spec), backend, {output, 0}).matrix(x.view(), y.view(), Pairing::cross, k.view());
  return k;
}

}  // namespace

TEST_CASE("k(x,y) = k(y,x), and a bias-free ReLU kernel is homogeneous of degree one in each argument", "[kernel]") {
  const auto backend = make_backend("cpu", 2);
  const Matrix<double> x = kit::uniform_matrix<double>(20, 8, 1, -1, 1),
                       y = kit::uniform_matrix<double>(30, 8, 2, -1, 1);
  const Matrix<double> k = gram(*backend, "fc:3(b=0)", x, y), back = gram(*backend, "fc:3(b=0)", y, x);
  Matrix<double> transposed(20, 30), scaled_x = x;
  for (index i = 0; i < 20; ++i)
    for (index j = 0; j < 30; ++j) transposed(i, j) = back(j, i);
  NTKROB_CHECK_SAME(kit::compare(transposed.view(), k.view(), 1e-14 * kit::largest(k)));
  for (index i = 0; i < scaled_x.size(); ++i) scaled_x.data()[i] *= 37.5;
  Matrix<double> scaled = gram(*backend, "fc:3(b=0)", scaled_x, y);
  for (index i = 0; i < scaled.size(); ++i) scaled.data()[i] /= 37.5;
  NTKROB_CHECK_SAME(kit::compare(scaled.view(), k.view(), 1e-13 * kit::largest(k)));
}

TEST_CASE("fully connected kernels are invariant under a joint rotation", "[kernel]") {
  const auto backend = make_backend("cpu", 2);
  const Matrix<double> x = kit::uniform_matrix<double>(15, 6, 3, -1, 1);
  Matrix<double> rotated = x;
  for (index i = 0; i < 15; ++i)
    for (index k = 0; k + 1 < 6; ++k) {
      const double c = std::cos(0.3 + static_cast<double>(k)), s = std::sin(0.3 + static_cast<double>(k));
      const double a = rotated(i, k), b = rotated(i, k + 1);
      rotated(i, k) = c * a - s * b;
      rotated(i, k + 1) = s * a + c * b;
    }
  const Matrix<double> k = gram(*backend, "fc:2", x, x);
  NTKROB_CHECK_SAME(kit::compare(gram(*backend, "fc:2", rotated, rotated).view(), k.view(), 1e-7 * kit::largest(k)));
}

TEST_CASE("the NTK of a net of dense layers is depth times its NNGP without bias", "[kernel]") {
  const auto backend = make_backend("cpu", 1);
  const Matrix<double> x = kit::uniform_matrix<double>(9, 5, 4, -1, 1);
  Matrix<double> ntk = gram(*backend, "dense(b=0)-dense(b=0)-dense(b=0)", x, x);
  const Matrix<double> nngp = gram(*backend, "dense(b=0)-dense(b=0)-dense(b=0)", x, x, Output::nngp);
  for (index i = 0; i < ntk.size(); ++i) ntk.data()[i] /= 3;
  NTKROB_CHECK_SAME(kit::compare(ntk.view(), nngp.view(), 1e-14 * kit::largest(nngp)));
}

TEST_CASE("a Gram matrix is positive definite", "[kernel]") {
  const auto backend = make_backend("cpu", 2);
  const Matrix<double> x = kit::uniform_matrix<double>(120, 10, 5);
  Matrix<double> k(120, 120);
  Kernel(KernelSpec::parse("fc:3"), *backend).matrix(x.view(), x.view(), Pairing::same, k.view());
  CHECK(backend->factor_spd(k.view()) == -1);
}

TEST_CASE("results have the same bits for one and for three workers", "[kernel]") {
  const auto one = make_backend("cpu", 1), three = make_backend("cpu", 3);
  const Matrix<float> x = kit::uniform_matrix<float>(333, 50, 6), y = kit::uniform_matrix<float>(601, 50, 7),
                      u = kit::uniform_matrix<float>(333, 4, 8, -1, 1),
                      v = kit::uniform_matrix<float>(601, 4, 9, -1, 1);
  Matrix<float> out[2] = {{333, 4}, {333, 4}}, dx[2] = {{333, 50}, {333, 50}}, k[2] = {{333, 333}, {333, 333}};
  Matrix<double> factor[2] = {{333, 333}, {333, 333}};
  Backend* backends[2] = {one.get(), three.get()};
  for (int b = 0; b < 2; ++b) {
    const Kernel kernel(KernelSpec::parse("fc:3"), *backends[b]);
    kernel.apply(x.view(), y.view(), Pairing::cross, v.view(), out[b].view());
    kernel.grad(x.view(), y.view(), Pairing::cross, u.view(), v.view(), dx[b].view());
    kernel.matrix(x.view(), x.view(), Pairing::same, k[b].view());
    kernel.matrix(x.view(), x.view(), Pairing::same, factor[b].view());
    REQUIRE(backends[b]->factor_spd(factor[b].view()) == -1);
  }
  NTKROB_CHECK_SAME(kit::compare(out[0].view(), out[1].view(), 0));
  NTKROB_CHECK_SAME(kit::compare(dx[0].view(), dx[1].view(), 0));
  NTKROB_CHECK_SAME(kit::compare(k[0].view(), k[1].view(), 0));
  NTKROB_CHECK_SAME(kit::compare(factor[0].view(), factor[1].view(), 0));
}

TEST_CASE("inputs that are not finite or too large are refused by name", "[kernel]") {
  const auto backend = make_backend("cpu", 1);
  Matrix<float> x = kit::uniform_matrix<float>(5, 4, 10), k(5, 5);
  const Kernel kernel(KernelSpec::parse("fc:1"), *backend);
  using Catch::Matchers::Contains;
  x(3, 2) = std::nanf("");
  CHECK_THROWS_WITH(kernel.matrix(x.view(), x.view(), Pairing::same, k.view()),
                    Contains("sample 3") && Contains("not finite"));
  x(3, 2) = 1e20f;
  CHECK_THROWS_WITH(kernel.matrix(x.view(), x.view(), Pairing::same, k.view()),
                    Contains("sample 3") && Contains("float64"));
  CHECK_THROWS_AS(kernel.matrix(x.view(), Matrix<float>(5, 3).view(), Pairing::cross, k.view()), ShapeError);
}
