// Operations and verbs on one backend, as rows of a table: what a device reaches, copies included.
#include <cstdio>
#include <string>

#include "kit/numbers.hpp"
#include "kit/program.hpp"
#include "kit/timing.hpp"
#include "ntkrob/kernel/kernel.hpp"
#include "ntkrob/runtime/runtime.hpp"

namespace ntkrob {
namespace {

struct Options {
  std::string backend = "auto", spec = "fc:3";
  index n = 4000, m = 4000, d = 784, r = 10, rounds = 5;
};

/// One row; `work` counts multiplications and additions of the matrix products in it.
void print(const bench::Timing& t, const std::string& shape, double work) {
  std::printf("| %s | %s | %.4f | %.4f | %.1f |\n", t.name.c_str(), shape.c_str(), t.median, t.best,
              1e-9 * work / t.median);
  std::fflush(stdout);
}

void measure(const Options& o) {
  const auto backend = make_backend(o.backend);
  const Kernel kernel(KernelSpec::parse(o.spec), *backend);
  const DeviceInfo info = backend->info();
  std::printf(
      "%s: %s; %s\n\n| operation | shape | median s | best s | GFLOP/s of its products |\n|---|---|---|---|---|\n",
      info.name.c_str(), info.description.c_str(), o.spec.c_str());
  const Matrix<float> x = bench::numbers<float>(o.n, o.d, 1), y = bench::numbers<float>(o.m, o.d, 2),
                      v = bench::numbers<float>(o.m, o.r, 3);
  Matrix<float> c(o.n, o.m), out(o.n, o.r), dx(o.n, o.d);
  Matrix<double> wide = bench::numbers<double>(o.n, o.d, 4), gram(o.n, o.n), factor,
                 rhs = bench::numbers<double>(o.n, o.r, 5);
  PreparedSet<float> set;
  kernel.prepare<float>(y.view(), set);
  const auto times = [&](const char* name, const std::function<void()>& run) {
    return bench::alternate({{name, run}}, static_cast<int>(o.rounds)).front();
  };
  const double n = static_cast<double>(o.n), m = static_cast<double>(o.m), d = static_cast<double>(o.d),
               r = static_cast<double>(o.r), product = 2 * n * m * d;
  const std::string shape = text(o.n, " x ", o.m, " x ", o.d);
  print(times("gemm float32",
              [&] { backend->gemm(Transpose::no, Transpose::yes, 1.0f, x.view(), y.view(), 0.0f, c.view()); }),
        shape, product);
  print(times("kernel matrix", [&] { kernel.matrix(x.view(), y.view(), Pairing::cross, c.view()); }), shape, product);
  print(times("apply", [&] { kernel.apply(x.view(), set, v.view(), out.view()); }), shape, product + 2 * n * m * r);
  const auto given = [](index, ConstView2D<float> o_, View2D<float> u) { convert(o_, u); };
  print(times("attack step", [&] { kernel.apply_grad(x.view(), set, v.view(), given, out.view(), dx.view()); }), shape,
        2 * product + 4 * n * m * r);
  backend->gemm(Transpose::no, Transpose::yes, 1.0, wide.view(), wide.view(), 0.0, gram.view());
  for (index i = 0; i < o.n; ++i) gram(i, i) += static_cast<double>(o.d);
  const auto refactor = [&] {
    factor = gram;
    NTKROB_CHECK(backend->factor_spd(factor.view()) == -1, NotPositiveDefinite, "the matrix of the benchmark");
  };
  print(times("Cholesky float64", refactor), text(o.n, " x ", o.n), n * n * n / 3);
  print(times("solve float64", [&] { backend->solve_spd(factor.view(), rhs.view()); }),
        text(o.n, " x ", o.n, ", ", o.r), 2 * n * n * r);
}

}  // namespace
}  // namespace ntkrob

int main(int argc, char** argv) {
  ntkrob::Options o;
  return ntkrob::bench::program(
      argc, argv, "Operations and verbs on one backend, as rows of a table: what a device reaches, copies included",
      [&](CLI::App& app) {
        app.add_option("--backend", o.backend, "as in ntkrob info --backends");
        app.add_option("--spec", o.spec, "kernel");
        app.add_option("--n", o.n, "samples of the first set");
        app.add_option("--m", o.m, "samples of the second set");
        app.add_option("--d", o.d, "values of a sample");
        app.add_option("--r", o.r, "columns of coefficients");
        app.add_option("--rounds", o.rounds);
      },
      [&] { ntkrob::measure(o); });
}
