// The cpu backend against the reference backend, on every verb.
#include <cmath>
#include <vector>

#include "kernel/inputs.hpp"
#include "kernel/parity_specs.hpp"
#include "kit/check.hpp"
#include "ntkrob/kernel/kernel.hpp"
#include "ntkrob/runtime/runtime.hpp"

using namespace ntkrob;

namespace {

struct Pair {
  std::unique_ptr<Backend> reference = make_backend("reference");
  std::unique_ptr<Backend> cpu = make_backend("cpu", 2);
};

template <class R>
Matrix<R> matrix_of(Backend& backend, const std::string& spec, const Matrix<R>& x, const Matrix<R>& y, Pairing p,
                    Output output) {
  Matrix<R> k(x.rows(), y.rows());
  Kernel(KernelSpec::parse(spec), backend, {output, 0}).matrix(x.view(), y.view(), p, k.view());
  return k;
}

/// The natural unit of an error: sqrt(k(x,x) k(y,y)), at its largest.
double scale_of(Backend& backend, const std::string& spec, const Matrix<float>& x, const Matrix<float>& y) {
  double largest[2] = {0, 0};
  for (int side = 0; side < 2; ++side) {
    const Matrix<float>& set = side == 0 ? x : y;
    std::vector<double> diagonal(static_cast<std::size_t>(set.rows()));
    Kernel(KernelSpec::parse(spec), backend).diag(set.view(), diagonal.data());
    for (const double value : diagonal) largest[side] = std::max(largest[side], value);
  }
  return std::sqrt(largest[0] * largest[1]);
}

}  // namespace

TEST_CASE("float64 matrix equals the textbook formula for general and difficult pairs", "[kernel]") {
  Pair b;
  const Matrix<double> general = kit::uniform_matrix<double>(37, 11, 1, -1, 1),
                       other = kit::uniform_matrix<double>(70, 11, 2, -1, 1);
  const Matrix<double> difficult = kit::difficult_matrix<double>(11, 3);
  for (const std::string& spec : kit::parity_specs())
    for (const Output output : {Output::ntk, Output::nngp}) {
      INFO(spec << (output == Output::ntk ? " ntk" : " nngp"));
      const auto expected = matrix_of(*b.reference, spec, general, other, Pairing::cross, output);
      NTKROB_CHECK_SAME(kit::compare(matrix_of(*b.cpu, spec, general, other, Pairing::cross, output).view(),
                                     expected.view(), 1e-13 * kit::largest(expected)));
      // Angles near 0: the textbook root of ab - q^2 is good to 1e-8 only.
      const auto hard = matrix_of(*b.reference, spec, difficult, difficult, Pairing::same, output);
      NTKROB_CHECK_SAME(kit::compare(matrix_of(*b.cpu, spec, difficult, difficult, Pairing::same, output).view(),
                                     hard.view(), 5e-8 * kit::largest(hard)));
    }
}

TEST_CASE("mixed matrix is within 1e-6 of scale of the float64 textbook formula", "[kernel]") {
  Pair b;
  const Matrix<float> x = kit::uniform_matrix<float>(40, 784, 4, -1, 1),
                      y = kit::uniform_matrix<float>(300, 784, 5, -0.2, 1);
  const Matrix<float> difficult = kit::difficult_matrix<float>(784, 6);
  for (const std::string& spec : kit::parity_specs()) {
    INFO(spec);
    const auto expected = matrix_of(*b.reference, spec, kit::converted<double>(x), kit::converted<double>(y),
                                    Pairing::cross, Output::ntk);
    NTKROB_CHECK_SAME(kit::compare(matrix_of(*b.cpu, spec, x, y, Pairing::cross, Output::ntk).view(), expected.view(),
                                   1e-6 * scale_of(*b.cpu, spec, x, y)));
    const auto hard = matrix_of(*b.reference, spec, kit::converted<double>(difficult),
                                kit::converted<double>(difficult), Pairing::same, Output::ntk);
    NTKROB_CHECK_SAME(kit::compare(matrix_of(*b.cpu, spec, difficult, difficult, Pairing::same, Output::ntk).view(),
                                   hard.view(), 1e-6 * scale_of(*b.cpu, spec, difficult, difficult)));
  }
}

TEST_CASE("apply, grad and apply_grad equal the reference backend", "[kernel]") {
  Pair b;
  const index r = 3;
  const Matrix<double> x = kit::uniform_matrix<double>(45, 13, 7, -1, 1),
                       y = kit::uniform_matrix<double>(61, 13, 8, -1, 1);
  const Matrix<double> u = kit::uniform_matrix<double>(45, r, 9, -1, 1),
                       v = kit::uniform_matrix<double>(61, r, 10, -1, 1);
  for (const std::string& spec : kit::parity_specs())
    for (const Output output : {Output::ntk, Output::nngp}) {
      INFO(spec);
      Matrix<double> out[2] = {{45, r}, {45, r}}, dx[2] = {{45, 13}, {45, 13}}, fused_out(45, r), fused_dx(45, 13);
      Backend* backends[2] = {b.reference.get(), b.cpu.get()};
      for (int k = 0; k < 2; ++k) {
        const Kernel kernel(KernelSpec::parse(spec), *backends[k], {output, 0});
        kernel.apply(x.view(), y.view(), Pairing::cross, v.view(), out[k].view());
        kernel.grad(x.view(), y.view(), Pairing::cross, u.view(), v.view(), dx[k].view());
      }
      NTKROB_CHECK_SAME(kit::compare(out[1].view(), out[0].view(), 1e-12 * kit::largest(out[0])));
      NTKROB_CHECK_SAME(kit::compare(dx[1].view(), dx[0].view(), 1e-10 * kit::largest(dx[0])));
      const Kernel kernel(KernelSpec::parse(spec), *b.cpu, {output, 0});
      kernel.apply_grad(
          x.view(), y.view(), Pairing::cross, v.view(),
          [&](index first, ConstView2D<double> o, View2D<double> target) {
            for (index i = 0; i < o.rows; ++i)
              for (index c = 0; c < r; ++c) target(i, c) = u(first + i, c);
          },
          fused_out.view(), fused_dx.view());
      NTKROB_CHECK_SAME(kit::compare(fused_out.view(), out[1].view(), 0));
      NTKROB_CHECK_SAME(kit::compare(fused_dx.view(), dx[1].view(), 0));
    }
}

TEST_CASE("mixed gradients agree with float64 to 1e-5 of the largest component", "[kernel]") {
  Pair b;
  const index r = 4;
  const Matrix<float> x = kit::uniform_matrix<float>(30, 100, 11), y = kit::uniform_matrix<float>(90, 100, 12);
  const Matrix<float> u = kit::uniform_matrix<float>(30, r, 13, -1, 1),
                      v = kit::uniform_matrix<float>(90, r, 14, -1, 1);
  Matrix<float> dx(30, 100);
  Matrix<double> expected(30, 100);
  const KernelSpec spec = KernelSpec::parse("fc:3");
  Kernel(spec, *b.cpu).grad(x.view(), y.view(), Pairing::cross, u.view(), v.view(), dx.view());
  Kernel(spec, *b.reference)
      .grad(kit::converted<double>(x).view(), kit::converted<double>(y).view(), Pairing::cross,
            kit::converted<double>(u).view(), kit::converted<double>(v).view(), expected.view());
  NTKROB_CHECK_SAME(kit::compare(dx.view(), expected.view(), 1e-5 * kit::largest(expected)));
}

TEST_CASE("factor and solve equal the reference and name the bad pivot", "[kernel]") {
  Pair b;
  for (const index n : {1, 5, 191, 192, 193, 450, 700}) {
    const Matrix<double> g = kit::uniform_matrix<double>(n, n + 3, 15, -1, 1);
    Matrix<double> a(n, n), rhs = kit::uniform_matrix<double>(n, 3, 16, -1, 1), solution = rhs;
    b.cpu->gemm(Transpose::no, Transpose::yes, 1.0, g.view(), g.view(), 0.0, a.view());
    for (index i = 0; i < n; ++i) a(i, i) += 1;
    Matrix<double> factor = a;
    REQUIRE(b.cpu->factor_spd(factor.view()) == -1);
    b.cpu->solve_spd(factor.view(), solution.view());
    Matrix<double> back(n, 3);
    b.cpu->gemm(Transpose::no, Transpose::no, 1.0, a.view(), solution.view(), 0.0, back.view());
    NTKROB_CHECK_SAME(kit::compare(back.view(), rhs.view(), 1e-10 * kit::largest(a)));
  }
  Matrix<double> bad(300, 300);
  for (index i = 0; i < 300; ++i) bad(i, i) = i == 250 ? -1 : 1;
  CHECK(b.cpu->factor_spd(Matrix<double>(bad).view()) == 250);
  CHECK(b.reference->factor_spd(Matrix<double>(bad).view()) == 250);
}
