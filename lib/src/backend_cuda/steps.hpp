/// Steps on a device.
#pragma once

#include <memory>

#include "backend_cuda/device.hpp"
#include "ntkrob/backend/steps.hpp"

namespace ntkrob::cuda {

class DeviceSteps final : public Steps {
 public:
  explicit DeviceSteps(std::shared_ptr<Device> device) : device_(std::move(device)) {}
  void random_start(const Ball& ball, ConstView2D<float> x, const RandomStream* streams, View2D<float> z) override;
  void ascend(const Ball& ball, float step, ConstView2D<float> x, ConstView2D<float> g, View2D<float> z,
              View2D<double> zeros) override;
  void project(const Ball& ball, ConstView2D<float> x, View2D<float> z) override;
  void copy_rows(const index* rows, index count, ConstView2D<float> from, View2D<float> to) override;

 private:
  std::shared_ptr<Device> device_;
};

}  // namespace ntkrob::cuda
