// Networks on images: time per pair of images, and per position (or pair of positions) and layer, on one core.
//   bench_images --help
// "layers" counts windows with what stands behind them up to the next window.
#include <cstdio>
#include <cstring>
#include <string>

#include "kit/numbers.hpp"
#include "kit/program.hpp"
#include "kit/timing.hpp"
#include "ntkrob/kernel/kernel.hpp"
#include "ntkrob/runtime/runtime.hpp"

namespace ntkrob {
namespace {

/// Pairs of positions of all windows of the network: p = q, or all of them where they are needed.
double pairs_of_windows(const Program& program) {
  double pairs = 0;
  for (std::size_t k = 0; k < program.ops.size(); ++k) {
    if (program.ops[k].type != Operation::shift) continue;
    const double n = static_cast<double>(program.values[k + 1].positions());
    pairs += program.values[k + 1].full ? n * n : n;
  }
  return pairs;
}

/// Bytes per second that one core copies, read and written, for arrays of 64 MiB (memory) and 256 KiB (second level).
double copy_bandwidth(std::size_t bytes) {
  std::vector<char> from(bytes, 1), to(bytes);
  const int repeats = static_cast<int>((std::size_t(1) << 30) / bytes);
  std::vector<double> seconds;
  for (int round = 0; round < 5; ++round)
    seconds.push_back(bench::seconds_of([&] {
      for (int r = 0; r < repeats; ++r) {
        std::memcpy(to.data(), from.data(), bytes);
        from[static_cast<std::size_t>(r) % bytes] = to[bytes / 2];
      }
    }));
  return 2.0 * static_cast<double>(bytes) * repeats / bench::median_of(seconds);
}

struct Options {
  std::string spec = "cnn:21", precision = "mixed";
  ImageShape shape{32, 32, 3};
  index n = 64, m = 64;
  int rounds = 5;
  bool values_only = false;
};

template <class R>
void measure(const Options& o) {
  const ImageShape shape = o.shape;
  const index n = o.n, m = o.m;
  const auto backend = make_backend("cpu", 1);
  const Kernel kernel(KernelSpec::parse(o.spec), *backend, {Output::ntk, 0, shape});
  const Matrix<R> x = bench::numbers<R>(n, shape.size(), 1), y = bench::numbers<R>(m, shape.size(), 2),
                  u = bench::numbers<R>(n, 2, 3), v = bench::numbers<R>(m, 2, 4);
  Matrix<R> k(n, m), dx(n, shape.size());
  PreparedSet<R> set;
  kernel.prepare<R>(y.view(), set);
  Matrix<R> out(n, 2);
  std::vector<bench::Candidate> verbs{{"value", [&] { kernel.apply(x.view(), set, v.view(), out.view()); }},
                                      {"gradient", [&] { kernel.grad(x.view(), set, u.view(), v.view(), dx.view()); }},
                                      {"prepare", [&] { kernel.prepare<R>(y.view(), set); }}};
  if (o.values_only) verbs.erase(verbs.begin() + 1);
  const auto times = bench::alternate(verbs, o.rounds);
  const double pairs = static_cast<double>(n) * static_cast<double>(m), windows = pairs_of_windows(*kernel.program());
  std::printf(
      "%s on %ld x %ld x %ld, %ld x %ld images, %s, one core; %.0f (pairs of) positions x layers per pair of images\n",
      kernel.spec().source().c_str(), static_cast<long>(shape.height), static_cast<long>(shape.width),
      static_cast<long>(shape.channels), static_cast<long>(n), static_cast<long>(m),
      sizeof(R) == 4 ? "mixed" : "float64", windows);
  for (const auto& t : times) {
    if (t.name == "prepare") {
      std::printf("  %-9s %10.1f us per image\n", t.name.c_str(), 1e6 * t.median / static_cast<double>(m));
      continue;
    }
    std::printf("  %-9s %10.2f us per pair of images (best %.2f), %6.3f ns per position and layer, %.2f values\n",
                t.name.c_str(), 1e6 * t.median / pairs, 1e6 * t.best / pairs, 1e9 * t.median / pairs / windows,
                t.median / times[0].median);
  }
}

void run(const Options& o) {
  std::printf("copy bandwidth of one core: memory %.1f GB/s, second-level cache %.1f GB/s\n",
              1e-9 * copy_bandwidth(std::size_t(64) << 20), 1e-9 * copy_bandwidth(std::size_t(256) << 10));
  if (o.precision == "mixed")
    measure<float>(o);
  else
    measure<double>(o);
}

}  // namespace

}  // namespace ntkrob

int main(int argc, char** argv) {
  ntkrob::Options o;
  return ntkrob::bench::program(
      argc, argv, "Time of a network on images per pair of images and per position and layer, one core",
      [&](CLI::App& app) {
        app.add_option("--spec", o.spec, "network");
        app.add_option("--height", o.shape.height, "of the images");
        app.add_option("--width", o.shape.width, "of the images");
        app.add_option("--channels", o.shape.channels, "of the images");
        app.add_option("--n", o.n, "images x");
        app.add_option("--m", o.m, "images y");
        app.add_option("--rounds", o.rounds);
        app.add_option("--precision", o.precision)->check(CLI::IsMember({"mixed", "float64"}));
        app.add_flag("--values-only", o.values_only, "no gradients");
      },
      [&] { ntkrob::run(o); });
}
