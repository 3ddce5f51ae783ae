#include "backend_cuda/steps.hpp"

#include "backend_cuda/launch.hpp"
#include "backend_cuda/work.hpp"

namespace ntkrob::cuda {

void DeviceSteps::random_start(const Ball& ball, ConstView2D<float> x, const RandomStream* streams, View2D<float> z) {
  NTKROB_CHECK_SHAPE(x, z.rows, z.cols);
  Work work(*device_);
  const DeviceView<const float> centres = work.in(x);
  const DeviceView<float> points = work.out(z);
  launch(BallStart{ball, work.in(ConstView2D<RandomStream>(streams, 1, z.rows)), centres, points}, work.stream());
  launch(BallStep{ball, 0, centres, {}, points, {}}, work.stream());
  work.finish();
}

void DeviceSteps::ascend(const Ball& ball, float step, ConstView2D<float> x, ConstView2D<float> g, View2D<float> z,
                         View2D<double> zeros) {
  NTKROB_CHECK_SHAPE(x, z.rows, z.cols);
  NTKROB_CHECK_SHAPE(g, z.rows, z.cols);
  NTKROB_CHECK_SHAPE(zeros, z.rows, 1);
  Work work(*device_);
  launch(BallStep{ball, step, work.in(x), work.in(g), work.out(z, true), work.out(zeros, true)}, work.stream());
  work.finish();
}

void DeviceSteps::project(const Ball& ball, ConstView2D<float> x, View2D<float> z) {
  NTKROB_CHECK_SHAPE(x, z.rows, z.cols);
  Work work(*device_);
  launch(BallStep{ball, 0, work.in(x), {}, work.out(z, true), {}}, work.stream());
  work.finish();
}

void DeviceSteps::copy_rows(const index* rows, index count, ConstView2D<float> from, View2D<float> to) {
  NTKROB_CHECK_SHAPE(from, to.rows, to.cols);
  for (index k = 0; k < count; ++k)
    NTKROB_CHECK(rows[k] >= 0 && rows[k] < to.rows, ShapeError, "row ", rows[k], " of a matrix with ", to.rows);
  Work work(*device_);
  launch(RowCopy{work.in(ConstView2D<index>(rows, 1, count)), work.in(from), work.out(to, true)}, work.stream());
  work.finish();
}

}  // namespace ntkrob::cuda
