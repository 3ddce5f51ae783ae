// The cpu backend against the reference backend on networks on images: every operation, value and gradient.
#include "kernel/image_specs.hpp"
#include "kernel/inputs.hpp"
#include "kit/check.hpp"
#include "ntkrob/kernel/kernel.hpp"
#include "ntkrob/runtime/runtime.hpp"

using namespace ntkrob;

namespace {

constexpr ImageShape kShape{5, 6, 2};

struct Run {
  Matrix<double> k, dx;
};

Run run(const char* spec, const char* name, Output output, Pairing pairing, const Matrix<double>& x,
        const Matrix<double>& y) {
  const auto backend = make_backend(name, 1);
  const Kernel kernel(KernelSpec::parse(spec), *backend, {output, 0, kShape});
  Run out{{x.rows(), y.rows()}, {x.rows(), x.cols()}};
  const Matrix<double> u = kit::uniform_matrix<double>(x.rows(), 2, 3, -1, 1),
                       v = kit::uniform_matrix<double>(y.rows(), 2, 4, -1, 1);
  kernel.matrix(x.view(), y.view(), pairing, out.k.view());
  kernel.grad(x.view(), y.view(), pairing, u.view(), v.view(), out.dx.view());
  return out;
}

}  // namespace

TEST_CASE("images: values and gradients equal the textbook formulas pair of positions by pair", "[kernel][images]") {
  const Matrix<double> x = kit::uniform_matrix<double>(3, kShape.size(), 1, -1, 1),
                       y = kit::uniform_matrix<double>(2, kShape.size(), 2, -1, 1);
  for (const char* spec : kit::kImageSpecs)
    for (const Output output : {Output::ntk, Output::nngp}) {
      INFO(spec << (output == Output::ntk ? " ntk" : " nngp"));
      const Run expected = run(spec, "reference", output, Pairing::cross, x, y),
                got = run(spec, "cpu", output, Pairing::cross, x, y);
      NTKROB_CHECK_SAME(kit::compare(got.k.view(), expected.k.view(), 1e-13 * kit::largest(expected.k)));
      NTKROB_CHECK_SAME(kit::compare(got.dx.view(), expected.dx.view(), 1e-11 * kit::largest(expected.dx)));
      const Run same = run(spec, "reference", output, Pairing::same, x, x),
                own = run(spec, "cpu", output, Pairing::same, x, x);
      // Behind a pool the angle of a pair (x, x) is rounding: 1e-8.
      NTKROB_CHECK_SAME(kit::compare(own.k.view(), same.k.view(), 5e-8 * kit::largest(same.k)));
    }
}

TEST_CASE("images: derivatives of the reference backend equal central differences", "[kernel][images]") {
  const auto backend = make_backend("reference");
  const Matrix<double> x = kit::uniform_matrix<double>(2, kShape.size(), 5, -1, 1),
                       y = kit::uniform_matrix<double>(2, kShape.size(), 6, -1, 1),
                       u = kit::uniform_matrix<double>(2, 1, 7, -1, 1), v = kit::uniform_matrix<double>(2, 1, 8, -1, 1);
  for (const char* spec : {"conv(3)-relu-avgpool(2)-conv(2)-layernorm(0.1,axes=all)-relu-gap-dense-gelu-dense",
                           "conv(3,stride=2)-sum(erf-conv(3) | )-exp(b=0.3)-flatten-dense",
                           "conv(3)-product(relu-conv(2) | conv(1))-gap-dense"}) {
    INFO(spec);
    const Kernel kernel(KernelSpec::parse(spec), *backend, {Output::ntk, 0, kShape});
    Matrix<double> dx(2, kShape.size()), k(2, 2);
    kernel.grad(x.view(), y.view(), Pairing::cross, u.view(), v.view(), dx.view());
    NTKROB_CHECK_SAME(kit::check_gradient(
        [&](ConstView2D<double> at) {
          kernel.matrix(at, y.view(), Pairing::cross, k.view());
          double sum = 0;
          for (index i = 0; i < 2; ++i)
            for (index j = 0; j < 2; ++j) sum += u(i, 0) * v(j, 0) * k(i, j);
          return sum;
        },
        dx.view(), x.view(), 1e-7, 1e-4, 24));
  }
}
