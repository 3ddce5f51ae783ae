/// The images that quantise a net.
#include "ntkrob/jobs/device.hpp"
#include "ntkrob/jobs/input.hpp"

namespace ntkrob::jobs {

Matrix<float> calibration_images(const std::string& path, const Net& net, const ReadOptions& read, Context& context) {
  const Dataset data = open_input(context, path, read, 2);
  NTKROB_CHECK(data.shape == net.input_shape(), ShapeError, field("calibrate"), ": images of ", path, " are ",
               data.shape.height, " x ", data.shape.width, " x ", data.shape.channels, ", the net takes ",
               net.input_shape().height, " x ", net.input_shape().width, " x ", net.input_shape().channels);
  NTKROB_CHECK(!data.train.empty(), ConfigError, field("calibrate"), ": ", path, " has no train split");
  return data.images("train");
}

}  // namespace ntkrob::jobs
