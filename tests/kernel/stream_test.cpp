/// Both outputs in one pass, and matrices in blocks.
#include "ntkrob/kernel/stream.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernel/inputs.hpp"
#include "kit/check.hpp"
#include "ntkrob/runtime/runtime.hpp"

namespace ntkrob {

namespace {

struct Case {
  const char* spec;
  ImageShape shape;
};
const Case kCases[] = {
    {"fc:2", {1, 1, 12}}, {"dense-gelu-dense", {1, 1, 12}}, {"conv(3)-relu-flatten-dense", {2, 2, 3}}};

Kernel make_kernel(const Case& c, Backend& backend, Output output, std::size_t budget = 0) {
  return Kernel(KernelSpec::parse(c.spec), backend, {output, budget, c.shape});
}

template <class R>
Matrix<R> whole(const Case& c, Backend& backend, Output output, const Matrix<R>& x, const Matrix<R>& y) {
  Matrix<R> k(x.rows(), y.rows());
  make_kernel(c, backend, output).matrix(x.view(), y.view(), &x == &y ? Pairing::same : Pairing::cross, k.view());
  return k;
}

template <class R>
bool same_bits(const Matrix<R>& a, const Matrix<R>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), static_cast<std::size_t>(a.size()) * sizeof(R)) == 0;
}

}  // namespace

TEMPLATE_TEST_CASE("both kernels in one pass have the bits of one after the other", "[kernel]", float, double) {
  for (const char* name : {"cpu", "reference"}) {
    const auto backend = make_backend(name);
    const Matrix<TestType> x = kit::uniform_matrix<TestType>(45, 12, 1, -1, 1),
                           y = kit::uniform_matrix<TestType>(130, 12, 2, -1, 1);
    for (const Case& c : kCases) {
      INFO(name << ", " << c.spec);
      for (const Matrix<TestType>* second : {&x, &y}) {
        Matrix<TestType> ntk(x.rows(), second->rows()), nngp(x.rows(), second->rows());
        make_kernel(c, *backend, Output::ntk)
            .matrices(x.view(), second->view(), second == &x ? Pairing::same : Pairing::cross, ntk.view(), nngp.view());
        CHECK(same_bits(ntk, whole(c, *backend, Output::ntk, x, *second)));
        CHECK(same_bits(nngp, whole(c, *backend, Output::nngp, x, *second)));
      }
    }
  }
}

TEMPLATE_TEST_CASE("blocks cover the matrix once, with its bits, for every budget", "[kernel]", float, double) {
  const auto backend = make_backend("cpu", 2);
  const Matrix<TestType> x = kit::uniform_matrix<TestType>(150, 12, 1, -1, 1),
                         y = kit::uniform_matrix<TestType>(67, 12, 2, -1, 1);
  for (const Case& c : kCases)
    for (const Matrix<TestType>* second : {&x, &y})
      for (const std::size_t budget : {std::size_t(0), std::size_t(400) << 10, std::size_t(70) << 10}) {
        if (c.shape.height > 1 && budget == std::size_t(70) << 10) continue;  // less than one pair of images needs
        INFO(c.spec << ", budget " << budget);
        const bool same = second == &x;
        Matrix<TestType> got[2] = {{150, second->rows()}, {150, second->rows()}}, count[2] = {got[0], got[1]};
        int blocks = 0;

        stream_matrix<TestType>(make_kernel(c, *backend, Output::ntk, budget), x.view(), second->view(),
                                same ? Pairing::same : Pairing::cross, {Output::ntk, Output::nngp},
                                [&](Output output, index row, index col, ConstView2D<TestType> block) {
                                  const int k = output == Output::nngp;
                                  ++blocks;
                                  for (index i = 0; i < block.rows; ++i)
                                    for (index j = 0; j < block.cols; ++j) {
                                      got[k](row + i, col + j) = block(i, j);
                                      count[k](row + i, col + j) += 1;
                                    }
                                });

        if (budget == std::size_t(70) << 10) CHECK(blocks > 4);
        for (int k = 0; k < 2; ++k) {
          CHECK(std::all_of(count[k].data(), count[k].data() + count[k].size(), [](TestType n) { return n == 1; }));
          CHECK(same_bits(got[k], whole(c, *backend, k == 0 ? Output::ntk : Output::nngp, x, *second)));
        }
      }
}

TEST_CASE("a budget below one row and a sink that throws end the stream", "[kernel]") {
  const auto backend = make_backend("cpu", 1);
  const Matrix<float> x = kit::uniform_matrix<float>(400, 3, 1);
  const auto stream = [&](std::size_t budget, const MatrixSink<float>& sink) {
    stream_matrix<float>(make_kernel({"fc:1", {1, 1, 3}}, *backend, Output::ntk, budget), x.view(), x.view(),
                         Pairing::same, {Output::ntk}, sink);
  };
  CHECK_THROWS_WITH(stream(2000, [](Output, index, index, ConstView2D<float>) {}), Catch::Contains("raise memory"));
  CHECK_THROWS_AS(stream(0, [](Output, index, index, ConstView2D<float>) { throw Interrupted("stop"); }), Interrupted);
}

}  // namespace ntkrob
