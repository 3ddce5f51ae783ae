/// Forward and backward pass of a net over a block of images, all of it on the device: launches on one stream, nobody
/// waits.
#pragma once

#include <vector>

#include "backend_cuda/nets/kept.hpp"
#include "backend_cuda/nets/launch.hpp"
#include "ntkrob/backend/net.hpp"

namespace ntkrob::cuda::nets {

class Passes {
 public:
  /// throws: ConfigError (a layer too large for the device), ResourceError
  Passes(Device& device, const NetProgram& program);

  /// Parameters of all layers in one array, layer by layer, weight and bias; gaps between them are 0.
  DeviceView<float> parameters() const { return parameters_.view(); }
  DeviceView<float> gradients() const { return gradients_.view(); }
  DeviceView<float> weight(DeviceView<float> all, index layer) const;
  DeviceView<float> bias(DeviceView<float> all, index layer) const;
  /// Makes an array 0.   numbers: contiguous
  void clear(DeviceView<float> numbers);
  /// Whoever writes parameters says so.
  void parameters_changed() { laid_out_ = false; }
  void clear_gradients() { clear(gradients()); }

  /// Images that go through the layers together, at most: depends on the program alone.
  index row_block() const { return row_block_; }

  /// Logits of x (n x D, contiguous). keep: backward follows.
  DeviceView<float> forward(DeviceView<const float> x, bool keep);
  /// Derivatives of sum <cotangent, logits> behind forward(x, true) on the same x.
  ///   cotangent: n x C, contiguous   dx: n x D (overwritten), or empty
  ///   gradients: gradients() = beta gradients() + derivatives by the parameters
  void backward(DeviceView<const float> x, DeviceView<const float> cotangent, DeviceView<float> dx, bool gradients,
                float beta);

 private:
  struct Layer {
    NetLayer spec;
    Geometry window;
    index weight_at = 0, bias_at = 0;
    Kept<float> laid_out;       // the weight as right-hand operand: fan_in x outputs
    Kept<float> constants;      // normalise: mean and deviation, 2 x C
    Kept<float> hidden;         // after the ReLU, rows x out
    Kept<std::int32_t> chosen;  // maxpool: rows x out
  };

  void lay_out();
  void reserve(index rows, bool keep);
  Stream stream() { return device_.queue().stream; }
  void forward(Layer& layer, DeviceView<const float> x, DeviceView<float> y, bool keep);
  void backward(Layer& layer, std::size_t number, DeviceView<const float> x, DeviceView<const float> delta,
                const float* hidden, DeviceView<float> dx, bool gradients, float beta);
  void parameter_gradient(std::size_t number, DeviceView<const float> x, DeviceView<const float> delta, float beta);
  void bias_gradient(std::size_t number, DeviceView<const float> delta, float beta);
  /// Calls block(first, count) for blocks of the positions of n images, whose patches fit the buffer.
  template <class Block>
  void for_positions(const Layer& layer, index n, const Block& block);
  Patches<float> patches_of(const Layer& layer, DeviceView<const float> x, index first, index count) const;

  Device& device_;
  std::vector<Layer> layers_;
  index row_block_ = 1, widest_ = 1;
  bool laid_out_ = false;
  Kept<float> parameters_, gradients_, delta_[2], patches_;
  Kept<double> sums_;
};

}  // namespace ntkrob::cuda::nets
