// How well the direction of an attack survives products of bfloat16 numbers.
//   bench_direction --help
// The kernel machine of the first n training images, and its gradient of the cross entropy at random points of the linf
// ball of radius eps around images: those of the support itself, whose points come close to it, and the images after
// them. Printed: cosine and share of equal signs of the bfloat16 gradient (RoughMachine) and the float32 one.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "kit/program.hpp"
#include "ntkrob/base/random.hpp"
#include "ntkrob/data/format.hpp"
#include "ntkrob/krr/rough_machine.hpp"
#include "ntkrob/model/loss.hpp"
#include "ntkrob/runtime/runtime.hpp"

namespace ntkrob {
namespace {

struct Agreement {
  double mean = 0, worst = 1, signs = 0;
};

Agreement compare(ConstView2D<float> a, ConstView2D<float> b) {
  Agreement result;
  for (index i = 0; i < a.rows; ++i) {
    double aa = 0, bb = 0, ab = 0;
    for (index j = 0; j < a.cols; ++j) {
      const double x = a(i, j), y = b(i, j);
      aa += x * x;
      bb += y * y;
      ab += x * y;
      result.signs += (x > 0) == (y > 0) && (x < 0) == (y < 0);
    }
    const double cosine = ab / std::sqrt(aa * bb);
    result.mean += cosine / static_cast<double>(a.rows);
    result.worst = std::min(result.worst, cosine);
  }
  result.signs /= static_cast<double>(a.rows * a.cols);
  return result;
}

struct Options {
  std::string data, kernel = "fc:3";
  index n = 1000, batch = 200;
  int threads = 1;
};

void run(const Options& o) {
  const index n = o.n, b = o.batch;
  const Dataset data = open_dataset({o.data});
  const Matrix<float> x = data.images("train");
  const auto backend = make_backend("cpu", o.threads);
  const std::vector<int> labels(data.train.labels.begin(), data.train.labels.begin() + n);
  const KernelMachine machine(Kernel(KernelSpec::parse(o.kernel), *backend), data.shape, x.view().middle_rows(0, n),
                              centred_one_hot(labels, data.classes).view());
  const RoughMachine rough(machine);
  const auto loss = make_loss("ce", 1);
  std::printf("%s; %s, n %ld, batch %ld\n", backend->info().description.c_str(), o.kernel.c_str(), static_cast<long>(n),
              static_cast<long>(b));
  for (const index from : {index(0), n})
    for (const double eps : {0.1, 0.03, 0.01, 0.003, 0.001, 0.0001}) {
      Matrix<float> z(b, x.cols()), logits(b, data.classes), full(b, x.cols()), rounded(b, x.cols());
      const Rng rng(0, "bench");
      for (index i = 0; i < z.size(); ++i)
        z.data()[i] = static_cast<float>(x.row(from)[i] + eps * rng.uniform(static_cast<std::uint64_t>(i), -1, 1));
      const int* truth = data.train.labels.data() + from;
      const Matrix<float> targets = centred_one_hot(std::vector<int>(truth, truth + b), data.classes);
      std::vector<double> losses(static_cast<std::size_t>(b));
      const auto cotangent = [&](index first, ConstView2D<float> f, View2D<float> g) {
        loss->evaluate(f, truth + first, targets.view().middle_rows(first, f.rows), losses.data() + first, g);
      };
      machine.logits_and_grad(z.view(), cotangent, logits.view(), full.view());
      rough.logits_and_grad(z.view(), cotangent, logits.view(), rounded.view());
      const Agreement found = compare(full.view(), rounded.view());
      std::printf("%s images, eps %-6g  cosine mean %.5f, worst %.5f; equal signs %.2f %%\n",
                  from == 0 ? "support" : "other  ", eps, found.mean, found.worst, 100 * found.signs);
    }
}

}  // namespace
}  // namespace ntkrob

int main(int argc, char** argv) {
  ntkrob::Options o;
  return ntkrob::bench::program(
      argc, argv, "Attack gradients from bfloat16 products beside float32: cosine and equal signs",
      [&](CLI::App& app) {
        app.add_option("data", o.data, "any data set that ntkrob reads")->required();
        app.add_option("--n", o.n, "images of the support");
        app.add_option("--batch", o.batch, "images attacked");
        app.add_option("--kernel", o.kernel);
        app.add_option("--threads", o.threads);
      },
      [&] { ntkrob::run(o); });
}
