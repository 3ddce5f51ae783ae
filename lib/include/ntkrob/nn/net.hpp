/// Net: a finite neural network on a Backend, and a Model.
///
/// Grammar: "mlp:256,128" (hidden widths, ReLU between, linear output), "mlp:" plain linear classifier; or the layers,
/// "dense(256)-relu-dense(128)-relu-dense", where the last dense takes the number of classes. Parameters are in
/// standard parameterisation, weight [out,in] and bias [out], as PyTorch stores them. Pixels enter as they are, without
/// normalisation.
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
template <class R>
struct BasicDenseLayer {
  Matrix<R> weight;  // out x in
  Matrix<R> bias;    // 1 x out
};
using DenseLayer = BasicDenseLayer<float>;

/// Buffers of a forward and a backward pass. They grow to the largest block of rows seen and are then reused.
template <class R>
struct DenseScratch {
  std::vector<Matrix<R>> hidden;  // for each layer but the last: rows x out, after the ReLU
  Matrix<R> delta[2];             // rows x the largest out: derivatives with respect to a layer's output, alternating
  Matrix<R> logits;               // rows x classes
  Matrix<R> cotangent;            // rows x classes
};

/// Thread-safety: one call at a time per object (scratch is shared by all const functions).
/// Memory: parameters, and scratch for at most kRowBlock rows: larger batches are walked in blocks.
class Net : public Model {
 public:
  /// Rows that go through the layers together.
  static constexpr index kRowBlock = 1024;

  /// backend must outlive the net. Parameter k of layer l is a function of (seed, l, k) alone.
  /// throws: ConfigError with the position in the spec
  Net(const std::string& spec, ImageShape input, index classes, Initialisation init, std::uint64_t seed,
      Backend& backend);
  /// From a stored model. throws: IoError naming the entry that is missing, of the wrong shape or not finite
  Net(const StateDict& state, Backend& backend);

  ImageShape input_shape() const override { return shape_; }
  index classes() const override { return classes_; }
  void logits(ConstView2D<float> x, View2D<float> out) const override;
  void input_grad(ConstView2D<float> x, ConstView2D<float> cotangent, View2D<float> dx) const override;
  void logits_and_grad(ConstView2D<float> x, const CotangentFn& cotangent, View2D<float> out,
                       View2D<float> dx) const override;
  void for_each(index n, const std::function<void(index task)>& task) const override;

  const std::string& spec() const { return spec_; }
  /// For optimisers and for setting parameters; the shapes must stay as they are.
  std::vector<DenseLayer>& layers() { return layers_; }
  const std::vector<DenseLayer>& layers() const { return layers_; }
  index parameter_count() const;
  Backend& backend() const { return *backend_; }

  /// logits and the gradient of sum <cotangent, logits> with respect to every parameter.
  ///   x: N x D   out: N x C   grads: like layers() (overwritten; allocated where the shapes differ)
  void logits_and_parameter_grad(ConstView2D<float> x, const CotangentFn& cotangent, View2D<float> out,
                                 std::vector<DenseLayer>& grads) const;

  /// spec, input_shape, classes, layers/<i>/{type,weight,bias,activation}.
  StateDict state() const;

 private:
  /// Forward pass, cotangent and backward pass, block of rows by block of rows.   dx: N x D, or no data   grads: like
  /// layers(), or null
  void forward_backward(ConstView2D<float> x, const CotangentFn& cotangent, View2D<float> out, View2D<float> dx,
                        std::vector<DenseLayer>* grads) const;

  std::string spec_;
  ImageShape shape_;
  index classes_ = 0;
  std::vector<DenseLayer> layers_;
  Backend* backend_;
  mutable DenseScratch<float> scratch_;
};

}  // namespace ntkrob
