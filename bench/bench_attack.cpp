// A step of an attack: what it costs that logits are looked through once and not four times.
//   bench_attack --help
// PGD on a kernel machine and on a net, and the same with the scans that there were before: in the kernel, in the loss
// and in the judge, one number after the other. Prints the ratio of the times, round by round: above 1 the old way was
// slower.
#include <cmath>
#include <cstdio>
#include <string>

#include "kit/program.hpp"
#include "kit/timing.hpp"
#include "ntkrob/attack/attack.hpp"
#include "ntkrob/base/random.hpp"
#include "ntkrob/krr/machine.hpp"
#include "ntkrob/model/forwarding.hpp"
#include "ntkrob/model/metrics.hpp"
#include "ntkrob/nn/net.hpp"
#include "ntkrob/runtime/runtime.hpp"

namespace ntkrob {
namespace {

struct Options {
  std::string kernel = "fc:3", net = "mlp:256,128", backend = "cpu";
  index support = 1000, batch = 500, pixels = 784, classes = 10, steps = 10;
  int threads = 1, rounds = 15;
};

/// As the scans were: row by row, number by number.
void scan(ConstView2D<float> logits) {
  for (index i = 0; i < logits.rows; ++i)
    for (index j = 0; j < logits.cols; ++j)
      NTKROB_CHECK(std::isfinite(logits(i, j)), NonFinite, "output ", i, ", class ", j, " is ", logits(i, j));
}

/// Three scans more in every pass.
class Scanned final : public ForwardingModel {
 public:
  using ForwardingModel::ForwardingModel;
  void logits_and_grad(ConstView2D<float> x, const CotangentFn& cotangent, View2D<float> out,
                       View2D<float> dx) const override {
    ForwardingModel::logits_and_grad(
        x,
        [&](index first, ConstView2D<float> block, View2D<float> target) {
          for (int k = 0; k < 3; ++k) scan(block);
          cotangent(first, block, target);
        },
        out, dx);
  }
  std::unique_ptr<Iterates> iterates(ConstView2D<float>) const override { return nullptr; }
};

Matrix<float> uniform(index n, index d, std::uint64_t seed, double low, double high) {
  const Rng rng(seed, "bench");
  Matrix<float> m(n, d);
  for (index k = 0; k < m.size(); ++k)
    m.data()[k] = static_cast<float>(rng.uniform(static_cast<std::uint64_t>(k), low, high));
  return m;
}

void compare(const char* what, const Model& model, const Options& o) {
  const Matrix<float> x = uniform(o.batch, o.pixels, 3, 0, 1);
  const std::vector<int> labels = predictions(all_logits(model, x.view()).view());
  const AttackBatch batch{x.view(), labels.data(), {}, 0};
  const ThreatModel threat{Norm::linf, 0.1f};
  Matrix<float> z(o.batch, o.pixels);
  const auto attack = [&](const Model& on) {
    return [&] { pgd(on, batch, threat, o.steps, 0, "ce", 1, Rng(1, "bench"), z); };
  };
  const Scanned scanned(model);
  const double once = bench::seconds_of(attack(model)) / static_cast<double>(o.steps);
  const bench::Ratio ratio = bench::paired_ratio(attack(scanned), attack(model), o.rounds);
  std::printf("%-8s %8.3f ms a step; with four scans / with one: %.4f (%.4f to %.4f), processor time %.4f\n", what,
              1000 * once, ratio.median, ratio.best, ratio.worst, ratio.cpu_median);
}

void run(const Options& o) {
  const auto backend = make_backend(o.backend, o.threads);
  std::printf("# %s; %td points of %td numbers, %td steps\n", backend->info().description.c_str(), o.batch, o.pixels,
              o.steps);
  const KernelMachine machine(Kernel(KernelSpec::parse(o.kernel), *backend), {1, 1, o.pixels},
                              uniform(o.support, o.pixels, 1, 0, 1).view(),
                              uniform(o.support, o.classes, 2, -1, 1).view());
  compare(o.kernel.c_str(), machine, o);
  const Net net(o.net, {1, 1, o.pixels}, o.classes, Initialisation::he, 1, *backend);
  compare(o.net.c_str(), net, o);
}

}  // namespace
}  // namespace ntkrob

int main(int argc, char** argv) {
  ntkrob::Options o;
  return ntkrob::bench::program(
      argc, argv, "A step of PGD with logits looked through once, and four times as before",
      [&](CLI::App& app) {
        app.add_option("--kernel", o.kernel);
        app.add_option("--net", o.net);
        app.add_option("--backend", o.backend);
        app.add_option("--support", o.support, "images of the machine");
        app.add_option("--batch", o.batch, "points of the attack");
        app.add_option("--pixels", o.pixels);
        app.add_option("--classes", o.classes);
        app.add_option("--steps", o.steps);
        app.add_option("--threads", o.threads);
        app.add_option("--rounds", o.rounds);
      },
      [&] { ntkrob::run(o); });
}
