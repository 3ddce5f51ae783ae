// One outer step of adv-KIP beside the bare matrix products it contains, in alternation.
//   bench_robustify DATA [--n 1000] [--batch 1000] [--attack-steps 10] [--threads 1] [--rounds 7] [--kernel fc:3] [--eps 0.1]
//       [--attack-precision float32|bfloat16]
// DATA: any data set that ntkrob reads. The products counted: 2 per attack step and 2 for the outer gradient of batch x n x d,
// and 3 of n x n x d (Gram matrix; its gradient's inner products and contraction).
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include "kit/blas.hpp"
#include "kit/timing.hpp"
#include "ntkrob/data/format.hpp"
#include "ntkrob/robust/robustifier.hpp"
#include "ntkrob/runtime/runtime.hpp"

namespace ntkrob {
namespace {

int run(int argc, char** argv) {
  std::map<std::string, std::string> o = {{"--n", "1000"}, {"--batch", "1000"}, {"--attack-steps", "10"}, {"--threads", "1"},
                                          {"--rounds", "7"}, {"--kernel", "fc:3"}, {"--eps", "0.1"},
                                          {"--attack-precision", "float32"}};
  if (argc < 2) {
    std::fprintf(stderr, "usage: bench_robustify DATA [--n N] [--batch B] [--attack-steps K] [--threads T] [--rounds R] [--kernel SPEC] [--attack-precision float32|bfloat16]\n");
    return 2;
  }
  for (int i = 2; i + 1 < argc; i += 2) o[argv[i]] = argv[i + 1];
  const int threads = std::atoi(o["--threads"].c_str()), rounds = std::atoi(o["--rounds"].c_str());

  const Dataset data = open_dataset({argv[1]});
  const Matrix<float> x = data.images("train");
  const auto backend = make_backend("cpu", threads);
  RobustifyOptions options;
  options.kernel = o["--kernel"];
  options.n = std::atol(o["--n"].c_str());
  options.batch = std::atol(o["--batch"].c_str());
  options.attack_steps = std::atol(o["--attack-steps"].c_str());
  options.attack_precision = o["--attack-precision"];
  options.eps = std::atof(o["--eps"].c_str());
  options.steps = 2 * rounds + 4;
  options.validation = 0;
  Robustifier robustifier(options, {x.view(), &data.train.labels, data.classes, data.shape}, *backend);

  const index n = options.n, b = options.batch, d = x.cols();
  const Matrix<float> s(ConstView2D<float>(x.view().middle_rows(0, n))), batch(ConstView2D<float>(x.view().middle_rows(n, b)));
  Matrix<float> rows(b, n), back(b, d), gram(n, n), ds(n, d);
  const auto products = [&] {
    for (index k = 0; k < options.attack_steps + 1; ++k) {
      bench::bare_gemm(threads, true, batch.view(), s.view(), rows.view());
      bench::bare_gemm(threads, false, rows.view(), s.view(), back.view());
    }
    for (int k = 0; k < 2; ++k) bench::bare_gemm(threads, true, s.view(), s.view(), gram.view());
    bench::bare_gemm(threads, false, gram.view(), s.view(), ds.view());
  };
  const double gflop = 2e-9 * static_cast<double>(d) *
                       (2.0 * static_cast<double>(options.attack_steps + 1) * static_cast<double>(b) * static_cast<double>(n) +
                        3.0 * static_cast<double>(n) * static_cast<double>(n));
  const auto step = [&] { robustifier.step(); };
  const auto times = bench::alternate({{"step", step}, {"products", products}}, rounds);
  const auto ratio = bench::paired_ratio(step, products, rounds);
  std::printf("%s; %s, n %ld, batch %ld, %ld attack steps, attack precision %s\n", backend->info().description.c_str(), options.kernel.c_str(),
              static_cast<long>(n), static_cast<long>(b), static_cast<long>(options.attack_steps), options.attack_precision.c_str());
  std::printf("outer step: median %.3f s, best %.3f s; bare products (%.1f GFLOP): median %.3f s, best %.3f s; "
              "ratio median %.2f (min %.2f, max %.2f; cpu time %.2f)\n",
              times[0].median, times[0].best, gflop, times[1].median, times[1].best, ratio.median, ratio.best, ratio.worst, ratio.cpu_median);
  return 0;
}

}  // namespace
}  // namespace ntkrob

int main(int argc, char** argv) {
  try {
    return ntkrob::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_robustify: %s\n", error.what());
    return 1;
  }
}
