// The verbs of a kernel on every backend, with host views and with arrays: the same bits, and no needless copies.
#include <cstdio>

#include "backend/each_backend.hpp"
#include "kernel/inputs.hpp"
#include "ntkrob/kernel/kernel.hpp"

using namespace ntkrob;

namespace {

constexpr index kN = 150, kM = 70, kD = 21, kR = 3;

template <class R>
struct Inputs {
  Matrix<R> x = kit::uniform_matrix<R>(kN, kD, 1, -1, 1), y = kit::uniform_matrix<R>(kM, kD, 2, -1, 1),
            u = kit::uniform_matrix<R>(kN, kR, 3, -1, 1), v = kit::uniform_matrix<R>(kM, kR, 4, -1, 1);
  Matrix<double> wide = kit::uniform_matrix<double>(kM, kR, 5, -1, 1);
};

/// A matrix of results: on the host, or in an array that is looked at afterwards.
template <class T>
class Result {
 public:
  Result(Backend& backend, bool array, index rows, index cols)
      : backend_(backend), array_(array), host_(rows, cols), near_(kit::in_array(backend, host_)) {}
  View2D<T> view() { return array_ ? near_.view() : host_.view(); }
  Matrix<T> look() const { return array_ ? kit::on_host(backend_, near_.view()) : host_; }

 private:
  Backend& backend_;
  bool array_;
  Matrix<T> host_;
  Array<T> near_;
};

template <class R>
void half_of(index, ConstView2D<R> out, View2D<R> u) {
  for (index i = 0; i < out.rows; ++i)
    for (index c = 0; c < out.cols; ++c) u(i, c) = out(i, c) * R(0.5) - R(0.1);
}

/// Everything that the verbs compute, as matrices of float64.
template <class R>
std::vector<Matrix<double>> run_all(const Kernel& kernel, bool array) {
  Backend& backend = kernel.backend();
  const Inputs<R> in;
  const Array<R> x_array = kit::in_array(backend, in.x), y_array = kit::in_array(backend, in.y),
                 u_array = kit::in_array(backend, in.u), v_array = kit::in_array(backend, in.v);
  const Array<double> wide_array = kit::in_array(backend, in.wide);
  const ConstView2D<R> x = array ? x_array.view() : in.x.view(), y = array ? y_array.view() : in.y.view(),
                       u = array ? u_array.view() : in.u.view(), v = array ? v_array.view() : in.v.view();
  std::vector<Matrix<double>> all;
  const auto keep = [&](const auto& result) { all.push_back(kit::converted<double>(result.look())); };
  const auto numbers = [&](index rows, index cols) { return Result<R>(backend, array, rows, cols); };

  Result<R> cross = numbers(kN, kM), ntk = numbers(kM, kM), nngp = numbers(kM, kM);
  kernel.matrix(x, y, Pairing::cross, cross.view());
  kernel.matrices(y, y, Pairing::same, ntk.view(), nngp.view());
  for (const Result<R>* m : {&cross, &ntk, &nngp}) keep(*m);

  Result<R> out = numbers(kN, kR), dx = numbers(kN, kD), logits = numbers(kN, kR), step = numbers(kN, kD);
  kernel.apply(x, y, Pairing::cross, v, out.view());
  kernel.grad(x, y, Pairing::cross, u, v, dx.view());
  kernel.apply_grad(x, y, Pairing::cross, v, half_of<R>, logits.view(), step.view());
  for (const Result<R>* m : {&out, &dx, &logits, &step}) keep(*m);

  PreparedSet<R> set;
  kernel.prepare(y, set);
  Result<R> prepared = numbers(kN, kR), prepared_dx = numbers(kN, kD), products = numbers(kM, kM),
            sums = numbers(kM, kD), again = numbers(kM, kD);
  Result<double> gram(backend, array, kM, kM), product(backend, array, kM, kR);
  kernel.apply_grad(x, set, v, half_of<R>, prepared.view(), prepared_dx.view());
  kernel.gram(set, gram.view(), products.view());
  kernel.gram_grad(set, products.view(), v, v, sums.view());
  kernel.gram_grad(set, {}, v, v, sums.view());  // added
  kernel.gram_grad(set, {}, v, v, again.view());
  kernel.gram_apply(set, array ? wide_array.view() : in.wide.view(), product.view());
  for (const Result<R>* m : {&prepared, &prepared_dx, &products, &sums, &again}) keep(*m);
  keep(gram);
  keep(product);

  Result<R> predicted = numbers(kM, kR), h = numbers(kN, kR), back = numbers(kN, kD);
  kernel.pull_back(x, y, u, half_of<R>, predicted.view(), h.view(), back.view());
  const std::vector<double> weights(kN, 0.3);
  Matrix<double> diagonal(1, kN);
  kernel.diag(x, diagonal.data());
  kernel.add_diag_grad(x, weights.data(), back.view());
  for (const Result<R>* m : {&predicted, &h, &back}) keep(*m);
  all.push_back(diagonal);
  return all;
}

template <class R>
void check_verbs(Backend& backend, const char* spec, double tolerance) {
  INFO(spec);
  const auto cpu = make_backend("cpu", 1);
  const Kernel kernel(KernelSpec::parse(spec), backend);
  const auto expected = run_all<R>(Kernel(KernelSpec::parse(spec), *cpu), false), host = run_all<R>(kernel, false),
             arrays = run_all<R>(kernel, true);
  for (std::size_t k = 0; k < host.size(); ++k) {
    INFO("result " << k);
    NTKROB_CHECK_SAME(kit::compare(host[k].view(), expected[k].view(), tolerance * kit::largest(expected[k])));
    NTKROB_CHECK_SAME(kit::compare(arrays[k].view(), host[k].view(), 0));
  }
}

/// Bytes that the backend says it has copied to its device and back.
std::pair<unsigned long long, unsigned long long> copied(const Backend& backend) {
  unsigned long long to = 0, back = 0;
  REQUIRE(std::sscanf(backend.account().c_str(), "copied %llu bytes to the device and %llu back", &to, &back) == 2);
  return {to, back};
}

}  // namespace

TEST_CASE("verbs on arrays have the bits of verbs on host views", "[backend]") {
  kit::for_each_backend([](Backend& backend) {
    check_verbs<double>(backend, "fc:2", 1e-11);
    check_verbs<float>(backend, "fc:2", 1e-4);
    check_verbs<double>(backend, "dense-relu-dropout(0.7)-dense-erf-dense", 1e-11);
  });
}

TEST_CASE("results have the same bits for every number of workers and strips", "[backend]") {
  std::vector<Matrix<double>> expected;
  for (const int workers : {1, 2, 3}) {
    std::size_t done = 0;
    kit::for_each_backend(
        [&](Backend& backend) {
          const auto found = run_all<float>(Kernel(KernelSpec::parse("fc:2"), backend), false);
          if (workers == 1) expected.insert(expected.end(), found.begin(), found.end());
          for (const Matrix<double>& m : found) {
            INFO(workers << " workers, result " << done);
            NTKROB_CHECK_SAME(kit::compare(m.view(), expected[done++].view(), 0));
          }
        },
        workers);
  }
}

TEST_CASE("an attack step on arrays copies logits and cotangents, and nothing that grows with D or M", "[backend]") {
  kit::for_each_backend([](Backend& backend) {
    if (backend.arrays().on_host()) return;
    for (const index d : {20, 200})
      for (const index m : {30, 300}) {
        const index n = 100;
        const Kernel kernel(KernelSpec::parse("fc:2"), backend);
        const Matrix<float> y = kit::uniform_matrix<float>(m, d, 6, -1, 1);
        const Array<float> x = kit::in_array(backend, kit::uniform_matrix<float>(n, d, 7, -1, 1)),
                           v = kit::in_array(backend, kit::uniform_matrix<float>(m, kR, 8, -1, 1));
        Array<float> dx(backend.arrays(), n, d);
        Matrix<float> out(n, kR);
        PreparedSet<float> set;
        kernel.prepare(y.view(), set);
        kernel.apply_grad(x.view(), set, v.view(), half_of<float>, out.view(), dx.view());
        const auto before = copied(backend);
        kernel.apply_grad(x.view(), set, v.view(), half_of<float>, out.view(), dx.view());
        const auto after = copied(backend);
        const unsigned long long logits = n * kR * sizeof(float), small = 256;
        INFO("d " << d << ", m " << m);
        CHECK(after.first - before.first <= logits + small);
        CHECK(after.second - before.second <= logits + small);
        CHECK(after.second - before.second >= logits);
      }
  });
}
