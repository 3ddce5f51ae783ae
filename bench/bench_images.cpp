// Networks on images: time per pair of images, and per position (or pair of positions) and layer, on one core.
//   bench_images [--spec cnn:21] [--height 32] [--width 32] [--channels 3] [--n 64] [--m 64] [--rounds 5]
//                [--precision mixed|float64] [--values-only 1]
// "layers" counts windows with what stands behind them up to the next window.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

#include "kit/timing.hpp"
#include "ntkrob/base/random.hpp"
#include "ntkrob/kernel/kernel.hpp"
#include "ntkrob/runtime/runtime.hpp"

namespace ntkrob {
namespace {

template <class R>
Matrix<R> images(index n, index d, std::uint64_t seed) {
  const Rng rng(seed, "bench");
  Matrix<R> x(n, d);
  for (index i = 0; i < n * d; ++i) x.data()[i] = static_cast<R>(rng.uniform(static_cast<std::uint64_t>(i)));
  return x;
}

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
  std::map<std::string, std::string> given;
  std::string text(const char* name, const char* fallback) const {
    const auto found = given.find(name);
    return found == given.end() ? fallback : found->second;
  }
  index number(const char* name, index fallback) const {
    const auto found = given.find(name);
    return found == given.end() ? fallback : std::atol(found->second.c_str());
  }
};

template <class R>
void measure(const Options& o) {
  const ImageShape shape{o.number("--height", 32), o.number("--width", 32), o.number("--channels", 3)};
  const index n = o.number("--n", 64), m = o.number("--m", 64), rounds = o.number("--rounds", 5);
  const auto backend = make_backend("cpu", 1);
  const Kernel kernel(KernelSpec::parse(o.text("--spec", "cnn:21")), *backend, {Output::ntk, 0, shape});
  const Matrix<R> x = images<R>(n, shape.size(), 1), y = images<R>(m, shape.size(), 2), u = images<R>(n, 2, 3),
                  v = images<R>(m, 2, 4);
  Matrix<R> k(n, m), dx(n, shape.size());
  PreparedSet<R> set;
  kernel.prepare<R>(y.view(), set);
  Matrix<R> out(n, 2);
  std::vector<bench::Candidate> verbs{{"value", [&] { kernel.apply(x.view(), set, v.view(), out.view()); }},
                                      {"gradient", [&] { kernel.grad(x.view(), set, u.view(), v.view(), dx.view()); }},
                                      {"prepare", [&] { kernel.prepare<R>(y.view(), set); }}};
  if (o.number("--values-only", 0) != 0) verbs.erase(verbs.begin() + 1);
  const auto times = bench::alternate(verbs, static_cast<int>(rounds));
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

}  // namespace

int run(int argc, char** argv) {
  Options o;
  for (int i = 1; i + 1 < argc; i += 2) o.given[argv[i]] = argv[i + 1];
  std::printf("copy bandwidth of one core: memory %.1f GB/s, second-level cache %.1f GB/s\n",
              1e-9 * copy_bandwidth(std::size_t(64) << 20), 1e-9 * copy_bandwidth(std::size_t(256) << 10));
  if (o.text("--precision", "mixed") == "mixed")
    measure<float>(o);
  else
    measure<double>(o);
  return 0;
}

}  // namespace ntkrob

int main(int argc, char** argv) { return ntkrob::run(argc, argv); }
