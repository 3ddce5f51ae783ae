// Networks on images: the verbs against each other and against differences, and the cases that break angles.
#include "kernel/inputs.hpp"
#include "kit/check.hpp"
#include "ntkrob/kernel/kernel.hpp"
#include "ntkrob/runtime/runtime.hpp"

using namespace ntkrob;

namespace {

constexpr ImageShape kShape{6, 5, 2};
const char* const kSpecs[] = {"cnn:2",
                              "cnn:1(pool=gap)",
                              "conv(3,stride=2)-relu-flatten-dense",
                              "conv(3)-relu-avgpool(2)-conv(3,pad=circular)-relu-flatten-dense",
                              "conv(3)-residual(relu-conv(3,dilation=2))-layernorm(0.1,axes=all)-erf-gap-dense",
                              "conv(2,b=0)-leaky(0.2)-sumpool(3,stride=1,pad=same)-conv(1)-gelu-gap-dense"};

Matrix<double> images(index n, std::uint64_t seed) {
  return kit::uniform_matrix<double>(n, kShape.size(), seed, -1, 1);
}

double weighted_sum(const Matrix<double>& k, const Matrix<double>& u, const Matrix<double>& v) {
  double sum = 0;
  for (index i = 0; i < k.rows(); ++i)
    for (index j = 0; j < k.cols(); ++j)
      for (index c = 0; c < u.cols(); ++c) sum += u(i, c) * v(j, c) * k(i, j);
  return sum;
}

Kernel kernel_of(const char* spec, Backend& backend, Output output = Output::ntk) {
  return Kernel(KernelSpec::parse(spec), backend, {output, 0, kShape});
}

}  // namespace

TEST_CASE("images: apply is the matrix times v, and the matrix is symmetric", "[kernel][images]") {
  const auto backend = make_backend("cpu", 2);
  const Matrix<double> x = images(5, 1), y = images(19, 2), v = kit::uniform_matrix<double>(19, 3, 3, -1, 1);
  for (const char* spec : kSpecs) {
    INFO(spec);
    const Kernel kernel = kernel_of(spec, *backend);
    Matrix<double> k(5, 19), back(19, 5), out(5, 3), expected(5, 3);
    kernel.matrix(x.view(), y.view(), Pairing::cross, k.view());
    kernel.matrix(y.view(), x.view(), Pairing::cross, back.view());
    kernel.apply(x.view(), y.view(), Pairing::cross, v.view(), out.view());
    for (index i = 0; i < 5; ++i)
      for (index j = 0; j < 19; ++j) {
        CHECK(std::abs(k(i, j) - back(j, i)) <= 1e-13 * kit::largest(k));
        for (index c = 0; c < 3; ++c) expected(i, c) += k(i, j) * v(j, c);
      }
    NTKROB_CHECK_SAME(kit::compare(out.view(), expected.view(), 1e-13 * kit::largest(expected)));
  }
}

TEST_CASE("images: gradients equal central differences", "[kernel][images]") {
  const auto backend = make_backend("cpu", 2);
  const Matrix<double> x = images(3, 4), y = images(4, 5), u = kit::uniform_matrix<double>(3, 2, 6, -1, 1),
                       v = kit::uniform_matrix<double>(4, 2, 7, -1, 1);
  for (const char* spec : kSpecs)
    for (const Output output : {Output::ntk, Output::nngp}) {
      INFO(spec << (output == Output::ntk ? " ntk" : " nngp"));
      const Kernel kernel = kernel_of(spec, *backend, output);
      Matrix<double> dx(3, kShape.size()), k(3, 4);
      kernel.grad(x.view(), y.view(), Pairing::cross, u.view(), v.view(), dx.view());
      NTKROB_CHECK_SAME(kit::check_gradient(
          [&](ConstView2D<double> at) {
            kernel.matrix(at, y.view(), Pairing::cross, k.view());
            return weighted_sum(k, u, v);
          },
          dx.view(), x.view(), 1e-7, 1e-4, 24));
    }
}

TEST_CASE("images: apply_grad and pull_back equal apply and grad", "[kernel][images]") {
  const auto backend = make_backend("cpu", 2);
  const Matrix<double> x = images(4, 8), y = images(6, 9), v = kit::uniform_matrix<double>(6, 2, 10, -1, 1),
                       w = kit::uniform_matrix<double>(4, 2, 11, -1, 1);
  const auto square = [](index, ConstView2D<double> out, View2D<double> g) {
    for (index i = 0; i < out.rows; ++i)
      for (index c = 0; c < out.cols; ++c) g(i, c) = out(i, c) * out(i, c);
  };
  const Kernel kernel = kernel_of("conv(3)-relu-avgpool(2)-conv(3)-relu-gap-dense", *backend);
  const index d = kShape.size();
  Matrix<double> out(4, 2), dx(4, d), expected_out(4, 2), u(4, 2), expected(4, d);
  kernel.apply_grad(x.view(), y.view(), Pairing::cross, v.view(), square, out.view(), dx.view());
  kernel.apply(x.view(), y.view(), Pairing::cross, v.view(), expected_out.view());
  square(0, expected_out.view(), u.view());
  kernel.grad(x.view(), y.view(), Pairing::cross, u.view(), v.view(), expected.view());
  NTKROB_CHECK_SAME(kit::compare(out.view(), expected_out.view(), 0));
  NTKROB_CHECK_SAME(kit::compare(dx.view(), expected.view(), 0));

  Matrix<double> prediction(6, 2), h(4, 2), back(4, d), g(6, 2), expected_h(4, 2), expected_back(4, d);
  kernel.pull_back(x.view(), y.view(), w.view(), square, prediction.view(), h.view(), back.view());
  square(0, prediction.view(), g.view());
  kernel.apply(x.view(), y.view(), Pairing::cross, g.view(), expected_h.view());
  kernel.grad(x.view(), y.view(), Pairing::cross, w.view(), g.view(), expected_back.view());
  NTKROB_CHECK_SAME(kit::compare(h.view(), expected_h.view(), 1e-12 * kit::largest(expected_h)));
  NTKROB_CHECK_SAME(kit::compare(back.view(), expected_back.view(), 1e-12 * kit::largest(expected_back)));
}

TEST_CASE("images: the diagonal and its gradient are those of the matrix", "[kernel][images]") {
  const auto backend = make_backend("cpu", 2);
  const Matrix<double> x = images(3, 12);
  for (const char* spec : kSpecs) {
    INFO(spec);
    const Kernel kernel = kernel_of(spec, *backend);
    Matrix<double> k(3, 3), dx(3, kShape.size());
    std::vector<double> diagonal(3), w{0.5, -1, 2};
    kernel.matrix(x.view(), x.view(), Pairing::same, k.view());
    kernel.diag(x.view(), diagonal.data());
    for (index i = 0; i < 3; ++i) CHECK(std::abs(diagonal[static_cast<std::size_t>(i)] - k(i, i)) <= 1e-13 * k(i, i));
    // Away from the kinks that pairs of positions of one image have: float differences see only the smooth part.
    if (std::string(spec) != "cnn:2" && std::string(spec) != "conv(3,stride=2)-relu-flatten-dense") continue;
    kernel.add_diag_grad(x.view(), w.data(), dx.view());
    NTKROB_CHECK_SAME(kit::check_gradient(
        [&](ConstView2D<double> at) {
          std::vector<double> values(3);
          kernel.diag(at, values.data());
          return w[0] * values[0] + w[1] * values[1] + w[2] * values[2];
        },
        dx.view(), x.view(), 1e-7, 1e-4, 24));
  }
}

TEST_CASE("images: any number of workers gives the same bytes", "[kernel][images]") {
  const auto one = make_backend("cpu", 1), three = make_backend("cpu", 3);
  const Matrix<float> x = kit::converted<float>(images(41, 13)), y = kit::converted<float>(images(18, 14)),
                      u = kit::uniform_matrix<float>(41, 2, 15, -1, 1),
                      v = kit::uniform_matrix<float>(18, 2, 16, -1, 1);
  for (const char* spec : {"cnn:2", "conv(3)-relu-avgpool(2)-conv(3)-relu-gap-dense"}) {
    Matrix<float> k[2] = {{41, 18}, {41, 18}}, dx[2] = {{41, kShape.size()}, {41, kShape.size()}};
    Backend* backends[2] = {one.get(), three.get()};
    for (int b = 0; b < 2; ++b) {
      kernel_of(spec, *backends[b]).matrix(x.view(), y.view(), Pairing::cross, k[b].view());
      kernel_of(spec, *backends[b]).grad(x.view(), y.view(), Pairing::cross, u.view(), v.view(), dx[b].view());
    }
    NTKROB_CHECK_SAME(kit::compare(k[1].view(), k[0].view(), 0));
    NTKROB_CHECK_SAME(kit::compare(dx[1].view(), dx[0].view(), 0));
  }
}

TEST_CASE("images: no NaN for zero, constant, equal and opposite images, nor for any scale", "[kernel][images]") {
  const auto backend = make_backend("cpu", 1);
  Matrix<float> x = kit::converted<float>(images(8, 17));
  for (index k = 0; k < kShape.size(); ++k) {
    x(1, k) = 0;
    x(2, k) = 0.5f;
    x(3, k) = x(0, k);
    x(4, k) = -x(0, k);
    x(5, k) *= 1e-20f;
    x(6, k) *= 1e15f;
    x(7, k) = k < 7 ? x(7, k) : 0;
  }
  const Matrix<float> u = kit::uniform_matrix<float>(8, 2, 18, -1, 1);
  for (const char* spec : {"cnn:2", "cnn:2(b=0)", "cnn:2(pool=gap)", "myrtle:5(b=0.1)", "cnn:50", "cnn:50(b=0)",
                           "conv(3,b=0)-relu-avgpool(2)-conv(3)-erf-gap-dense"})
    for (const Pairing pairing : {Pairing::cross, Pairing::same}) {
      INFO(spec);
      const Kernel kernel = kernel_of(spec, *backend);
      Matrix<float> k(8, 8), dx(8, kShape.size());
      kernel.matrix(x.view(), x.view(), pairing, k.view());  // throws where a value is not finite
      kernel.grad(x.view(), x.view(), pairing, u.view(), u.view(), dx.view());
      CHECK(k(3, 0) == k(0, 0));
    }
}

TEST_CASE("images: one position is a fully connected network", "[kernel][images]") {
  const auto backend = make_backend("cpu", 1);
  const Matrix<double> x = kit::uniform_matrix<double>(5, 4, 20, -1, 1),
                       u = kit::uniform_matrix<double>(5, 2, 21, -1, 1);
  for (const char* spec : {"conv(1)-relu-conv(1)-relu-flatten-dense", "conv(1)-relu-conv(1)-relu-gap-dense"}) {
    INFO(spec);
    const Kernel pixel(KernelSpec::parse(spec), *backend, {Output::ntk, 0, ImageShape{1, 1, 4}}),
        vector(KernelSpec::parse("fc:2"), *backend);
    Matrix<double> k(5, 5), dx(5, 4), expected(5, 5), expected_dx(5, 4);
    pixel.matrix(x.view(), x.view(), Pairing::same, k.view());
    pixel.grad(x.view(), x.view(), Pairing::same, u.view(), u.view(), dx.view());
    vector.matrix(x.view(), x.view(), Pairing::same, expected.view());
    vector.grad(x.view(), x.view(), Pairing::same, u.view(), u.view(), expected_dx.view());
    NTKROB_CHECK_SAME(kit::compare(k.view(), expected.view(), 1e-13 * kit::largest(expected)));
    NTKROB_CHECK_SAME(kit::compare(dx.view(), expected_dx.view(), 1e-12 * kit::largest(expected_dx)));
  }
}

TEST_CASE("images: mixed values and gradients agree with float64", "[kernel][images]") {
  const auto backend = make_backend("cpu", 1);
  const Matrix<double> x = kit::converted<double>(kit::converted<float>(images(4, 22))),
                       y = kit::converted<double>(kit::converted<float>(images(21, 23))),
                       u = kit::uniform_matrix<double>(4, 2, 24, -1, 1),
                       v = kit::uniform_matrix<double>(21, 2, 25, -1, 1);
  const auto single = [](const Matrix<double>& a) { return kit::converted<float>(a); };
  for (const char* spec : {"cnn:5", "cnn:2(pool=gap)", "conv(3)-relu-avgpool(2)-conv(3)-relu-flatten-dense"}) {
    INFO(spec);
    const Kernel kernel = kernel_of(spec, *backend);
    Matrix<double> k(4, 21), dx(4, kShape.size());
    Matrix<float> kf(4, 21), dxf(4, kShape.size());
    kernel.matrix(x.view(), y.view(), Pairing::cross, k.view());
    kernel.matrix(single(x).view(), single(y).view(), Pairing::cross, kf.view());
    NTKROB_CHECK_SAME(kit::compare(kit::converted<double>(kf).view(), k.view(), 1e-6 * kit::largest(k)));
    kernel.grad(x.view(), y.view(), Pairing::cross, u.view(), v.view(), dx.view());
    kernel.grad(single(x).view(), single(y).view(), Pairing::cross, single(u).view(), single(v).view(), dxf.view());
    NTKROB_CHECK_SAME(kit::compare(kit::converted<double>(dxf).view(), dx.view(), 1e-5 * kit::largest(dx)));
  }
}

TEST_CASE("images: scratch memory grows with the positions, not with their pairs", "[kernel][images]") {
  const auto backend = make_backend("cpu", 1);
  for (const char* spec : {"cnn:4(pool=gap)", "conv(3)-relu-avgpool(2)-conv(3)-relu-flatten-dense"}) {
    INFO(spec);
    std::size_t bytes[2];
    for (int k = 0; k < 2; ++k) {
      const index side = k == 0 ? 16 : 32;
      const Kernel kernel(KernelSpec::parse(spec), *backend, {Output::ntk, 0, ImageShape{side, side, 1}});
      bytes[k] = backend->image_bytes(*kernel.program(), sizeof(float), true);
    }
    CHECK(bytes[1] <= 4 * bytes[0]);
  }
}

TEST_CASE("images: a budget below one pair and images of another shape are refused", "[kernel][images]") {
  const auto backend = make_backend("cpu", 1);
  const Matrix<float> x = kit::converted<float>(images(2, 19)), other(2, 7);
  Matrix<float> k(2, 2);
  using Catch::Matchers::Contains;
  const Kernel tight(KernelSpec::parse("cnn:2(pool=gap)"), *backend, {Output::ntk, 1000, kShape});
  CHECK_THROWS_WITH(tight.matrix(x.view(), x.view(), Pairing::same, k.view()),
                    Contains("1000 bytes") && Contains("needs"));
  CHECK_THROWS_AS(kernel_of("cnn:2", *backend).matrix(other.view(), other.view(), Pairing::same, k.view()), ShapeError);
}
