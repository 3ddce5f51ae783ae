// One outer step of adv-KIP beside the bare matrix products it contains, in alternation.
//   bench_robustify --help
// The products counted: 2 per attack step and 2 for the outer gradient of batch x n x d,
// and 3 of n x n x d (Gram matrix; its gradient's inner products and contraction).
#include <cstdio>
#include <string>

#include "kit/blas.hpp"
#include "kit/program.hpp"
#include "kit/timing.hpp"
#include "ntkrob/data/format.hpp"
#include "ntkrob/robust/robustifier.hpp"
#include "ntkrob/runtime/runtime.hpp"

namespace ntkrob {
namespace {

struct Options {
  std::string data;
  RobustifyOptions job;
  int threads = 1, rounds = 7;
};

void run(const Options& o) {
  const int threads = o.threads, rounds = o.rounds;
  const Dataset data = open_dataset({o.data});
  const Matrix<float> x = data.images("train");
  const auto backend = make_backend("cpu", threads);
  RobustifyOptions options = o.job;
  options.steps = 2 * rounds + 4;
  options.validation = 0;
  Robustifier robustifier(options, {x.view(), &data.train.labels, data.classes, data.shape}, *backend);

  const index n = options.n, b = options.batch, d = x.cols();
  const Matrix<float> s(ConstView2D<float>(x.view().middle_rows(0, n))),
      batch(ConstView2D<float>(x.view().middle_rows(n, b)));
  Matrix<float> rows(b, n), back(b, d), gram(n, n), ds(n, d);
  const auto products = [&] {
    for (index k = 0; k < options.attack_steps + 1; ++k) {
      bench::bare_gemm(threads, true, batch.view(), s.view(), rows.view());
      bench::bare_gemm(threads, false, rows.view(), s.view(), back.view());
    }
    for (int k = 0; k < 2; ++k) bench::bare_gemm(threads, true, s.view(), s.view(), gram.view());
    bench::bare_gemm(threads, false, gram.view(), s.view(), ds.view());
  };
  const double gflop =
      2e-9 * static_cast<double>(d) *
      (2.0 * static_cast<double>(options.attack_steps + 1) * static_cast<double>(b) * static_cast<double>(n) +
       3.0 * static_cast<double>(n) * static_cast<double>(n));
  const auto step = [&] { robustifier.step(); };
  const auto times = bench::alternate({{"step", step}, {"products", products}}, rounds);
  const auto ratio = bench::paired_ratio(step, products, rounds);
  std::printf("%s; %s, n %ld, batch %ld, %ld attack steps, attack precision %s\n", backend->info().description.c_str(),
              options.kernel.text().c_str(), static_cast<long>(n), static_cast<long>(b),
              static_cast<long>(options.attack_steps), options.attack_precision.c_str());
  std::printf(
      "outer step: median %.3f s, best %.3f s; bare products (%.1f GFLOP): median %.3f s, best %.3f s; "
      "ratio median %.2f (min %.2f, max %.2f; cpu time %.2f)\n",
      times[0].median, times[0].best, gflop, times[1].median, times[1].best, ratio.median, ratio.best, ratio.worst,
      ratio.cpu_median);
}

}  // namespace
}  // namespace ntkrob

int main(int argc, char** argv) {
  ntkrob::Options o;
  o.job.n = o.job.batch = 1000;
  o.job.attack_steps = 10;
  return ntkrob::bench::program(
      argc, argv, "One outer step of adv-KIP beside the bare matrix products it contains",
      [&](CLI::App& app) {
        app.add_option("data", o.data, "any data set that ntkrob reads")->required();
        app.add_option("--n", o.job.n);
        app.add_option("--batch", o.job.batch);
        app.add_option("--attack-steps", o.job.attack_steps);
        app.add_option("--kernel", o.job.kernel);
        app.add_option("--eps", o.job.eps);
        app.add_option("--attack-precision", o.job.attack_precision, "float32 or bfloat16");
        app.add_option("--threads", o.threads);
        app.add_option("--rounds", o.rounds);
      },
      [&] { ntkrob::run(o); });
}
