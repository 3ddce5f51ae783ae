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
