/// NetProgram: a finite net compiled for one input shape, as data; and NetRunner: such a net in the memory of a
/// backend.
///
/// A device keeps parameters, activations, derivatives, velocities and the training set; what goes up and comes back
/// per pass is images (or their numbers in the training set), logits and cotangents. Backends without a runner of their
/// own leave nets to the loops of component nn, which use their products.
#pragma once

#include <functional>
#include <vector>

#include "ntkrob/base/view.hpp"

namespace ntkrob {

/// One layer, and whether a ReLU follows it. Images are rows of numbers in the order H W C.
struct NetLayer {
  enum class Kind {
    dense,      // y = W x + bias, all numbers with all
    conv,       // the same at every position of a window; inputs of W in the order kh kw C, zeros outside the image
    maxpool,    // the largest number of each window, channel by channel; the first of equals has the derivative
    avgpool,    // the mean of each window; what lies outside the image counts as 0
    gap,        // the mean over all positions
    normalise,  // (x - mean) / deviation
  };
  Kind kind = Kind::dense;
  ImageShape in, out;
  bool relu = false;              // max(y, 0), NaN stays NaN; its derivative at 0 is 0
  index outputs = 0, fan_in = 0;  // weight: outputs x fan_in, bias: 1 x outputs; 0: no parameters
  index kh = 1, kw = 1;           // window of a conv or pool, moved by `stride`; its positions are those of `out`
  index stride = 1;
  index top = 0, left = 0;              // padding in front
  bool inside = false;                  // avgpool: the divisor counts no taps outside the image
  std::vector<double> mean, deviation;  // normalise: one per channel
  bool has_parameters() const { return outputs > 0; }
};

struct NetProgram {
  ImageShape input;
  index classes = 0;
  std::vector<NetLayer> layers;  // at least one; the last has `classes` outputs
};

/// As CotangentFn of models: from logits of rows [first_row, ..) to the derivative of a loss by them, in host memory.
using NetCotangentFn = std::function<void(index first_row, ConstView2D<float> logits, View2D<float> cotangent)>;

/// A net on a device. Logits and input gradients of an image have the same bits whatever stands beside it; parameter
/// gradients are summed in an order that depends on shapes alone. One call at a time. Views may be of host memory or of
/// arrays of the backend, but logits that a cotangent function sees are in host memory.
///   throws: ResourceError with the bytes needed and free
class NetRunner {
 public:
  virtual ~NetRunner() = default;

  /// Parameters of a layer that has some.   weight: outputs x fan_in   bias: 1 x outputs
  virtual void set_parameters(index layer, ConstView2D<float> weight, ConstView2D<float> bias) = 0;
  virtual void get_parameters(index layer, View2D<float> weight, View2D<float> bias) = 0;
  /// Derivatives by the parameters of a layer, of the last pass that computed them.
  virtual void get_gradients(index layer, View2D<float> weight, View2D<float> bias) = 0;

  /// x: N x D   out: N x C (overwritten)
  virtual void logits(ConstView2D<float> x, View2D<float> out) = 0;
  /// dx = d <cotangent, logits(x)> / dx.   cotangent: N x C   dx: N x D (overwritten)
  virtual void input_grad(ConstView2D<float> x, ConstView2D<float> cotangent, View2D<float> dx) = 0;
  /// logits, the cotangent from them, input_grad; block of rows by block of rows.
  virtual void logits_and_grad(ConstView2D<float> x, const NetCotangentFn& cotangent, View2D<float> out,
                               View2D<float> dx) = 0;
  /// logits, and derivatives of sum <cotangent, logits> by the parameters, which stay on the device. If cotangent
  /// throws, the parameters are what they were.
  virtual void parameter_grad(ConstView2D<float> x, const NetCotangentFn& cotangent, View2D<float> out) = 0;

  /// Copies the images of a training to the device, where they stay until its end, and sets velocities to 0.
  ///   x: N x D, or empty where every batch comes from the host
  virtual void start_training(ConstView2D<float> x, double momentum, double weight_decay) = 0;
  /// parameter_grad of images of the training.   rows: n of their numbers; null: the first n
  virtual void batch_grad(const index* rows, index n, const NetCotangentFn& cotangent, View2D<float> out) = 0;
  /// velocity = momentum velocity + gradient + weight_decay parameter; parameter -= lr velocity: as Sgd, by the
  /// gradients of the last pass.
  virtual void sgd_step(double lr) = 0;
  /// Velocities of a layer that has parameters, as get_parameters and set_parameters; between start_training and
  /// end_training.
  virtual void get_velocities(index layer, View2D<float> weight, View2D<float> bias) = 0;
  virtual void set_velocities(index layer, ConstView2D<float> weight, ConstView2D<float> bias) = 0;
  /// Gives the memory of images and velocities back.
  virtual void end_training() = 0;
};

}  // namespace ntkrob
