// Passes of a net: logits, input gradient (an attack step), parameter gradient (a training step), on random images.
//   bench_net --help
// Prints milliseconds per pass: the median of the rounds. bench/net_torch.py runs it beside PyTorch.
#include <cstdio>
#include <string>

#include "kit/program.hpp"
#include "kit/timing.hpp"
#include "ntkrob/base/random.hpp"
#include "ntkrob/model/loss.hpp"
#include "ntkrob/nn/net.hpp"
#include "ntkrob/runtime/runtime.hpp"

namespace ntkrob {
namespace {

struct Options {
  std::string spec = "cnn:small", shape = "28x28x1";
  index batch = 200;
  int threads = 1, rounds = 15, passes = 10;
};

void run(const Options& o) {
  const index n = o.batch;
  long h = 1, w = 1, c = 1;
  NTKROB_CHECK(std::sscanf(o.shape.c_str(), "%ldx%ldx%ld", &h, &w, &c) == 3, ConfigError, "--shape is ", o.shape,
               "; it is height x width x channels, e.g. 28x28x1");
  const auto backend = make_backend("cpu", o.threads);
  const Net net(o.spec, {h, w, c}, 10, Initialisation::he, 1, *backend);
  const Rng rng(0, "bench");
  Matrix<float> x(n, h * w * c), logits(n, 10), dx(n, x.cols());
  for (index i = 0; i < x.size(); ++i)
    x.data()[i] = static_cast<float>(rng.uniform(static_cast<std::uint64_t>(i), 0, 1));
  std::vector<int> labels(static_cast<std::size_t>(n));
  for (index i = 0; i < n; ++i) labels[static_cast<std::size_t>(i)] = static_cast<int>(i % 10);
  const auto loss = make_loss("ce", 1);
  std::vector<double> losses(static_cast<std::size_t>(n));
  const CotangentFn cotangent = [&](index first, ConstView2D<float> f, View2D<float> g) {
    loss->evaluate(f, labels.data() + first, {}, losses.data() + first, g);
  };
  std::vector<LayerParameters> grads;
  const auto repeat = [&](const std::function<void()>& pass) {
    return [&, pass] {
      for (int k = 0; k < o.passes; ++k) pass();
    };
  };
  const auto timings = bench::alternate(
      {{"logits", repeat([&] { net.logits(x.view(), logits.view()); })},
       {"input gradient", repeat([&] { net.logits_and_grad(x.view(), cotangent, logits.view(), dx.view()); })},
       {"parameter gradient",
        repeat([&] { net.logits_and_parameter_grad(x.view(), cotangent, logits.view(), grads); })}},
      o.rounds);
  std::printf("# %s; %s, %td images of %s\n", backend->info().description.c_str(), o.spec.c_str(), n, o.shape.c_str());
  for (const auto& t : timings) std::printf("%s: %.3f ms\n", t.name.c_str(), 1000 * t.median / o.passes);
}

}  // namespace
}  // namespace ntkrob

int main(int argc, char** argv) {
  ntkrob::Options o;
  return ntkrob::bench::program(
      argc, argv, "Milliseconds per pass of a net on random images",
      [&](CLI::App& app) {
        app.add_option("--spec", o.spec, "net");
        app.add_option("--shape", o.shape, "height x width x channels of the images");
        app.add_option("--batch", o.batch, "images");
        app.add_option("--threads", o.threads);
        app.add_option("--rounds", o.rounds);
        app.add_option("--passes", o.passes, "passes in a round");
      },
      [&] { ntkrob::run(o); });
}
