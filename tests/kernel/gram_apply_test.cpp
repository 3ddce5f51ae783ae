/// gram_apply against the Gram matrix itself.
#include <cstring>

#include "inputs.hpp"
#include "kit/check.hpp"
#include "ntkrob/kernel/kernel.hpp"
#include "ntkrob/runtime/runtime.hpp"

namespace ntkrob {
namespace {

template <class R>
Matrix<double> gram(const Kernel& kernel, const PreparedSet<R>& set) {
  Matrix<double> k(set.samples.rows, set.samples.rows);
  kernel.gram<R>(set, k.view(), View2D<R>());
  return k;
}

/// a b in float64.
Matrix<double> product(const Matrix<double>& a, const Matrix<double>& b) {
  Matrix<double> c(a.rows(), b.cols());
  for (index i = 0; i < a.rows(); ++i)
    for (index k = 0; k < a.cols(); ++k)
      for (index j = 0; j < b.cols(); ++j) c(i, j) += a(i, k) * b(k, j);
  return c;
}

}  // namespace

TEMPLATE_TEST_CASE("gram_apply is the Gram matrix times v, in float64, for sizes around all blocks", "[kernel]", float,
                   double) {
  const auto spec = GENERATE(as<std::string>{}, "fc:2", "dense-erf-dense", "conv(3)-relu-flatten-dense");
  const auto n = GENERATE(1, 63, 85, 512, 600, 1100);
  CAPTURE(spec, n);
  const auto backend = make_backend("cpu", 2);
  KernelOptions options;
  options.shape = ImageShape{3, 3, 1};
  const Kernel kernel(KernelSpec::parse(spec), *backend, options);
  const Matrix<TestType> x = kit::uniform_matrix<TestType>(n, 9, 1, -1, 1);
  const Matrix<double> v = kit::uniform_matrix<double>(n, 6, 2, -1, 1);
  PreparedSet<TestType> set;
  kernel.prepare<TestType>(x.view(), set);
  Matrix<double> out(n, 6);

  kernel.gram_apply<TestType>(set, v.view(), out.view());

  const Matrix<double> expected = product(gram(kernel, set), v);
  // Sums of n terms of size 1 in float64, in two orders; entries are the same bits in both precisions.
  NTKROB_CHECK_SAME(kit::compare(out.view(), expected.view(), 1e-15 * n * kit::largest(gram(kernel, set))));
}

TEST_CASE("gram_apply has the same bits for any number of workers", "[kernel]") {
  const Matrix<float> x = kit::uniform_matrix<float>(700, 20, 3);
  const Matrix<double> v = kit::uniform_matrix<double>(700, 3, 4, -1, 1);
  Matrix<double> first(700, 3), other(700, 3);
  for (const int workers : {1, 2, 5}) {
    const auto backend = make_backend("cpu", workers);
    const Kernel kernel(KernelSpec::parse("fc:3"), *backend);
    PreparedSet<float> set;
    kernel.prepare<float>(x.view(), set);
    kernel.gram_apply<float>(set, v.view(), workers == 1 ? first.view() : other.view());
    if (workers > 1) CHECK(std::memcmp(first.data(), other.data(), sizeof(double) * 700 * 3) == 0);
  }
}

TEST_CASE("gram_apply needs no table of all images", "[kernel]") {
  const auto backend = make_backend("cpu", 2);
  KernelOptions options;
  options.shape = ImageShape{3, 3, 1};
  const Kernel kernel(KernelSpec::parse("conv(3)-relu-gap-dense"), *backend, options);
  const Matrix<double> x = kit::uniform_matrix<double>(600, 9, 5), v = kit::uniform_matrix<double>(600, 2, 6, -1, 1);
  PreparedSet<double> set;
  kernel.prepare<double>(x.view(), set);
  Matrix<double> with(600, 2), without(600, 2);

  kernel.gram_apply<double>(set, v.view(), with.view());
  set.images.n = 0;
  kernel.gram_apply<double>(set, v.view(), without.view());

  NTKROB_CHECK_SAME(kit::compare(with.view(), without.view(), 0));
}

TEST_CASE("gram_apply tells how far it is, stops when told to, and refuses what does not fit", "[kernel]") {
  const auto backend = make_backend("cpu", 2);
  const Matrix<double> x = kit::uniform_matrix<double>(1100, 4, 7), v(1100, 2);
  Matrix<double> out(1100, 2), wrong(1100, 3);
  PreparedSet<double> set;
  const Kernel kernel(KernelSpec::parse("fc:1"), *backend);
  kernel.prepare<double>(x.view(), set);
  std::vector<index> seen;
  kernel.gram_apply<double>(set, v.view(), out.view(), [&](index done, index total) {
    CHECK(total == 3);
    seen.push_back(done);
  });
  CHECK(seen == std::vector<index>{0, 1, 2});
  CHECK_THROWS_AS(kernel.gram_apply<double>(set, v.view(), out.view(),
                                            [](index done, index) { NTKROB_CHECK(done < 1, Interrupted, "stop"); }),
                  Interrupted);
  CHECK_THROWS_AS(kernel.gram_apply<double>(set, v.view(), wrong.view()), ShapeError);

  KernelOptions small;
  small.memory_budget = kernel.gram_apply_bytes<double>(1100, 2) - 1;
  const Kernel poor(KernelSpec::parse("fc:1"), *backend, small);
  CHECK_THROWS_WITH(poor.gram_apply<double>(set, v.view(), out.view()),
                    Catch::Contains(std::to_string(small.memory_budget + 1)));
}

TEST_CASE("a product with the Gram matrix that is not finite is refused", "[kernel]") {
  const auto backend = make_backend("cpu", 1);
  const Kernel kernel(KernelSpec::parse("fc:1"), *backend);
  const Matrix<double> x = kit::uniform_matrix<double>(20, 4, 8);
  Matrix<double> v(20, 1), out(20, 1);
  v(3, 0) = std::numeric_limits<double>::infinity();
  PreparedSet<double> set;
  kernel.prepare<double>(x.view(), set);
  CHECK_THROWS_AS(kernel.gram_apply<double>(set, v.view(), out.view()), NonFinite);
}

}  // namespace ntkrob
