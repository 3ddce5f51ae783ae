// The numerics of nn/dense.hpp in float64 against central differences, and the float32 net against the float64 one.
#include "kit/check.hpp"
#include "nn/dense.hpp"
#include "nn/fixture.hpp"

using namespace ntkrob;
using nn_test::random_matrix;

namespace {

using Layers = std::vector<BasicDenseLayer<double>>;

Layers random_layers(const std::vector<index>& widths, std::uint64_t seed) {
  Layers layers;
  for (std::size_t l = 0; l + 1 < widths.size(); ++l)
    layers.push_back({random_matrix<double>(widths[l + 1], widths[l], seed + 2 * l, -0.8, 0.8),
                      random_matrix<double>(1, widths[l + 1], seed + 2 * l + 1, -0.3, 0.3)});
  return layers;
}

/// Smallest |pre-activation| of any hidden unit: central differences are exact only where no step crosses a kink.
double distance_to_kink(Backend& backend, Layers layers, ConstView2D<double> x) {
  double closest = 1e300;
  while (layers.size() > 1) {
    layers.pop_back();
    DenseScratch<double> scratch;
    Matrix<double> out(x.rows, layers.back().weight.rows());
    nn::reserve(layers, x.rows, scratch);
    nn::forward<double>(backend, layers, x, scratch, out.view());
    for (index i = 0; i < out.size(); ++i) closest = std::min(closest, std::abs(out.data()[i]));
  }
  return closest;
}

struct Problem {
  std::unique_ptr<Backend> backend = nn_test::backend();
  Layers layers;
  Matrix<double> x, cotangent;
  DenseScratch<double> scratch;

  explicit Problem(const std::vector<index>& widths)
      : layers(random_layers(widths, 40)),
        x(random_matrix<double>(3, widths.front(), 1)),
        cotangent(random_matrix<double>(3, widths.back(), 2, -1, 1)) {
    nn::reserve(layers, x.rows(), scratch);
  }
  double value(const Layers& at, ConstView2D<double> input) {
    Matrix<double> out(input.rows, cotangent.cols());
    nn::forward<double>(*backend, at, input, scratch, out.view());
    double sum = 0;
    for (index i = 0; i < out.size(); ++i) sum += out.data()[i] * cotangent.data()[i];
    return sum;
  }
};

const std::vector<std::vector<index>> kShapes = {{5, 3}, {6, 7, 3}, {4, 9, 8, 2}, {1, 1, 1}};
// Away from kinks the function is linear along one input coordinate, and linear in one parameter: differences carry
// only rounding, about 1e-16 / h relative to values of order 1.
constexpr double kStep = 1e-5, kBound = 1e-9;

}  // namespace

TEST_CASE("the input gradient equals central differences", "[nn]") {
  for (const auto& widths : kShapes) {
    Problem p(widths);
    REQUIRE(distance_to_kink(*p.backend, p.layers, p.x.view()) > 20 * kStep);
    Matrix<double> dx(3, widths.front());

    p.value(p.layers, p.x.view());
    nn::backward<double>(*p.backend, p.layers, p.x.view(), p.cotangent.view(), p.scratch, dx.view(), nullptr, 0.0);

    const auto f = [&](ConstView2D<double> at) { return p.value(p.layers, at); };
    NTKROB_CHECK_SAME(kit::check_gradient(f, dx.view(), p.x.view(), kBound, kStep));
  }
}

TEST_CASE("the parameter gradients equal central differences, and beta = 1 adds to them", "[nn]") {
  for (const auto& widths : kShapes) {
    Problem p(widths);
    Layers grads = random_layers(widths, 90);

    p.value(p.layers, p.x.view());
    nn::backward<double>(*p.backend, p.layers, p.x.view(), p.cotangent.view(), p.scratch, View2D<double>(), &grads,
                         0.0);

    for (std::size_t l = 0; l < p.layers.size(); ++l) {
      Layers at = p.layers;
      const auto weight = [&](ConstView2D<double> w) {
        at[l].weight = Matrix<double>(w);
        return p.value(at, p.x.view());
      };
      NTKROB_CHECK_SAME(kit::check_gradient(weight, grads[l].weight.view(), p.layers[l].weight.view(), kBound, kStep));
      at = p.layers;
      const auto bias = [&](ConstView2D<double> b) {
        at[l].bias = Matrix<double>(b);
        return p.value(at, p.x.view());
      };
      NTKROB_CHECK_SAME(kit::check_gradient(bias, grads[l].bias.view(), p.layers[l].bias.view(), kBound, kStep));
    }

    const Layers once = grads;
    p.value(p.layers, p.x.view());
    nn::backward<double>(*p.backend, p.layers, p.x.view(), p.cotangent.view(), p.scratch, View2D<double>(), &grads,
                         1.0);
    for (std::size_t l = 0; l < grads.size(); ++l)
      for (index i = 0; i < grads[l].weight.size(); ++i)
        REQUIRE(grads[l].weight.data()[i] == Approx(2 * once[l].weight.data()[i]).epsilon(1e-13).margin(1e-15));
  }
}

TEST_CASE("the float32 net equals the float64 numerics within rounding, for batches across the row block", "[nn]") {
  const auto backend = nn_test::backend();
  const index n = Net::kRowBlock + 37, d = 12;
  const Net net("mlp:20,16", {1, 1, d}, 3, Initialisation::uniform, 7, *backend);
  const Matrix<float> x = random_matrix<float>(n, d, 3), cotangent = random_matrix<float>(n, 3, 4, -1, 1);
  Layers layers;
  for (const DenseLayer& layer : net.layers()) {
    layers.push_back({Matrix<double>(layer.weight.rows(), layer.weight.cols()), Matrix<double>(1, layer.bias.cols())});
    convert<double, const float>(layer.weight.view(), layers.back().weight.view());
    convert<double, const float>(layer.bias.view(), layers.back().bias.view());
  }
  Layers grads = layers;
  Matrix<double> x64(n, d), c64(n, 3), out64(n, 3), dx64(n, d);
  convert<double, const float>(x.view(), x64.view());
  convert<double, const float>(cotangent.view(), c64.view());
  DenseScratch<double> scratch;
  nn::reserve(layers, n, scratch);
  nn::forward<double>(*backend, layers, x64.view(), scratch, out64.view());
  nn::backward<double>(*backend, layers, x64.view(), c64.view(), scratch, dx64.view(), &grads, 0.0);

  Matrix<float> out(n, 3), dx(n, d);
  std::vector<DenseLayer> grads32;
  const CotangentFn give = [&](index first, ConstView2D<float> logits, View2D<float> c) {
    convert(cotangent.view().middle_rows(first, logits.rows), c);
  };
  net.input_grad(x.view(), cotangent.view(), dx.view());
  net.logits_and_parameter_grad(x.view(), give, out.view(), grads32);

  // Sums of at most 20 products of numbers below 1 in three layers: 60 half ulps of 1 is 4e-6; parameter gradients sum
  // n rows.
  NTKROB_CHECK_SAME(kit::compare(out.view(), out64.view(), 4e-6));
  NTKROB_CHECK_SAME(kit::compare(dx.view(), dx64.view(), 4e-6));
  for (std::size_t l = 0; l < grads.size(); ++l) {
    NTKROB_CHECK_SAME(kit::compare(grads32[l].weight.view(), grads[l].weight.view(), 1e-3));
    NTKROB_CHECK_SAME(kit::compare(grads32[l].bias.view(), grads[l].bias.view(), 1e-3));
  }
}
