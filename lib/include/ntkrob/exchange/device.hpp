/// Nets of this library in the words of ntkrob::micro: as blocks for devices, and as the Model that a device is after
/// quantisation.
#pragma once

#include <string>
#include <vector>

#include "ntkrob/micro/int8.hpp"
#include "ntkrob/nn/net.hpp"

namespace ntkrob {

/// Layers and parameters of a net as a device has them.
struct DeviceNet {
  micro::Shape input;
  std::vector<micro::Layer> layers;
  std::vector<float> parameters;  // layer by layer, the weight before the bias
  micro::NetView view() const { return {input, layers.data(), static_cast<std::uint32_t>(layers.size())}; }
  /// The layers in C++: "ntkrob::micro::net({28, 28, 1}, ntkrob::micro::dense(32), ...)".
  std::string expression() const;
};
/// throws: ConfigError naming the layer that devices do not have
DeviceNet device_net(const Net& net);

/// The block of micro/weights.hpp.
std::string weights_block(const DeviceNet& net);

/// The values that occur on rows of images: ranges for int8_block. Rows are walked by the backend's workers.
///   rows: N x D, N > 0   returns: layers + 1 ranges   throws: NonFinite where the net is not finite on a row
std::vector<micro::Range> calibrate(const DeviceNet& net, ConstView2D<float> rows, Backend& backend);
/// The block of micro/int8.hpp: the bytes that a device makes of the same parameters and ranges.
///   throws: ConfigError (a layer with too many inputs), NonFinite
std::string int8_block(const DeviceNet& net, const std::vector<micro::Range>& ranges);

/// A net after quantisation to int8. Its logits are those of the device, bit for bit. It is flat almost everywhere, so
/// its input gradient is that of the float32 net at the same input, with the cotangent of the int8 logits ("straight
/// through", Bengio et al., arXiv 1308.3432; for attacks Athalye et al., arXiv 1802.00420). Gradient attacks are thus
/// guided by float32 and judged on int8.
/// Thread-safety: one call at a time per object.
class Int8Model : public Model {
 public:
  /// Copies the net; the ranges are those of the calibration rows. throws: as device_net, calibrate and int8_block
  Int8Model(const Net& net, ConstView2D<float> calibration);
  Int8Model(const Int8Model&) = delete;
  Int8Model& operator=(const Int8Model&) = delete;

  ImageShape input_shape() const override { return net_.input_shape(); }
  index classes() const override { return net_.classes(); }
  void logits(ConstView2D<float> x, View2D<float> out) const override;
  void input_grad(ConstView2D<float> x, ConstView2D<float> cotangent, View2D<float> dx) const override;
  void for_each(index n, const std::function<void(index task)>& task) const override { net_.for_each(n, task); }

  /// What a device runs.
  const std::string& block() const { return block_; }

 private:
  struct Worker {
    std::vector<std::int32_t> arena;
    micro::Int8Session session;
  };
  Net net_;
  DeviceNet device_;
  std::string block_;
  mutable std::vector<Worker> workers_;
};

}  // namespace ntkrob
