/// Layer: one layer of a net for one input shape: shapes, forward and backward. Parameters and scratch are arguments.
///
/// A new layer is one file layers/<name>.cpp with make_<name> and one line in layers/layers.def. All numerics are
/// templated on the scalar, so that the very same code is checked against central differences in float64. Products go
/// through the Backend; every partition depends on shapes alone, so all results have the same bits for any number of
/// workers.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ntkrob/base/spec_arguments.hpp"
#include "ntkrob/base/state_dict.hpp"
#include "ntkrob/nn/net.hpp"

namespace ntkrob::nn {

/// Buffers of one layer; they grow to the largest call seen and are then reused.
template <class R>
struct LayerScratch {
  struct Worker {
    Matrix<R> patches, gradients;
  };
  Panels<R> panels, back;       // the weights, laid out for products of the forward and of the backward pass
  std::vector<Worker> workers;  // one per worker of the backend
  Matrix<R> weight_sums;        // partial sums of parameter gradients, one row per group of images
  Matrix<double> bias_sums;
};

/// buffer gets at least rows x cols; a buffer whose rows are enough is kept.
template <class R>
void grow(Matrix<R>& buffer, index rows, index cols) {
  if (buffer.rows() < rows || buffer.cols() != cols) buffer = Matrix<R>(rows, cols);
}

/// An array of parameters as it is stored. order(k): where element k of the matrix lies in the stored array.
struct StoredWeight {
  std::vector<index> shape;
  std::vector<index> order;  // empty: as it is
};

template <class R>
class Layer {
 public:
  /// outputs x fan_in: shape of the weight; 0 x 0 for layers without parameters.
  Layer(ImageShape in, ImageShape out, index outputs = 0, index fan_in = 0)
      : in(in), out(out), outputs(outputs), fan_in(fan_in) {}
  virtual ~Layer() = default;

  const ImageShape in, out;
  const index outputs, fan_in;
  bool has_parameters() const { return outputs > 0; }

  /// y = layer(x), and max(y, 0) with relu. A NaN stays NaN.   x: n x in   y: n x out (overwritten), contiguous
  virtual void forward(Backend& backend, const BasicLayerParameters<R>& parameters, bool relu, ConstView2D<R> x,
                       View2D<R> y, LayerScratch<R>& scratch) const = 0;
  /// Derivatives of sum <delta, layer(x)>, without the ReLU.
  ///   x: n x in   delta: n x out, contiguous   dx: n x in (overwritten), or empty if not wanted
  ///   grads: overwritten when beta is 0, added to when it is 1; or null if not wanted
  virtual void backward(Backend& backend, const BasicLayerParameters<R>& parameters, ConstView2D<R> x,
                        ConstView2D<R> delta, View2D<R> dx, BasicLayerParameters<R>* grads, R beta,
                        LayerScratch<R>& scratch) const = 0;

  /// Kind, window and constants, for backends that run whole nets.
  virtual void describe(NetLayer& layer) const = 0;
  /// The weight in stored files: PyTorch's layout.
  virtual StoredWeight stored_weight() const { return {{outputs, fan_in}, {}}; }
  /// What a stored file says about the layer beside weight and bias. The spec decides; this is for other readers.
  virtual std::vector<std::pair<std::string, StateDict::Value>> attributes() const { return {}; }
};

template <class R>
using LayerPtr = std::shared_ptr<const Layer<R>>;

/// From an item of a spec, for inputs of shape `in`. classes: outputs of the last layer of the net, 0 elsewhere.
template <class R>
using MakeLayer = LayerPtr<R> (*)(const std::string& source, const SpecItem& item, ImageShape in, index classes);

#define NTKROB_NET_LAYER(name, description, example) \
  template <class R>                                 \
  LayerPtr<R> make_##name(const std::string& source, const SpecItem& item, ImageShape in, index classes);
#include "nn/layers/layers.def"
#undef NTKROB_NET_LAYER

/// For the end of layers/<name>.cpp.
#define NTKROB_INSTANTIATE_NET_LAYER(name)                                                      \
  template LayerPtr<float> make_##name(const std::string&, const SpecItem&, ImageShape, index); \
  template LayerPtr<double> make_##name(const std::string&, const SpecItem&, ImageShape, index);

}  // namespace ntkrob::nn
