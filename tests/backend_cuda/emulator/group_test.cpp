// Several devices compute what one computes, bit by bit.
#include <algorithm>
#include <cstdlib>
#include <string>

#include "kernel/inputs.hpp"
#include "kit/check.hpp"
#include "ntkrob/kernel/kernel.hpp"
#include "ntkrob/runtime/runtime.hpp"

using namespace ntkrob;

namespace {

constexpr index kRows = 9000, kSupport = 70, kDim = 5, kClasses = 3;  // three strips of x

template <class R>
struct Results {
  Matrix<R> values{kRows, kSupport}, out{kRows, kClasses}, dx{kRows, kDim};
  Matrix<double> gram{kSupport, kSupport};
};

template <class R>
Results<R> on(const char* backend_name) {
  const auto backend = make_backend(backend_name, 3);
  const Kernel kernel(KernelSpec::parse("fc:2(b=0.3)"), *backend);
  const Matrix<R> x = kit::uniform_matrix<R>(kRows, kDim, 1, -1, 1),
                  y = kit::uniform_matrix<R>(kSupport, kDim, 2, -1, 1),
                  v = kit::uniform_matrix<R>(kSupport, kClasses, 3, -1, 1);
  Results<R> r;
  kernel.matrix(x.view(), y.view(), Pairing::cross, r.values.view());
  PreparedSet<R> set;
  for (int round = 0; round < 2; ++round) {  // the second one writes over what the others hold
    kernel.prepare<R>(y.view(), set);
    kernel.apply_grad<R>(
        x.view(), set, v.view(),
        [](index, ConstView2D<R> out, View2D<R> u) {
          for (index i = 0; i < u.rows; ++i) std::copy_n(out.row(i), u.cols, u.row(i));
        },
        r.out.view(), r.dx.view());
    kernel.gram<R>(set, r.gram.view(), {});
  }
  return r;
}

template <class R>
void check_same() {
  const Results<R> expected = on<R>("cuda:1");
  for (const char* several : {"cuda:0,1", "cuda:all", "cuda:2,0"}) {
    INFO(several);
    const Results<R> found = on<R>(several);
    NTKROB_CHECK_SAME(kit::compare(found.values.view(), expected.values.view(), 0));
    NTKROB_CHECK_SAME(kit::compare(found.out.view(), expected.out.view(), 0));
    NTKROB_CHECK_SAME(kit::compare(found.dx.view(), expected.dx.view(), 0));
    NTKROB_CHECK_SAME(kit::compare(found.gram.view(), expected.gram.view(), 0));
  }
}

std::string refusal(const char* backend) {
  try {
    make_backend(backend, 2);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("several devices give the bits of one", "[emulator]") {
  check_same<float>();
  check_same<double>();
}

TEST_CASE("a list of devices that cannot be is refused", "[emulator]") {
  CHECK(refusal("cuda:0,0") == "backend cuda: device 0 is named twice");
  CHECK(refusal("cuda:0,3") == "backend cuda: there is no device 3, this machine has 3: cuda:0 to cuda:2");
  CHECK(refusal("cuda:0,") != "no error");
  CHECK(refusal("cpu:all") == "backend \"cpu:all\": only cuda takes a device number");
}
