// The numerics of nn/stack.hpp in float64 against central differences, and the float32 net against the float64 one.
#include "kit/check.hpp"
#include "nn/examples.hpp"
#include "nn/fixture.hpp"
#include "nn/stack.hpp"

using namespace ntkrob;
using nn_test::random_matrix;

namespace {

using Parameters = std::vector<BasicLayerParameters<double>>;

struct Problem {
  std::unique_ptr<Backend> backend = nn_test::backend();
  nn::Stack<double> stack;
  Parameters parameters;
  Matrix<double> x, cotangent;
  nn::Scratch<double> scratch;
  bool training = false;
  const nn::TrainingPass pass{Rng(3, "test"), 0};

  Problem(const char* spec, ImageShape shape, index classes)
      : stack(nn::compile<double>(spec, shape, classes)),
        parameters(random_parameters(40)),
        x(random_matrix<double>(3, shape.size(), 1)),
        cotangent(random_matrix<double>(3, classes, 2, -1, 1)) {
    nn::reserve(stack, x.rows(), scratch);
  }
  Parameters random_parameters(std::uint64_t seed) const {
    Parameters result = nn::fresh_parameters(stack);
    for (auto& layer : result) {
      layer.weight = random_matrix<double>(layer.weight.rows(), layer.weight.cols(), seed, -0.8, 0.8);
      layer.bias = random_matrix<double>(layer.bias.rows(), layer.bias.cols(), seed + 1, -0.3, 0.3);
      if (!layer.statistics.empty()) layer.statistics = random_matrix<double>(2, layer.bias.cols(), seed + 2, 0.2, 0.9);
      seed += 3;
    }
    return result;
  }
  double value(const Parameters& at, ConstView2D<double> input) {
    Matrix<double> out(input.rows, cotangent.cols());
    nn::forward<double>(*backend, stack, at, input, scratch, out.view(), training ? &pass : nullptr);
    double sum = 0;
    for (index i = 0; i < out.size(); ++i) sum += out.data()[i] * cotangent.data()[i];
    return sum;
  }
  /// Smallest |pre-activation| in front of any ReLU: central differences are exact only where no step crosses a kink.
  double distance_to_kink() {
    double closest = 1e300;
    for (std::size_t l = 0; l < stack.size(); ++l) {
      const net::Kind kind = stack[l].layer->what.kind;
      const bool own_layer = kind == net::Kind::relu || kind == net::Kind::leaky;
      if (!stack[l].relu && !own_layer) continue;
      nn::Stack<double> part(stack.begin(),
                             stack.begin() + (own_layer ? stack[l].inputs()[0] : static_cast<int>(l)) + 1);
      if (!own_layer) part.back().relu = false;
      nn::Scratch<double> own;
      Matrix<double> out(x.rows(), part.back().layer->out.size());
      nn::reserve(part, x.rows(), own);
      nn::forward<double>(*backend, part, parameters, x.view(), own, out.view(), training ? &pass : nullptr);
      // What dropout has made 0 stays 0.
      for (index i = 0; i < out.size(); ++i)
        if (out.data()[i] != 0) closest = std::min(closest, std::abs(out.data()[i]));
    }
    return closest;
  }
};

struct Shape {
  const char* spec;
  ImageShape input;
  index classes;
};
const Shape kMoreShapes[] = {
    {"mlp:", {1, 1, 5}, 3},
    {"mlp:7", {1, 2, 3}, 3},
    {"mlp:9,8", {1, 1, 4}, 2},
    {"mlp:1", {1, 1, 1}, 1},
    {"conv(3,3)-relu-flatten-dense", {4, 5, 2}, 3},
    {"conv(4,3,stride=2,pad=1)-relu-conv(5,2,stride=2,pad=valid)-relu-dense(6)-relu-dense", {7, 8, 2}, 3},
    {"conv(3,kh=2,kw=4,stride=3,pad=same)-dense", {6, 5, 3}, 2},
    {"conv(3,1,pad=0)-relu-conv(2,5,pad=4)-gap", {3, 4, 1}, 2},
    {"maxpool(2)-conv(4,3)-relu-maxpool(3,stride=2,pad=1)-dense", {8, 6, 2}, 3},
    {"conv(3,3)-relu-avgpool(3,stride=2,pad=same,edges=inside)-dense(4)-relu-dense", {5, 6, 2}, 2},
    {"avgpool(2,stride=1,pad=1)-relu-dense", {3, 3, 2}, 2},
    {"normalise(mean=0.4:0.6,std=0.25:0.5)-conv(4,3,pad=valid)-relu-conv(3,2)-gap", {5, 4, 2}, 3},
    {"sum(conv(2,1) | )-residual(residual(relu-conv(2,3))-gelu)-sum(gap-dense(3) | dense(3) | gap-dense(3))",
     {3, 4, 2},
     3},
    {"conv1d(4,3,stride=2)-relu-maxpool1d(2)-depthwise1d(3)-avgpool1d(2,stride=1,pad=1)-dense", {12, 1, 2}, 3},
    {"sum( | )-batchnorm-residual(batchnorm-relu-conv(2,3)-batchnorm-relu-conv(2,1))-gap", {3, 4, 2}, 2},
};
/// The example of every layer, and more.
std::vector<Shape> shapes() {
  std::vector<Shape> all;
  for (const nn_test::NetExample& example : nn_test::kNetExamples)
    all.push_back({example.spec, example.shape, example.classes});
  all.insert(all.end(), std::begin(kMoreShapes), std::end(kMoreShapes));
  return all;
}
// Away from kinks the function is linear along one input coordinate, and linear in one parameter: differences carry
// only rounding, about 1e-16 / h relative to values of order 1.
constexpr double kStep = 1e-6, kBound = 1e-8;
constexpr index kProbes = 64;
constexpr double kFloor = 1;  // behind a normalisation a bias has no derivative at all; the function is of order 1

}  // namespace

TEST_CASE("the input gradient equals central differences", "[nn]") {
  const bool training = GENERATE(false, true);
  for (const Shape& shape : shapes()) {
    INFO(shape.spec << (training ? " in training" : ""));
    Problem p(shape.spec, shape.input, shape.classes);
    p.training = training;
    REQUIRE(p.distance_to_kink() > 20 * kStep);
    Matrix<double> dx(3, shape.input.size());

    p.value(p.parameters, p.x.view());
    nn::backward<double>(*p.backend, p.stack, p.parameters, p.x.view(), p.cotangent.view(), p.scratch, dx.view(),
                         nullptr, 0.0);

    const auto f = [&](ConstView2D<double> at) { return p.value(p.parameters, at); };
    NTKROB_CHECK_SAME(kit::check_gradient(f, dx.view(), p.x.view(), kBound, kStep, kProbes, kFloor));
  }
}

TEST_CASE("the parameter gradients equal central differences, and beta = 1 adds to them", "[nn]") {
  const bool training = GENERATE(false, true);
  for (const Shape& shape : shapes()) {
    INFO(shape.spec << (training ? " in training" : ""));
    Problem p(shape.spec, shape.input, shape.classes);
    p.training = training;
    REQUIRE(p.distance_to_kink() > 20 * kStep);
    Parameters grads = p.random_parameters(90);

    p.value(p.parameters, p.x.view());
    nn::backward<double>(*p.backend, p.stack, p.parameters, p.x.view(), p.cotangent.view(), p.scratch, View2D<double>(),
                         &grads, 0.0);

    for (std::size_t l = 0; l < p.parameters.size(); ++l) {
      if (p.parameters[l].weight.empty()) continue;
      INFO("layer " << l);
      Parameters at = p.parameters;
      const auto weight = [&](ConstView2D<double> w) {
        at[l].weight = Matrix<double>(w);
        return p.value(at, p.x.view());
      };
      NTKROB_CHECK_SAME(kit::check_gradient(weight, grads[l].weight.view(), p.parameters[l].weight.view(), kBound,
                                            kStep, kProbes, kFloor));
      at = p.parameters;
      const auto bias = [&](ConstView2D<double> b) {
        at[l].bias = Matrix<double>(b);
        return p.value(at, p.x.view());
      };
      NTKROB_CHECK_SAME(
          kit::check_gradient(bias, grads[l].bias.view(), p.parameters[l].bias.view(), kBound, kStep, kProbes, kFloor));
    }

    const Parameters once = grads;
    p.value(p.parameters, p.x.view());
    nn::backward<double>(*p.backend, p.stack, p.parameters, p.x.view(), p.cotangent.view(), p.scratch, View2D<double>(),
                         &grads, 1.0);
    for (std::size_t l = 0; l < grads.size(); ++l) {
      for (index i = 0; i < grads[l].weight.size(); ++i)
        REQUIRE(grads[l].weight.data()[i] == Approx(2 * once[l].weight.data()[i]).epsilon(1e-13).margin(1e-15));
      for (index i = 0; i < grads[l].bias.size(); ++i)
        REQUIRE(grads[l].bias.data()[i] == Approx(2 * once[l].bias.data()[i]).epsilon(1e-13).margin(1e-15));
    }
  }
}

TEST_CASE("the float32 net equals the float64 numerics within rounding, for batches across the row block", "[nn]") {
  struct Case {
    const char* spec;
    ImageShape shape;
    index n;
  };
  const Case cases[] = {{"mlp:20,16", {1, 1, 12}, Net::kRowBlock + 37},
                        {"conv(8,3,stride=2,pad=1)-relu-maxpool(2)-conv(5,2)-relu-dense", {9, 9, 2}, 70}};
  const auto backend = nn_test::backend();
  for (const Case& c : cases) {
    INFO(c.spec);
    const index n = c.n, d = c.shape.size();
    const Net net(c.spec, c.shape, 3, Initialisation::uniform, 7, *backend);
    const nn::Stack<double> stack = nn::compile<double>(c.spec, c.shape, 3);
    const Matrix<float> x = random_matrix<float>(n, d, 3), cotangent = random_matrix<float>(n, 3, 4, -1, 1);
    Parameters parameters;
    for (const LayerParameters& layer : net.layers()) {
      parameters.push_back({Matrix<double>(layer.weight.rows(), layer.weight.cols()),
                            Matrix<double>(layer.bias.rows(), layer.bias.cols()),
                            {}});
      convert<double, const float>(layer.weight.view(), parameters.back().weight.view());
      convert<double, const float>(layer.bias.view(), parameters.back().bias.view());
    }
    Parameters grads = parameters;
    Matrix<double> x64(n, d), c64(n, 3), out64(n, 3), dx64(n, d);
    convert<double, const float>(x.view(), x64.view());
    convert<double, const float>(cotangent.view(), c64.view());
    nn::Scratch<double> scratch;
    nn::reserve(stack, n, scratch);
    nn::forward<double>(*backend, stack, parameters, x64.view(), scratch, out64.view());
    nn::backward<double>(*backend, stack, parameters, x64.view(), c64.view(), scratch, dx64.view(), &grads, 0.0);

    Matrix<float> out(n, 3), dx(n, d);
    std::vector<LayerParameters> grads32;
    const CotangentFn give = [&](index first, ConstView2D<float> logits, View2D<float> block) {
      convert(cotangent.view().middle_rows(first, logits.rows), block);
    };
    net.input_grad(x.view(), cotangent.view(), dx.view());
    net.logits_and_parameter_grad(x.view(), give, out.view(), grads32);

    // Sums of at most 40 products of numbers below 1 in three layers: 60 half ulps of 1 is 4e-6; parameter gradients
    // sum n rows.
    NTKROB_CHECK_SAME(kit::compare(out.view(), out64.view(), 4e-6));
    NTKROB_CHECK_SAME(kit::compare(dx.view(), dx64.view(), 4e-6));
    for (std::size_t l = 0; l < grads.size(); ++l) {
      NTKROB_CHECK_SAME(kit::compare(grads32[l].weight.view(), grads[l].weight.view(), 1e-3));
      NTKROB_CHECK_SAME(kit::compare(grads32[l].bias.view(), grads[l].bias.view(), 1e-3));
    }
  }
}
