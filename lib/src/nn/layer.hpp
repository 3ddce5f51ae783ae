/// Layer: one layer of a net for one input shape: shapes, forward and backward. Parameters and scratch are arguments.
///
/// What a layer is, its shapes and its parameters' shapes come from net::Layer (the rule in net/layers/<name>.hpp, the
/// row in net/layers.def); its passes on the host are one file layers/<name>.cpp with make_<name>. All numerics are
/// templated on the scalar, so that the very same code is checked against central differences in float64. Products go
/// through the Backend; every partition depends on shapes alone, so all results have the same bits for any number of
/// workers.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "ntkrob/base/random.hpp"
#include "ntkrob/net/description.hpp"
#include "ntkrob/nn/net.hpp"

namespace ntkrob::nn {

/// Buffers that layers use one after another; they grow to the largest call seen and are then reused.
template <class R>
struct SharedScratch {
  /// patches and gradients by them; transformed inputs and outputs of Winograd's filtering
  struct Worker {
    Matrix<R> in, out;
  };
  std::vector<Worker> workers;  // one per worker of the backend
  Matrix<R> weight_sums;        // partial sums of parameter gradients, one row per group of images
};

/// Buffers of one layer.
template <class R>
struct LayerScratch {
  SharedScratch<R>* shared = nullptr;
  Panels<R> panels, back;    // the weights, laid out for products of the forward and of the backward pass
  Matrix<double> bias_sums;  // as SharedScratch::weight_sums

  bool keeps = false;                  // the weights are those that `panels` and `back` were made of, where they were
  bool ahead = false, behind = false;  // `panels`, `back` have been made
  Matrix<R> layout;                    // depthwise: the weights, tap by tap; of Winograd's filtering: transformed

  // Of layers that compute something else in training, kept from the forward for the backward pass.
  bool training = false;
  Rng random{0, "net"};       // of this step and layer
  index first_row = 0;        // of the batch, for random numbers
  Matrix<double> statistics;  // batchnorm, 2 x channels: mean and variance of the batch; normalisations over the
                              // positions of an image, rows x 2 channels
  index counted = 0;          // batchnorm: numbers behind each of them
};

/// Images of a batch in groups, each with sums of its own: the groups are added in their order, whoever did them.
constexpr index kSumGroups = 32;               // at most ...
constexpr index kSumNumbers = index{1} << 23;  // ... and with so many numbers in all their sums together
struct SumGroups {
  /// numbers: of the sums of one group
  explicit SumGroups(index rows, index numbers = 1)
      : each(per_group(rows, std::max<index>(1, std::min(kSumGroups, kSumNumbers / numbers)))),
        count(each == 0 ? 0 : (rows + each - 1) / each) {}
  const index each, count;

 private:
  static index per_group(index rows, index groups) { return (rows + groups - 1) / groups; }
};

/// buffer gets at least rows x cols; a buffer whose rows are enough is kept.
template <class R>
void grow(Matrix<R>& buffer, index rows, index cols) {
  if (buffer.rows() < rows || buffer.cols() != cols) buffer = Matrix<R>(rows, cols);
}

/// The first rows x cols numbers of a buffer that layers of any shape share.
template <class R>
View2D<R> room(Matrix<R>& buffer, index rows, index cols) {
  if (buffer.size() < rows * cols) {
    buffer = Matrix<R>();  // never both
    buffer = Matrix<R>(1, rows * cols);
  }
  return {buffer.data(), rows, cols};
}

template <class R>
void reserve_workers(const Backend& backend, SharedScratch<R>& scratch) {
  const auto workers = static_cast<std::size_t>(std::max(1, backend.info().workers));
  if (scratch.workers.size() < workers) scratch.workers.resize(workers);
}

template <class R>
class Layer {
 public:
  explicit Layer(const net::Layer& what)
      : what(what), in(what.in), out(what.out), outputs(what.outputs), fan_in(what.fan_in) {}
  virtual ~Layer() = default;

  const net::Layer what;
  const ImageShape in, out;
  const index outputs, fan_in;  // shape of the weight; 0 x 0 for layers without parameters
  bool has_parameters() const { return outputs > 0; }
  /// Numbers in the weights laid out for one direction.
  virtual index laid_out() const { return outputs * fan_in; }
  /// Numbers in the partial sums of the parameter gradients of `rows` images.
  virtual index sums(index) const { return 0; }

  /// y = layer(x), and max(y, 0) with relu. A NaN stays NaN.   x: n x in   y: n x out (overwritten), contiguous
  virtual void forward(Backend& backend, const BasicLayerParameters<R>& parameters, bool relu, ConstView2D<R> x,
                       View2D<R> y, LayerScratch<R>& scratch) const = 0;
  /// The same of several inputs, for sums.
  virtual void join(Backend&, const std::vector<ConstView2D<R>>&, bool, View2D<R>) const { NTKROB_ASSERT(false); }
  /// Derivatives of sum <delta, layer(x)>, without the ReLU.
  ///   x: n x in   delta: n x out, contiguous   dx: n x in (overwritten), or empty if not wanted
  ///   grads: overwritten when beta is 0, added to when it is 1; or null if not wanted
  virtual void backward(Backend& backend, const BasicLayerParameters<R>& parameters, ConstView2D<R> x,
                        ConstView2D<R> delta, View2D<R> dx, BasicLayerParameters<R>* grads, R beta,
                        LayerScratch<R>& scratch) const = 0;
};

template <class R>
using LayerPtr = std::shared_ptr<const Layer<R>>;

/// Makes panels by lay(), unless those of the last time are kept.   done: LayerScratch::ahead or behind
template <class R, class Lay>
void lay_out(const LayerScratch<R>& scratch, bool& done, const Lay& lay) {
  if (scratch.keeps && done) return;
  lay();
  done = true;
}

#define NTKROB_NET_LAYER(name, ...) \
  template <class R>                \
  LayerPtr<R> make_##name(const net::Layer& what);
#include "ntkrob/net/layers.def"
#undef NTKROB_NET_LAYER

/// For the end of layers/<name>.cpp.
#define NTKROB_INSTANTIATE_NET_LAYER(name)                      \
  template LayerPtr<float> make_##name(const net::Layer& what); \
  template LayerPtr<double> make_##name(const net::Layer& what);

}  // namespace ntkrob::nn
