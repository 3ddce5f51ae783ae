// Kernels of infinitely wide nets against empirical kernels of random nets of finite width.
#include <cstdio>

#include "kernel/finite_net.hpp"
#include "kernel/inputs.hpp"
#include "kit/check.hpp"
#include "ntkrob/kernel/kernel.hpp"
#include "ntkrob/runtime/runtime.hpp"

using namespace ntkrob;

namespace {

struct Case {
  const char* spec;
  ImageShape shape;
  index width;
  int nets;
};

const Case kCases[] = {
    {"fc:2", {1, 1, 10}, 1024, 100},
    {"dense-erf-dense-gelu-dense", {1, 1, 10}, 1024, 100},
    {"dense-leaky(0.2)-dense-sin-dense(b=0.5)", {1, 1, 10}, 1024, 100},
    {"dense(w=1,b=0)-hermite-dense-abs-dense", {1, 1, 10}, 1024, 100},
    {"dense(param=standard,in=10,width=1024)-relu-dense(b=0.3,param=standard,width=1024)-relu-dense(param=standard)",
     {1, 1, 10},
     1024,
     100},
    {"dense-relu-dropout(0.6)-dense-erf-dropout(0.8)-dense", {1, 1, 10}, 1024, 100},
    {"dense-product(relu-dense | erf-dense)-dense", {1, 1, 10}, 1024, 100},
    {"dense(width=1024)-concat(relu-dense(width=1536) | )-dense-relu-dense", {1, 1, 10}, 1024, 100},
    {"conv(3)-relu-avgpool(2)-conv(3)-relu-flatten-dense", {4, 4, 2}, 192, 150},
    {"conv(3)-relu-gap-dense-relu-dense", {4, 4, 2}, 256, 150},
    {"conv(3,stride=2)-residual(relu-conv(3))-relu-gap-dense", {4, 4, 2}, 256, 150},
    {"conv(3)-product(relu-conv(2) | conv(1))-gap-dense", {4, 4, 2}, 256, 150},
    {"conv(3)-concat(relu-conv(3) | relu)-conv(1)-relu-flatten-dense", {4, 4, 2}, 192, 150},
    {"conv(3,param=standard,in=2,width=256)-relu-conv(3,param=standard,width=256)-gap-dense(param=standard)",
     {4, 4, 2},
     256,
     150}};

/// Sums of a kernel's entries over nets.
struct Sums {
  Matrix<double> total, squares;
  explicit Sums(index n) : total(n, n), squares(n, n) {}
  void add(const Matrix<double>& k) {
    for (index e = 0; e < k.size(); ++e) {
      total.data()[e] += k.data()[e];
      squares.data()[e] += k.data()[e] * k.data()[e];
    }
  }
};

}  // namespace

TEST_CASE("random nets of finite width have the kernels of the infinite width, within their standard errors",
          "[kernel][finite]") {
  const auto backend = make_backend("reference");
  const index n = 3;
  std::printf("%-12s %-5s %-6s %-5s %-22s %-8s %s\n", "largest:", "", "width", "nets", "relative deviation", "in s.e.",
              "network");
  for (const Case& c : kCases) {
    INFO(c.spec);
    const KernelSpec spec = KernelSpec::parse(c.spec);
    const Matrix<double> x = kit::uniform_matrix<double>(n, c.shape.size(), 31, -1, 1);
    kit::Batch batch;
    for (index i = 0; i < n; ++i)
      batch.push_back({c.shape.height, c.shape.width, c.shape.channels,
                       std::vector<double>(x.view().row(i), x.view().row(i) + c.shape.size())});
    Sums sums[2] = {Sums(n), Sums(n)};
    for (int net = 0; net < c.nets; ++net) {
      Matrix<double> k[2];
      kit::FiniteNet(spec.network(), c.width, Rng(77, "finite nets").fork(static_cast<std::uint64_t>(net)))
          .run(batch, k[0], k[1]);
      for (int o = 0; o < 2; ++o) sums[o].add(k[o]);
    }
    for (const Output output : {Output::ntk, Output::nngp}) {
      const Sums& s = sums[output == Output::ntk ? 0 : 1];
      Matrix<double> exact(n, n);
      Kernel(spec, *backend, {output, 0, c.shape}).matrix(x.view(), x.view(), Pairing::same, exact.view());
      double worst_relative = 0, worst_errors = 0;
      for (index i = 0; i < n; ++i)
        for (index j = 0; j <= i; ++j) {
          const double count = c.nets, mean = s.total(i, j) / count;
          const double error = std::sqrt(std::max(0.0, s.squares(i, j) / count - mean * mean) / (count - 1));
          const double unit = std::sqrt(exact(i, i) * exact(j, j)), deviation = std::abs(mean - exact(i, j));
          worst_relative = std::max(worst_relative, deviation / unit);
          worst_errors = std::max(worst_errors, deviation / error);
          // The mean of finite nets differs from the limit by a term of order 1 / width.
          INFO("(" << i << "," << j << "): mean " << mean << " +- " << error << ", limit " << exact(i, j));
          CHECK(deviation <= 4 * error + 2 * unit / static_cast<double>(c.width));
          CHECK(error <= 0.05 * unit);
        }
      std::printf("%-12s %-5s %-6d %-5d %-22.2e %-8.2f %s\n", "", output == Output::ntk ? "ntk" : "nngp",
                  static_cast<int>(c.width), c.nets, worst_relative, worst_errors, c.spec);
    }
  }
}
