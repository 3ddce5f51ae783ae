// Networks on images on every backend of this machine: the verbs of a kernel against the reference backend.
#include <cstdio>
#include <vector>

#include "kernel/inputs.hpp"
#include "kit/check.hpp"
#include "ntkrob/kernel/kernel.hpp"
#include "ntkrob/runtime/runtime.hpp"

using namespace ntkrob;

namespace {

constexpr ImageShape kShape{5, 4, 2};

/// What the verbs of a kernel find, in the order in which they are run.
struct Found {
  std::vector<Matrix<double>> results;
  template <class R>
  void add(const Matrix<R>& m) {
    results.push_back(kit::converted<double>(m));
  }
};

template <class R>
Found verbs(const char* spec, Output output, Backend& backend) {
  const auto images = [](auto n, std::uint64_t seed) {
    return kit::converted<R>(kit::uniform_matrix<float>(n, kShape.size(), seed, -1, 1));
  };
  const auto d = kShape.size();
  const Matrix<R> x = images(3, 1), y = images(18, 2), u = kit::uniform_matrix<R>(3, 2, 3, -1, 1),
                  v = kit::uniform_matrix<R>(18, 2, 4, -1, 1);
  const Kernel kernel(KernelSpec::parse(spec), backend, {output, 0, kShape});
  Found found;
  Matrix<R> k(3, 18), same(3, 3), out(3, 2), dx(3, d), step(3, d), back(3, d), prediction(18, 2), h(3, 2);
  kernel.matrix(x.view(), y.view(), Pairing::cross, k.view());
  kernel.apply(x.view(), y.view(), Pairing::cross, v.view(), out.view());
  kernel.grad(x.view(), y.view(), Pairing::cross, u.view(), v.view(), dx.view());
  for (const Matrix<R>* m : {&k, &out, &dx}) found.add(*m);
  const auto twice = [](auto, ConstView2D<R> given, View2D<R> g) {
    for (decltype(given.rows) i = 0; i < given.rows; ++i)
      for (decltype(given.cols) c = 0; c < given.cols; ++c) g(i, c) = R(2) * given(i, c);
  };
  kernel.apply_grad(x.view(), y.view(), Pairing::cross, v.view(), twice, out.view(), step.view());
  kernel.pull_back(x.view(), y.view(), u.view(), twice, prediction.view(), h.view(), back.view());
  for (const Matrix<R>* m : {&out, &step, &prediction, &h, &back}) found.add(*m);
  return found;
}

template <class R>
void check_verbs(Backend& tested, Backend& reference, double value, double gradient) {
  for (const char* spec : {"cnn:1", "conv(3,pad=valid)-leaky-avgpool(2,stride=1)-conv(2)-erf-gap-dense",
                           "conv(3,pad=circular)-sum(relu-conv(3) | )-layernorm(0.1,axes=all)-relu-gap-dense"})
    for (const Output output : {Output::ntk, Output::nngp}) {
      INFO(spec << (output == Output::ntk ? " ntk" : " nngp"));
      const Found found = verbs<R>(spec, output, tested), expected = verbs<double>(spec, output, reference);
      for (std::size_t i = 0; i < found.results.size(); ++i) {
        INFO("result " << i);
        const bool derivative = found.results[i].cols() == kShape.size();
        NTKROB_CHECK_SAME(kit::compare(found.results[i].view(), expected.results[i].view(),
                                       (derivative ? gradient : value) * kit::largest(expected.results[i])));
      }
    }
}

}  // namespace

TEST_CASE("verbs of networks on images equal those of the reference backend on every backend", "[backend][images]") {
  const auto reference = make_backend("reference");
  for (const BackendState& state : backends()) {
    if (state.name == "reference" || !state.available) continue;
    INFO("backend " << state.name);
    const auto tested = make_backend(state.name, 2);
    check_verbs<double>(*tested, *reference, 1e-12, 1e-11);
    check_verbs<float>(*tested, *reference, 2e-6, 2e-5);
  }
}

TEST_CASE("networks on images: any number of workers gives the same bytes on every backend", "[backend][images]") {
  const Matrix<float> x = kit::uniform_matrix<float>(41, kShape.size(), 5, -1, 1),
                      y = kit::uniform_matrix<float>(19, kShape.size(), 6, -1, 1),
                      u = kit::uniform_matrix<float>(41, 2, 7, -1, 1), v = kit::uniform_matrix<float>(19, 2, 8, -1, 1);
  for (const BackendState& state : backends()) {
    if (state.name == "reference" || !state.available) continue;
    INFO("backend " << state.name);
    for (const char* spec : {"cnn:1", "conv(3)-relu-avgpool(2)-conv(3)-relu-gap-dense"}) {
      Matrix<float> k[2] = {{41, 19}, {41, 19}}, dx[2] = {{41, kShape.size()}, {41, kShape.size()}};
      for (int b = 0; b < 2; ++b) {
        const auto backend = make_backend(state.name, 1 + 2 * b);
        const Kernel kernel(KernelSpec::parse(spec), *backend, {Output::ntk, 0, kShape});
        kernel.matrix(x.view(), y.view(), Pairing::cross, k[b].view());
        kernel.grad(x.view(), y.view(), Pairing::cross, u.view(), v.view(), dx[b].view());
      }
      NTKROB_CHECK_SAME(kit::compare(k[1].view(), k[0].view(), 0));
      NTKROB_CHECK_SAME(kit::compare(dx[1].view(), dx[0].view(), 0));
    }
  }
}
