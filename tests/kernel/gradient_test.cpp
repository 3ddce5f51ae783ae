// Derivatives of the kernel verbs against central differences, and the rules at coincident inputs.
#include "kernel/inputs.hpp"
#include "kernel/parity_specs.hpp"
#include "kit/check.hpp"
#include "ntkrob/kernel/kernel.hpp"
#include "ntkrob/runtime/runtime.hpp"

using namespace ntkrob;

namespace {

/// The example of every layer, and layers one after another.
std::vector<std::string> specs() {
  std::vector<std::string> result = kit::layer_examples();
  for (const char* more :
       {"dense", "fc:1", "fc:3", "fc:4(b=0)", "fc:2(w=1,b=0.7)", "dense-leaky(0.2)-dense-abs-dense(b=0)",
        "dense-abrelu(-0.5,0.2)-dense-identity-dense", "dense-erf-dense(b=0)-erf(0.7,1.5,0.3)-dense",
        "dense(param=standard,in=9,width=30)-relu-dense(b=0,param=standard,width=4)-scale(3)-"
        "gelu-dense(w=2,param=standard)",
        "dense(b=0)-sin(1,0.8,0.3)-dense-cos(1,1,0.4)-dense",
        "dense-hermite(3)-dense(w=0.3)-layernorm(0.1)-hermite(4)-dense"})
    result.emplace_back(more);
  return result;
}

double weighted_sum(const Matrix<double>& k, const Matrix<double>& u, const Matrix<double>& v) {
  double sum = 0;
  for (index i = 0; i < k.rows(); ++i)
    for (index j = 0; j < k.cols(); ++j)
      for (index c = 0; c < u.cols(); ++c) sum += u(i, c) * v(j, c) * k(i, j);
  return sum;
}

}  // namespace

TEST_CASE("grad equals central differences of the weighted sum of the matrix", "[kernel][grad]") {
  const auto backend = make_backend("cpu", 2);
  const Matrix<double> x = kit::uniform_matrix<double>(7, 9, 1, -1, 1),
                       y = kit::uniform_matrix<double>(21, 9, 2, -1, 1);
  const Matrix<double> u = kit::uniform_matrix<double>(7, 2, 3, -1, 1),
                       v = kit::uniform_matrix<double>(21, 2, 4, -1, 1);
  for (const std::string& spec : specs())
    for (const Output output : {Output::ntk, Output::nngp}) {
      INFO(spec << (output == Output::ntk ? " ntk" : " nngp"));
      const Kernel kernel(KernelSpec::parse(spec), *backend, {output, 0});
      Matrix<double> dx(7, 9), k(7, 21);
      kernel.grad(x.view(), y.view(), Pairing::cross, u.view(), v.view(), dx.view());
      NTKROB_CHECK_SAME(kit::check_gradient(
          [&](ConstView2D<double> at) {
            kernel.matrix(at, y.view(), Pairing::cross, k.view());
            return weighted_sum(k, u, v);
          },
          dx.view(), x.view(), 1e-8));
    }
}

TEST_CASE("grad with Pairing::same and a symmetric cotangent is half of the total derivative", "[kernel][grad]") {
  const auto backend = make_backend("cpu", 2);
  const index n = 8;
  const Matrix<double> x = kit::uniform_matrix<double>(n, 6, 5, -1, 1), u = kit::uniform_matrix<double>(n, 2, 6, -1, 1);
  for (const std::string& spec : specs()) {
    INFO(spec);
    const Kernel kernel(KernelSpec::parse(spec), *backend);
    Matrix<double> dx(n, 6), k(n, n);
    kernel.grad(x.view(), x.view(), Pairing::same, u.view(), u.view(), dx.view());
    for (index i = 0; i < dx.size(); ++i) dx.data()[i] *= 2;
    NTKROB_CHECK_SAME(kit::check_gradient(
        [&](ConstView2D<double> at) {
          kernel.matrix(at, at, Pairing::same, k.view());
          return weighted_sum(k, u, u);
        },
        dx.view(), x.view(), 1e-8));
  }
}

TEST_CASE("gram and gram_grad equal matrix and grad with and without kept products", "[kernel]") {
  const auto backend = make_backend("cpu", 2);
  const index n = 300;
  const Matrix<double> x = kit::uniform_matrix<double>(n, 6, 15, -1, 1),
                       u = kit::uniform_matrix<double>(n, 2, 16, -1, 1),
                       v = kit::uniform_matrix<double>(n, 2, 17, -1, 1);
  const Kernel kernel(KernelSpec::parse("fc:3"), *backend);
  Matrix<double> k(n, n), expected_k(n, n), products(n, n), dx(n, 6), again(n, 6), expected(n, 6);
  kernel.matrix(x.view(), x.view(), Pairing::same, expected_k.view());
  kernel.grad(x.view(), x.view(), Pairing::same, u.view(), v.view(), expected.view());
  PreparedSet<double> set;
  kernel.prepare<double>(x.view(), set);
  kernel.gram(set, k.view(), products.view());
  kernel.gram_grad(set, products.view(), u.view(), v.view(), dx.view());
  kernel.gram_grad(set, {}, u.view(), v.view(), again.view());
  NTKROB_CHECK_SAME(kit::compare(k.view(), expected_k.view(), 1e-13 * kit::largest(expected_k)));
  NTKROB_CHECK_SAME(kit::compare(dx.view(), expected.view(), 1e-12 * kit::largest(expected)));
  NTKROB_CHECK_SAME(kit::compare(again.view(), expected.view(), 0));
}

TEST_CASE("pull_back equals apply on the other side, apply back and grad", "[kernel]") {
  const auto backend = make_backend("cpu", 2), one = make_backend("cpu", 1);
  const index n = 270, m = 700, r = 3;
  const Matrix<double> x = kit::uniform_matrix<double>(n, 6, 18, -1, 1),
                       y = kit::uniform_matrix<double>(m, 6, 19, -1, 1),
                       v = kit::uniform_matrix<double>(n, r, 20, -1, 1);
  const Kernel kernel(KernelSpec::parse("fc:2"), *backend), serial(KernelSpec::parse("fc:2"), *one);
  const auto square = [](index, ConstView2D<double> out, View2D<double> g) {
    for (index i = 0; i < out.rows; ++i)
      for (index c = 0; c < out.cols; ++c) g(i, c) = out(i, c) * out(i, c);
  };
  Matrix<double> out(m, r), h(n, r), dx(n, 6), g(m, r), expected_out(m, r), expected_h(n, r), expected_dx(n, 6);
  kernel.pull_back(x.view(), y.view(), v.view(), square, out.view(), h.view(), dx.view());
  kernel.apply(y.view(), x.view(), Pairing::cross, v.view(), expected_out.view());
  square(0, out.view(), g.view());
  kernel.apply(x.view(), y.view(), Pairing::cross, g.view(), expected_h.view());
  kernel.grad(x.view(), y.view(), Pairing::cross, v.view(), g.view(), expected_dx.view());
  NTKROB_CHECK_SAME(kit::compare(out.view(), expected_out.view(), 1e-12 * kit::largest(expected_out)));
  NTKROB_CHECK_SAME(kit::compare(h.view(), expected_h.view(), 1e-12 * kit::largest(expected_h)));
  NTKROB_CHECK_SAME(kit::compare(dx.view(), expected_dx.view(), 1e-12 * kit::largest(expected_dx)));
  Matrix<double> out1(m, r), h1(n, r), dx1(n, 6);
  serial.pull_back(x.view(), y.view(), v.view(), square, out1.view(), h1.view(), dx1.view());
  NTKROB_CHECK_SAME(kit::compare(dx1.view(), dx.view(), 0));
  NTKROB_CHECK_SAME(kit::compare(h1.view(), h.view(), 0));
}

TEST_CASE("diag and its gradient equal the matrix diagonal and central differences", "[kernel][grad]") {
  const auto backend = make_backend("cpu", 1);
  const index n = 6;
  const Matrix<double> x = kit::uniform_matrix<double>(n, 5, 7, -1, 1), w = kit::uniform_matrix<double>(1, n, 8, -1, 1);
  for (const std::string& spec : specs())
    for (const Output output : {Output::ntk, Output::nngp}) {
      INFO(spec);
      const Kernel kernel(KernelSpec::parse(spec), *backend, {output, 0});
      Matrix<double> k(n, n), diagonal(1, n), from_matrix(1, n), dx(n, 5);
      kernel.matrix(x.view(), x.view(), Pairing::same, k.view());
      kernel.diag(x.view(), diagonal.data());
      for (index i = 0; i < n; ++i) from_matrix(0, i) = k(i, i);
      NTKROB_CHECK_SAME(kit::compare(diagonal.view(), from_matrix.view(), 1e-14 * kit::largest(diagonal)));
      kernel.add_diag_grad(x.view(), w.data(), dx.view());
      // Behind a last layernorm k(x,x) is the same for all x: rounding is no gradient to be relative to.
      const double unit = kit::largest(diagonal);
      if (kit::largest(dx) <= 1e-11 * unit) {
        const Matrix<double> y = kit::uniform_matrix<double>(n, 5, 9, -1, 1);
        kernel.diag(y.view(), from_matrix.data());
        NTKROB_CHECK_SAME(kit::compare(from_matrix.view(), diagonal.view(), 1e-11 * unit));
        continue;
      }
      NTKROB_CHECK_SAME(kit::check_gradient(
          [&](ConstView2D<double> at) {
            kernel.diag(at, diagonal.data());
            double sum = 0;
            for (index i = 0; i < n; ++i) sum += w(0, i) * diagonal(0, i);
            return sum;
          },
          dx.view(), x.view(), 1e-9));
    }
}

TEST_CASE("values have the same bits with and without derivatives", "[kernel]") {
  const auto backend = make_backend("cpu", 2);
  const Matrix<float> x = kit::difficult_matrix<float>(40, 9), v = kit::uniform_matrix<float>(14, 3, 10, -1, 1);
  for (const std::string& spec : specs()) {
    const Kernel kernel(KernelSpec::parse(spec), *backend);
    Matrix<float> plain(14, 3), with(14, 3), dx(14, 40);
    kernel.apply(x.view(), x.view(), Pairing::cross, v.view(), plain.view());
    kernel.apply_grad(
        x.view(), x.view(), Pairing::cross, v.view(),
        [](index, ConstView2D<float> out, View2D<float> u) {
          for (index i = 0; i < out.rows; ++i)
            for (index c = 0; c < out.cols; ++c) u(i, c) = 1;
        },
        with.view(), dx.view());
    NTKROB_CHECK_SAME(kit::compare(with.view(), plain.view(), 0));
  }
}

TEST_CASE("an input that coincides with a support point gets half the diagonal's derivative", "[kernel][grad]") {
  const auto backend = make_backend("cpu", 1);
  const Matrix<double> x = kit::uniform_matrix<double>(1, 12, 11), one = [] {
    Matrix<double> m(1, 1);
    m(0, 0) = 1;
    return m;
  }();
  for (const std::string& spec : specs()) {
    INFO(spec);
    const Kernel kernel(KernelSpec::parse(spec), *backend);
    const Matrix<double> copy = x;
    Matrix<double> dx(1, 12), half(1, 12);
    // Under dropout a copy is another sample, with masks of its own: only the sample itself will do.
    const bool noisy = std::string(spec).find("dropout") != std::string::npos;
    kernel.grad(x.view(), noisy ? x.view() : copy.view(), noisy ? Pairing::same : Pairing::cross, one.view(),
                one.view(), dx.view());
    const double w = 0.5;
    kernel.add_diag_grad(x.view(), &w, half.view());
    NTKROB_CHECK_SAME(kit::compare(dx.view(), half.view(), 1e-12 * kit::largest(half)));
  }
}

TEST_CASE("values and gradients of zero, duplicate, parallel and nearly coincident inputs are finite and bounded",
          "[kernel]") {
  const auto backend = make_backend("cpu", 2);
  const Matrix<double> x = kit::difficult_matrix<double>(20, 12), v = kit::uniform_matrix<double>(14, 2, 13, -1, 1);
  const Matrix<float> xf = kit::converted<float>(x), vf = kit::converted<float>(v);
  for (const char* spec :
       {"fc:1", "fc:3", "fc:3(b=0)", "fc:20", "dense-leaky-dense-abs-dense", "dense-layernorm-relu-dense(b=0)"}) {
    INFO(spec);
    const Kernel kernel(KernelSpec::parse(spec), *backend);
    Matrix<double> dx(14, 20), k(14, 14);
    Matrix<float> dxf(14, 20);
    for (const Pairing pairing : {Pairing::cross, Pairing::same}) {
      kernel.matrix(x.view(), x.view(), pairing, k.view());
      kernel.grad(x.view(), x.view(), pairing, v.view(), v.view(), dx.view());
      kernel.grad(xf.view(), xf.view(), pairing, vf.view(), vf.view(), dxf.view());
      // The kernel is Lipschitz in each argument: no term may exceed the sum of the weights times the slope at general
      // pairs.
      CHECK(kit::largest(dx) < 100);
      NTKROB_CHECK_SAME(kit::compare(dxf.view(), dx.view(), 2e-2 * kit::largest(dx)));
    }
  }
}
