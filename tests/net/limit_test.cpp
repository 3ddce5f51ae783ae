// The kernel of a net's text is the limit of the net: the covariance of its outputs at initialisation ntk, over outputs
// and seeds, tends to the NNGP kernel (Lee 2018), for the very same text.
#include <algorithm>
#include <cmath>

#include "kit/check.hpp"
#include "ntkrob/base/random.hpp"
#include "ntkrob/kernel/kernel.hpp"
#include "ntkrob/nn/trainer.hpp"
#include "ntkrob/runtime/runtime.hpp"

using namespace ntkrob;

TEST_CASE("outputs of wide nets have the covariance of the kernel of their text", "[net]") {
  constexpr index kOutputs = 400, kSeeds = 12, kImages = 3;
  const auto backend = make_backend("cpu", 2);
  const std::string hidden = "width=256";
  for (const std::string& text :
       {std::string("mlp:512,512"),
        "conv(3," + hidden + ")-relu-conv(3,stride=2,w=1,b=0.3," + hidden + ")-relu-flatten-dense",
        "conv(3," + hidden + ")-residual(relu-conv(3," + hidden + ")-relu-conv(3," + hidden + "))-relu-gap-dense(b=0)",
        "dense(" + hidden + ")-gelu-dense(" + hidden + ")-leaky(alpha=0.3)-dense",
        "conv(3," + hidden + ")-avgpool(2)-layernorm-relu-conv(3,pad=valid," + hidden + ")-relu-flatten-dense"}) {
    INFO(text);
    const ImageShape shape{6, 6, 2};
    const Rng rng(4, "test");
    Matrix<float> x(kImages, shape.size());
    for (index i = 0; i < x.size(); ++i) x.data()[i] = static_cast<float>(rng.normal(i));
    const Kernel kernel(KernelSpec::parse("net:" + text), *backend, KernelOptions{Output::nngp, 0, shape});
    Matrix<float> expected(kImages, kImages);
    kernel.matrix(x.view(), x.view(), Pairing::same, expected.view());

    Matrix<double> found(kImages, kImages);
    for (index seed = 0; seed < kSeeds; ++seed) {
      const Net net(text, shape, kOutputs, Initialisation::ntk, static_cast<std::uint64_t>(seed), *backend);
      Matrix<float> out(kImages, kOutputs);
      net.logits(x.view(), out.view());
      for (index i = 0; i < kImages; ++i)
        for (index j = 0; j < kImages; ++j)
          for (index c = 0; c < kOutputs; ++c)
            found(i, j) += static_cast<double>(out(i, c)) * static_cast<double>(out(j, c)) / (kOutputs * kSeeds);
    }
    // Outputs are independent given the hidden layers: a mean of 4800 products has a relative error of 2 %, the hidden
    // layers of 256 units, 12 times drawn, add about 3 %; four standard errors of both together.
    for (index i = 0; i < kImages; ++i)
      for (index j = 0; j < kImages; ++j) {
        const double scale = std::sqrt(static_cast<double>(expected(i, i)) * static_cast<double>(expected(j, j)));
        INFO("entry " << i << "," << j << ": " << found(i, j) << ", kernel " << expected(i, j));
        CHECK(std::abs(found(i, j) - static_cast<double>(expected(i, j))) < 0.15 * scale);
      }
  }
}

TEST_CASE("a step of a wide net in NTK parameterisation is a step of kernel gradient descent", "[net]") {
  // Jacot et al. 2018, for infinite width: f(x) moves by -lr / n sum_i Theta(x, x_i) (f(x_i) - y_i).
  constexpr index kImages = 6, kD = 8;
  const auto backend = make_backend("cpu", 2);
  const std::string text = "mlp:6000";
  const Rng rng(4, "test");
  Matrix<float> x(kImages, kD);
  for (index i = 0; i < x.size(); ++i) x.data()[i] = static_cast<float>(rng.normal(static_cast<std::uint64_t>(i)));
  Targets targets;
  for (int i = 0; i < kImages; ++i) targets.labels.push_back(i % 2);
  targets.values = centred_one_hot(targets.labels, 2);
  const Kernel kernel(KernelSpec::parse("net:" + text), *backend, KernelOptions{Output::ntk, 0, ImageShape{1, 1, kD}});
  Matrix<float> theta(kImages, kImages);
  kernel.matrix(x.view(), x.view(), Pairing::same, theta.view());

  Net net(text, {1, 1, kD}, 2, Initialisation::ntk, 1, *backend);
  Matrix<float> before(kImages, 2), after(kImages, 2);
  net.logits(x.view(), before.view());
  TrainOptions options;
  options.steps = 1;
  options.batch = 0;
  options.momentum = 0;
  options.schedule = "constant";
  options.lr = 1e-2;
  options.parameterisation = "ntk";
  train(net, x.view(), targets, options);
  net.logits(x.view(), after.view());
  double scale = 0;
  Matrix<double> expected(kImages, 2), found(kImages, 2);
  for (index i = 0; i < kImages; ++i)
    for (index c = 0; c < 2; ++c) {
      for (index j = 0; j < kImages; ++j)
        expected(i, c) -= static_cast<double>(theta(i, j)) * (before(j, c) - targets.values(j, c)) / kImages;
      found(i, c) = (static_cast<double>(after(i, c)) - static_cast<double>(before(i, c))) / options.lr;
      scale = std::max(scale, std::abs(expected(i, c)));
    }
  // Sums over 6000 units have a relative error of 1.3 %, the step of 0.01 leaves its second order, about 1 %.
  const kit::Comparison result = kit::compare(found.view(), expected.view(), 0.06 * scale);
  INFO(result.text);
  CHECK(result.text.empty());
}

TEST_CASE("the kernel of a net's text and the kernel's own text are the same kernel", "[net]") {
  const auto printed = [](const std::string& text) { return KernelSpec::parse(text).to_string(); };
  CHECK(printed("net:fc:3") == printed("fc:3"));
  CHECK(KernelSpec::parse("net:fc:3").hash() == KernelSpec::parse("fc:3").hash());
  CHECK(printed("net:mlp:64,32") == printed("dense(width=64)-relu-dense(width=32)-relu-dense"));
  CHECK(printed("net:conv(16,4,stride=2,pad=1)-relu-flatten-dense") ==
        printed("conv(4,stride=2,width=16)-relu-flatten-dense"));
  CHECK(printed("net:cnn:small") ==
        printed("conv(4,stride=2,width=16)-relu-conv(4,stride=2,width=32)-relu-flatten-dense(width=100)-relu-dense"));
  CHECK(KernelSpec::parse("net:cnn:small").source() == "net:cnn:small");
  CHECK_THROWS_AS(KernelSpec::parse("net:resnet:8"), ConfigError);
}
