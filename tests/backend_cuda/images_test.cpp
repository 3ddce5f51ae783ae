// Networks on images, as the blocks of a device run them, against the textbook formulas of the reference backend and
// against the cpu backend.
#include <algorithm>

#include "backend_cuda/host_images.hpp"
#include "kernel/image_specs.hpp"
#include "kernel/inputs.hpp"
#include "kit/check.hpp"
#include "ntkrob/kernel/program.hpp"
#include "ntkrob/kernel/spec.hpp"
#include "ntkrob/runtime/runtime.hpp"

using namespace ntkrob;
using kit::Order;

namespace {

template <class R>
struct Results {
  Matrix<R> value, nngp, dx;
};

/// run(tile) for all of x and y.
template <class R, class F>
Results<R> results_of(const Program& program, Output output, const Matrix<R>& x, const Matrix<R>& y, F&& run) {
  const auto n = x.rows(), m = y.rows();
  Results<R> r{Matrix<R>(n, m), Matrix<R>(n, m), Matrix<R>(n, x.cols())};
  const Matrix<R> cotangent = kit::uniform_matrix<R>(n, m, 9, -1, 1);
  ImageTile<R> tile;
  tile.program = &program;
  tile.output = output;
  tile.x = x.view();
  tile.y = y.view();
  tile.value = r.value.view();
  tile.nngp = r.nngp.view();
  tile.cotangent = cotangent.view();
  tile.dx = r.dx.view();
  run(tile);
  return r;
}

template <class R>
Results<R> on_host(const Program& program, Output output, const Matrix<R>& x, const Matrix<R>& y, int lanes_log = -1,
                   Order order = Order::forward) {
  return results_of(program, output, x, y,
                    [&](const ImageTile<R>& tile) { kit::image_tile_on_host(tile, lanes_log, order); });
}
template <class R>
Results<R> on(Backend& backend, const Program& program, Output output, const Matrix<R>& x, const Matrix<R>& y) {
  return results_of(program, output, x, y, [&](const ImageTile<R>& tile) { backend.image_tile(tile); });
}

template <class R>
void check_same(const Results<R>& found, const Results<R>& expected, double value, double gradient) {
  const auto scaled = [](const Matrix<R>& of, double bound) {
    return bound * std::max(kit::largest(kit::converted<double>(of)), 1e-300);
  };
  NTKROB_CHECK_SAME(kit::compare(found.value.view(), expected.value.view(), scaled(expected.value, value)));
  NTKROB_CHECK_SAME(kit::compare(found.nngp.view(), expected.nngp.view(), scaled(expected.nngp, value)));
  NTKROB_CHECK_SAME(kit::compare(found.dx.view(), expected.dx.view(), scaled(expected.dx, gradient)));
}

}  // namespace

TEST_CASE("networks on images in blocks equal the textbook formulas, value and gradient, for any number of lanes",
          "[backend_cuda][images]") {
  constexpr ImageShape shape{5, 6, 2};
  const auto reference = make_backend("reference");
  const Matrix<double> x = kit::uniform_matrix<double>(2, shape.size(), 1, -1, 1),
                       y = kit::uniform_matrix<double>(3, shape.size(), 2, -1, 1);
  int k = 0;
  for (const char* spec : kit::kImageSpecs)
    for (const Output output : {Output::ntk, Output::nngp}) {
      INFO(spec << (output == Output::ntk ? " ntk" : " nngp"));
      const Program program = compile_program(KernelSpec::parse(spec), shape);
      const Results<double> expected = on(*reference, program, output, x, y);
      check_same(on_host(program, output, x, y, 2 * (k++ % 3)), expected, 1e-13, 1e-11);
    }
}

TEST_CASE("networks on images in blocks do not depend on the order of threads, the memory of blocks or tables of y",
          "[backend_cuda][images]") {
  constexpr ImageShape shape{7, 6, 1};
  const Matrix<float> x = kit::uniform_matrix<float>(2, shape.size(), 3, -1, 1),
                      y = kit::uniform_matrix<float>(18, shape.size(), 4, -1, 1);
  for (const char* spec :
       {"conv(3)-relu-avgpool(2,stride=1)-conv(3,stride=2)-relu-gap-dense",
        "conv(3)-product(relu-conv(3) | conv(1))-conv(1)-abs-flatten-dense",
        // One stored value, read at two steps.
        "conv(2)-avgpool(2,stride=1,pad=same)-sum(conv(5,pad=valid) | conv(3,stride=3))-relu-gap-dense"}) {
    INFO(spec);
    const Program program = compile_program(KernelSpec::parse(spec), shape);
    const Results<float> found = on_host(program, Output::ntk, x, y, 2);
    check_same(on_host(program, Output::ntk, x, y, 2, Order::backward), found, 0, 0);
    const Results<float> made = results_of(program, Output::ntk, x, y, [&](const ImageTile<float>& tile) {
      kit::image_tile_on_host(tile, 2, Order::forward, false);
    });
    check_same(made, found, 0, 0);
    // Other lanes: other sums, of the same numbers.
    check_same(on_host(program, Output::ntk, x, y, 0), found, 1e-6, 1e-5);
  }
}

TEST_CASE("networks on images in blocks: float32 agrees with the cpu backend, on images that do not fit shared memory",
          "[backend_cuda][images]") {
  const auto cpu = make_backend("cpu", 1);
  for (const ImageShape shape : {ImageShape{9, 40, 3}, ImageShape{33, 34, 1}})
    for (const char* spec : {"conv(3)-relu-conv(5,dilation=2)-relu-flatten-dense",
                             "conv(3,stride=5,pad=valid)-relu-residual(conv(2))-gap-dense"}) {
      INFO(spec << ", " << shape.height << " x " << shape.width);
      const Matrix<float> x = kit::uniform_matrix<float>(2, shape.size(), 5, -1, 1),
                          y = kit::uniform_matrix<float>(2, shape.size(), 6, -1, 1);
      const Program program = compile_program(KernelSpec::parse(spec), shape);
      for (const Output output : {Output::ntk, Output::nngp})
        check_same(on_host(program, output, x, y), on(*cpu, program, output, x, y), 1e-6, 1e-5);
    }
}
