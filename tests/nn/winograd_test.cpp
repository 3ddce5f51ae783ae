// Convolutions by Winograd's filtering against direct sums, the same layers on a backend that asks for these.
#include <cmath>
#include <cstdlib>
#include <limits>

#include "kit/check.hpp"
#include "nn/fixture.hpp"
#include "nn/stack.hpp"

using namespace ntkrob;
using nn_test::random_matrix;
using Index = ntkrob::index;  // <cstdlib> may declare a function of that name

namespace {

std::unique_ptr<Backend> backend_with(const char* winograd, int workers = 1) {
  setenv("NTKROB_WINOGRAD", winograd, 1);
  auto backend = nn_test::backend(workers);
  unsetenv("NTKROB_WINOGRAD");
  return backend;
}

/// One convolution with its readout, so that its input, weight and bias all have derivatives.
template <class R>
struct Passes {
  nn::Stack<R> stack;
  std::vector<BasicLayerParameters<R>> parameters, grads;
  Matrix<R> x, cotangent, out, dx;

  Passes(const std::string& spec, ImageShape shape, Index n, std::uint64_t seed)
      : stack(nn::compile<R>(spec, shape, 3)),
        parameters(nn::fresh_parameters(stack)),
        x(random_matrix<R>(n, shape.size(), seed, -1, 1)),
        cotangent(random_matrix<R>(n, 3, seed + 1, -1, 1)),
        out(n, 3),
        dx(n, shape.size()) {
    for (auto& layer : parameters) {
      layer.weight = random_matrix<R>(layer.weight.rows(), layer.weight.cols(), seed += 2, -0.3, 0.3);
      layer.bias = random_matrix<R>(layer.bias.rows(), layer.bias.cols(), seed += 2, -0.1, 0.1);
    }
    grads = nn::fresh_parameters(stack);
  }
  Passes& run(Backend& backend) {
    nn::Scratch<R> scratch;
    nn::reserve(stack, x.rows(), scratch);
    nn::forward<R>(backend, stack, parameters, x.view(), scratch, out.view());
    nn::backward<R>(backend, stack, parameters, x.view(), cotangent.view(), scratch, dx.view(), &grads, R(0));
    return *this;
  }
};

struct Case {
  const char* spec;
  ImageShape shape;
  Index n;
};
const Case kCases[] = {{"conv(16,3)-relu-dense", {8, 8, 16}, 3},
                       {"conv(17,3)-dense", {9, 7, 19}, 2},
                       {"conv(33,3,pad=valid)-relu-dense", {11, 6, 16}, 5},
                       {"conv(20,3,pad=2)-relu-dense", {5, 4, 40}, 2},
                       {"conv(16,3,pad=valid)-dense", {3, 3, 16}, 4},
                       {"conv(16,3)-dense", {1, 1, 16}, 1},
                       {"conv(16,3)-relu-dense", {2, 13, 18}, 1},
                       {"conv(16,3)-relu-conv(24,3)-relu-conv(16,3)-gap-dense", {14, 14, 16}, 7}};

}  // namespace

TEST_CASE("filtered convolutions are the direct ones, in float64 to rounding", "[nn]") {
  const auto direct = backend_with("off"), filtered = backend_with("on");
  REQUIRE(!direct->info().winograd);
  REQUIRE(filtered->info().winograd);
  for (const Case& c : kCases) {
    INFO(c.spec << " on " << c.shape.height << " x " << c.shape.width << " x " << c.shape.channels);
    Passes<double> a(c.spec, c.shape, c.n, 3), b(c.spec, c.shape, c.n, 3);
    a.run(*direct);
    b.run(*filtered);
    // Sums of at most 360 products of numbers below 1 in three layers, 1e-16 each, times the growth of the transforms.
    NTKROB_CHECK_SAME(kit::compare(b.out.view(), a.out.view(), 1e-11));
    NTKROB_CHECK_SAME(kit::compare(b.dx.view(), a.dx.view(), 1e-11));
    for (std::size_t l = 0; l < a.grads.size(); ++l) {
      NTKROB_CHECK_SAME(kit::compare(b.grads[l].weight.view(), a.grads[l].weight.view(), 1e-10));
      NTKROB_CHECK_SAME(kit::compare(b.grads[l].bias.view(), a.grads[l].bias.view(), 1e-10));
    }
    CHECK(!std::equal(a.out.data(), a.out.data() + a.out.size(), b.out.data()));  // it has run
  }
}

TEST_CASE("in float32 filtered convolutions round at most as numerics.md says", "[nn]") {
  // |error| <= kGrowth u sum |w| |x|, u = 2^-24.
  constexpr double kGrowth = 32, kUnit = 1.0 / (1 << 24);
  const auto direct = backend_with("off"), filtered = backend_with("on");
  for (const auto& [shape, n] :
       {std::pair(ImageShape{16, 16, 32}, Index{4}), std::pair(ImageShape{7, 7, 64}, Index{8})}) {
    const std::string spec = "conv(32,3)";
    const Index classes = shape.height * shape.width * 32;
    nn::Stack<float> stack = nn::compile<float>(spec, shape, classes);
    nn::Stack<double> exact = nn::compile<double>(spec, shape, classes);
    auto parameters = nn::fresh_parameters(stack);
    auto wide = nn::fresh_parameters(exact), absolute = wide;
    parameters[0].weight = random_matrix<float>(32, 9 * shape.channels, 5, -1, 1);
    const Matrix<float> x = random_matrix<float>(n, shape.size(), 6, -1, 1);
    Matrix<double> x64(n, shape.size()), size(n, shape.size());
    for (Index i = 0; i < x.size(); ++i)
      x64.data()[i] = static_cast<double>(x.data()[i]), size.data()[i] = std::abs(x64.data()[i]);
    for (Index i = 0; i < parameters[0].weight.size(); ++i) {
      wide[0].weight.data()[i] = static_cast<double>(parameters[0].weight.data()[i]);
      absolute[0].weight.data()[i] = std::abs(wide[0].weight.data()[i]);
    }
    Matrix<float> out(n, classes);
    Matrix<double> expected(n, classes), sums(n, classes);
    nn::Scratch<float> scratch;
    nn::Scratch<double> scratch64;
    nn::reserve(stack, n, scratch);
    nn::reserve(exact, n, scratch64);
    nn::forward<float>(*filtered, stack, parameters, x.view(), scratch, out.view());
    nn::forward<double>(*direct, exact, wide, x64.view(), scratch64, expected.view());
    nn::forward<double>(*direct, exact, absolute, size.view(), scratch64, sums.view());
    double worst = 0;
    for (Index i = 0; i < out.size(); ++i)
      worst =
          std::max(worst, std::abs(static_cast<double>(out.data()[i]) - expected.data()[i]) / (kUnit * sums.data()[i]));
    INFO("largest error over u sum |w| |x|: " << worst);
    CHECK(worst <= kGrowth);
    CHECK(worst > 0);
  }
}

TEST_CASE("bits of filtered convolutions depend neither on workers nor on neighbours", "[nn]") {
  const auto one = backend_with("on"), three = backend_with("on", 3);
  for (const Case& c : kCases) {
    INFO(c.spec);
    Passes<float> a(c.spec, c.shape, 6, 9), b(c.spec, c.shape, 6, 9), alone(c.spec, c.shape, 1, 9);
    a.run(*one);
    b.run(*three);
    const auto same = [](const Matrix<float>& p, const Matrix<float>& q) {
      return p.size() == q.size() && std::equal(p.data(), p.data() + p.size(), q.data());
    };
    CHECK(same(a.out, b.out));
    CHECK(same(a.dx, b.dx));
    for (std::size_t l = 0; l < a.grads.size(); ++l) {
      CHECK(same(a.grads[l].weight, b.grads[l].weight));
      CHECK(same(a.grads[l].bias, b.grads[l].bias));
    }
    // Image 4 by itself.
    alone.parameters = a.parameters;
    std::copy_n(a.x.row(4), a.x.cols(), alone.x.row(0));
    std::copy_n(a.cotangent.row(4), 3, alone.cotangent.row(0));
    alone.run(*one);
    CHECK(std::equal(alone.out.row(0), alone.out.row(0) + 3, a.out.row(4)));
    CHECK(std::equal(alone.dx.row(0), alone.dx.row(0) + alone.dx.cols(), a.dx.row(4)));
  }
}

TEST_CASE("a NaN in a pixel reaches the logits of its image, and of no other", "[nn]") {
  const auto filtered = backend_with("on");
  Passes<float> a("conv(16,3)-relu-conv(16,3)-relu-dense", {9, 9, 16}, 3, 5);
  a.x(1, 40) = std::numeric_limits<float>::quiet_NaN();
  a.run(*filtered);
  for (Index j = 0; j < 3; ++j) {
    CHECK(std::isnan(a.out(1, j)));
    CHECK(std::isfinite(a.out(0, j)));
    CHECK(std::isfinite(a.out(2, j)));
  }
}

TEST_CASE("weights that change are laid out anew", "[nn]") {
  const auto filtered = backend_with("on");
  const ImageShape shape{6, 6, 16};
  Net net("conv(16,3)-relu-dense", shape, 3, Initialisation::he, 1, *filtered);
  const Matrix<float> x = random_matrix<float>(2, shape.size(), 2), c = random_matrix<float>(2, 3, 3);
  Matrix<float> out(2, 3), dx(2, shape.size());
  net.logits(x.view(), out.view());
  net.input_grad(x.view(), c.view(), dx.view());
  for (const std::size_t l : {0, 1}) {
    net.layers()[l].weight(0, 5) += 0.25f;
    Matrix<float> again(2, 3), expected(2, 3), dx_again(2, shape.size()), dx_expected(2, shape.size());
    net.logits(x.view(), again.view());
    net.input_grad(x.view(), c.view(), dx_again.view());
    const Net fresh(net);
    fresh.logits(x.view(), expected.view());
    fresh.input_grad(x.view(), c.view(), dx_expected.view());
    NTKROB_CHECK_SAME(kit::compare(again.view(), expected.view(), 0));
    NTKROB_CHECK_SAME(kit::compare(dx_again.view(), dx_expected.view(), 0));
    CHECK(!std::equal(out.data(), out.data() + out.size(), again.data()));
  }
}
