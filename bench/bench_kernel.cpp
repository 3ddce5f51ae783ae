// Kernel verbs beside the bare matrix products they contain, through the same BLAS and with the same number of threads.
//   bench_kernel --help
// Prints, for each case, the median time, the median of the bare products, and the median ratio of paired runs.
#include <sys/resource.h>

#include <cstdio>

#include "kit/blas.hpp"
#include "kit/program.hpp"
#include "kit/timing.hpp"
#include "ntkrob/base/random.hpp"
#include "ntkrob/kernel/kernel.hpp"
#include "ntkrob/runtime/runtime.hpp"

namespace ntkrob {
namespace {

Matrix<float> images(index n, index d, std::uint64_t seed) {
  const Rng rng(seed, "bench");
  Matrix<float> x(n, d);
  // Sparse positive pixels: the correlations of handwritten digits.
  for (index i = 0; i < n * d; ++i)
    x.data()[i] = rng.uniform(static_cast<std::uint64_t>(2 * i)) < 0.25
                      ? static_cast<float>(rng.uniform(static_cast<std::uint64_t>(2 * i + 1)))
                      : 0.0f;
  return x;
}

void report(const char* name, const std::function<void()>& ours, const std::function<void()>& bare, int rounds) {
  const auto times = bench::alternate({{"ours", ours}, {"bare", bare}}, rounds);
  const auto ratio = bench::paired_ratio(ours, bare, rounds);
  std::printf("%-44s ours %8.1f ms   bare GEMM %8.1f ms   ratio median %.2f (min %.2f, max %.2f; cpu time %.2f)\n",
              name, 1e3 * times[0].median, 1e3 * times[1].median, ratio.median, ratio.best, ratio.worst,
              ratio.cpu_median);
  std::fflush(stdout);
}

long peak_kib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss;
}

struct Options {
  std::string spec = "fc:3";
  index n = 5000, m = 1000, d = 784;
  int threads = 2, rounds = 9;
};

void run(const Options& o) {
  const index n = o.n, m = o.m, d = o.d;
  const int threads = o.threads, rounds = o.rounds;
  const auto backend = make_backend("cpu", threads);
  std::printf("%s; %s; n %ld, batch %ld, d %ld, %d rounds\n", backend->info().description.c_str(), o.spec.c_str(),
              static_cast<long>(n), static_cast<long>(m), static_cast<long>(d), rounds);
  const Kernel kernel(KernelSpec::parse(o.spec), *backend);
  const Matrix<float> s = images(n, d, 1);
  {
    const Matrix<float> y = images(n, d, 2);
    Matrix<float> k(n, n);
    const long before = peak_kib();
    kernel.matrix(s.view(), y.view(), Pairing::cross, k.view());
    const double output = static_cast<double>(n) * static_cast<double>(n) * 4 / 1048576.0;
    std::printf("matrix n x n: peak memory %.0f MiB above the inputs and the output (%.0f MiB)\n",
                static_cast<double>(peak_kib() - before) / 1024.0, output);
    report(
        "matrix, two sets, n x n", [&] { kernel.matrix(s.view(), y.view(), Pairing::cross, k.view()); },
        [&] { bench::bare_gemm(threads, true, s.view(), y.view(), k.view()); }, rounds);
    report(
        "matrix, one set, n x n (half computed)", [&] { kernel.matrix(s.view(), s.view(), Pairing::same, k.view()); },
        [&] { bench::bare_gemm(threads, true, s.view(), s.view(), k.view()); }, rounds);
  }
  const index classes = 10;
  const Matrix<float> x = images(m, d, 3), alpha = images(n, classes, 4);
  Matrix<float> out(m, classes), dx(m, d), products(m, n), back(m, d);
  const Kernel::StripCotangent<float> cotangent = [](index, ConstView2D<float> f, View2D<float> u) {
    for (index i = 0; i < f.rows; ++i)
      for (index c = 0; c < f.cols; ++c) u(i, c) = f(i, c) - 1;
  };
  PreparedSet<float> set;  // as a kernel machine keeps its support set
  kernel.prepare<float>(s.view(), set);
  report(
      "attack step: batch against n, two products",
      [&] { kernel.apply_grad(x.view(), set, alpha.view(), cotangent, out.view(), dx.view()); },
      [&] {
        bench::bare_gemm(threads, true, x.view(), s.view(), products.view());
        bench::bare_gemm(threads, false, products.view(), s.view(), back.view());
      },
      rounds);
  report(
      "prediction: batch against n, one product", [&] { kernel.apply(x.view(), set, alpha.view(), out.view()); },
      [&] { bench::bare_gemm(threads, true, x.view(), s.view(), products.view()); }, rounds);
  report(
      "the same, support set not prepared",
      [&] { kernel.apply(x.view(), s.view(), Pairing::cross, alpha.view(), out.view()); },
      [&] { bench::bare_gemm(threads, true, x.view(), s.view(), products.view()); }, rounds);
}

}  // namespace
}  // namespace ntkrob

int main(int argc, char** argv) {
  ntkrob::Options o;
  return ntkrob::bench::program(
      argc, argv, "Kernel verbs beside the bare matrix products they contain",
      [&](CLI::App& app) {
        app.add_option("--spec", o.spec, "kernel");
        app.add_option("--n", o.n, "images of the support");
        app.add_option("--m", o.m, "images of a batch");
        app.add_option("--d", o.d, "pixels");
        app.add_option("--threads", o.threads);
        app.add_option("--rounds", o.rounds);
      },
      [&] { ntkrob::run(o); });
}
