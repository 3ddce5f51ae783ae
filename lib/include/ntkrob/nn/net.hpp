/// Net: a finite neural network on a Backend, and a Model.
///
/// Grammar: "mlp:256,128" (hidden widths, ReLU between, linear output), "mlp:" plain linear classifier. Parameters are in
/// standard parameterisation, weight [out,in] and bias [out], as PyTorch stores them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ntkrob/backend/backend.hpp"
#include "ntkrob/base/state_dict.hpp"
#include "ntkrob/model/model.hpp"

namespace ntkrob {

/// uniform: weights and biases U(-1/sqrt(fan_in), 1/sqrt(fan_in)), PyTorch's default and ours: robustness from data
/// depends on a small initialisation. he: N(0, 2/fan_in), biases 0. ntk: N(0, 2/fan_in), biases N(0, 0.1^2).
enum class Initialisation { uniform, he, ntk };
/// throws: ConfigError listing the names
Initialisation parse_initialisation(const std::string& text);
std::string to_string(Initialisation init);

/// One dense layer; relu follows every layer but the last.
struct DenseLayer {
  Matrix<float> weight;  // out x in
  Matrix<float> bias;    // 1 x out
};

class Net : public Model {
 public:
  /// backend must outlive the net. throws: ConfigError with the position in the spec
  Net(const std::string& spec, ImageShape input, index classes, Initialisation init, std::uint64_t seed,
      Backend& backend);
  /// From a stored model. throws: IoError naming the entry that is missing or of the wrong shape
  Net(const StateDict& state, Backend& backend);

  ImageShape input_shape() const override { return shape_; }
  index classes() const override { return classes_; }
  void logits(ConstView2D<float> x, View2D<float> out) const override;
  void input_grad(ConstView2D<float> x, ConstView2D<float> cotangent, View2D<float> dx) const override;
  void logits_and_grad(ConstView2D<float> x, const CotangentFn& cotangent, View2D<float> out,
                       View2D<float> dx) const override;

  const std::string& spec() const { return spec_; }
  std::vector<DenseLayer>& layers() { return layers_; }
  const std::vector<DenseLayer>& layers() const { return layers_; }
  index parameter_count() const;
  Backend& backend() const { return *backend_; }

  /// logits and the gradient of sum <cotangent, logits> with respect to every parameter.
  ///   x: N x D   out: N x C   grads: like layers() (overwritten)
  void logits_and_parameter_grad(ConstView2D<float> x, const CotangentFn& cotangent, View2D<float> out,
                                 std::vector<DenseLayer>& grads) const;

  /// spec, input_shape, classes, layers/<i>/{type,weight,bias}.
  StateDict state() const;

 private:
  std::string spec_;
  ImageShape shape_;
  index classes_ = 0;
  std::vector<DenseLayer> layers_;
  Backend* backend_;
};

}  // namespace ntkrob
