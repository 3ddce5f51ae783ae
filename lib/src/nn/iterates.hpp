/// Points of attacks on a net, on the device that runs it.
#pragma once

#include "nn/on_device.hpp"
#include "ntkrob/backend/points.hpp"
#include "ntkrob/model/iterates.hpp"

namespace ntkrob::nn {

class NetIterates final : public Iterates {
 public:
  /// net: on a device with steps of attacks; must outlive this   x: N x D
  NetIterates(const Net& net, ConstView2D<float> x) : net_(net), points_(net.backend(), x) {}

  void start_at_centres() override { points_.start_at_centres(); }
  void start_at_random(const Ball& ball, const std::vector<RandomStream>& streams) override {
    points_.start_at_random(ball, streams);
  }
  void logits(View2D<float> out) override { net_.logits(points_.view(), out); }
  void gradient(const CotangentFn& cotangent, View2D<float> out) override {
    net_.logits_and_grad(points_.view(), cotangent, out, points_.gradient());
  }
  void ascend(const Ball& ball, float step) override { points_.ascend(ball, step); }
  std::vector<index> zero_gradients() const override { return points_.zero_gradients(); }
  void keep(const std::vector<index>& rows) override { points_.keep(rows); }
  void read(View2D<float> z) const override { points_.read(z); }
  void read_kept(View2D<float> z) const override { points_.read_kept(z); }

 private:
  const Net& net_;
  Points points_;
};

}  // namespace ntkrob::nn
