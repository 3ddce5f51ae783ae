/// Net: a finite neural network on a Backend, and a Model.
///
/// Grammar: net/description.hpp; net::net_help() lists presets and layers. Parameters are in standard parameterisation.
/// Pixels enter as they are; normalisation, where wanted, is a layer.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ntkrob/backend/backend.hpp"
#include "ntkrob/base/random.hpp"
#include "ntkrob/base/state_dict.hpp"
#include "ntkrob/model/model.hpp"
#include "ntkrob/net/description.hpp"

namespace ntkrob {

/// uniform: weights and biases U(-1/sqrt(fan_in), 1/sqrt(fan_in)), PyTorch's default and ours: robustness from data
/// depends on a small initialisation. he: N(0, 2/fan_in), biases 0. ntk: N(0, w^2/fan_in), biases N(0, b^2), with the w
/// and b of the layer's text, by default sqrt(2) and 0.1: the same function in law as the net of the kernel.
enum class Initialisation { uniform, he, ntk };
/// throws: ConfigError listing the names
Initialisation parse_initialisation(const std::string& text);
std::string to_string(Initialisation init);

/// c of W = c omega and of a bias = c beta in the NTK parameterisation (Jacot et al. 2018), with omega and beta from
/// N(0, 1): w / sqrt(fan_in) and b; 1 for gains and offsets of normalisations.
struct NtkScales {
  double weight = 1, bias = 1;
};
NtkScales ntk_scales(const net::Layer& layer);

/// Parameters of one layer; both empty for a layer that has none.
template <class R>
struct BasicLayerParameters {
  Matrix<R> weight;           // dense: out x in, inputs in the order H W C; conv: out x (kh kw in)
  Matrix<R> bias;             // 1 x out
  Matrix<R> statistics = {};  // batchnorm: 2 x out, running mean and variance; not trained
};
using LayerParameters = BasicLayerParameters<float>;

namespace nn {
template <class R>
struct Stage;
template <class R>
struct Scratch;
class OnDevice;
}  // namespace nn

/// Thread-safety: one call at a time per object (scratch is shared by all const functions).
/// Memory: parameters, and scratch for at most row_block() rows: larger batches are walked in blocks. On a backend that
/// runs whole nets (Backend::make_net) both are there too, and so are training sets while they are trained on.
class Net : public Model {
 public:
  /// Rows that go through the layers together, at most.
  static constexpr index kRowBlock = 1024;

  /// backend must outlive the net. Parameter k of layer l is a function of (seed, l, k) alone.
  /// throws: ConfigError with the position in the spec; ResourceError where the machine has no room for the parameters
  Net(const std::string& spec, ImageShape input, index classes, Initialisation init, std::uint64_t seed,
      Backend& backend);
  /// From a stored model. throws: IoError naming the entry that is missing, of the wrong shape or not finite
  Net(const StateDict& state, Backend& backend);
  /// Copies have scratch of their own.
  Net(const Net& other);
  Net(Net&& other) noexcept;
  Net& operator=(const Net& other);
  Net& operator=(Net&& other) noexcept;
  ~Net() override;

  ImageShape input_shape() const override { return shape_; }
  index classes() const override { return classes_; }
  void logits(ConstView2D<float> x, View2D<float> out) const override;
  void input_grad(ConstView2D<float> x, ConstView2D<float> cotangent, View2D<float> dx) const override;
  void logits_and_grad(ConstView2D<float> x, const CotangentFn& cotangent, View2D<float> out,
                       View2D<float> dx) const override;
  std::unique_ptr<Iterates> iterates(ConstView2D<float> x) const override;
  void for_each(index n, const std::function<void(index task)>& task) const override;

  const std::string& spec() const { return description_->text; }
  /// Its layers and their shapes; layers() has the parameters in the same order.
  const net::Description& description() const { return *description_; }
  /// Parameters of every layer in the order of description().layers. For optimisers and for setting
  /// parameters; the shapes must stay as they are. On a device the parameters are fetched where those there are newer,
  /// and once the first of these has been called they are sent before every pass, because whoever holds the reference
  /// may have written through it.   throws: ResourceError
  std::vector<LayerParameters>& layers();
  const std::vector<LayerParameters>& layers() const;
  /// Weights and biases of the last layer that has weights become 0, and so do all logits.
  void zero_last_layer();
  index parameter_count() const;
  /// Rows that go through the layers together: kRowBlock, or fewer where images between layers are large.
  index row_block() const { return row_block_; }
  Backend& backend() const { return *backend_; }

  /// logits and the gradient of sum <cotangent, logits> with respect to every parameter.
  ///   x: N x D   out: N x C   grads: like layers() (overwritten; allocated where the shapes differ)
  void logits_and_parameter_grad(ConstView2D<float> x, const CotangentFn& cotangent, View2D<float> out,
                                 std::vector<LayerParameters>& grads) const;

  /// The same in training, where it is something else: batch statistics, which then move the running ones; dropout by
  /// `random`. grads are of that function.   throws: ConfigError where a batch is too small for statistics
  void training_pass(ConstView2D<float> x, const CotangentFn& cotangent, View2D<float> out,
                     std::vector<LayerParameters>& grads, const Rng& random);

  /// spec, input_shape, classes, layers/<i>/{type,weight,bias,activation} and what else a layer has to say.
  StateDict state() const;

  /// The net in the memory of a backend that runs whole nets, made at the first call; null on others. For the trainer.
  nn::OnDevice* device() const;

 private:
  using Stack = std::vector<nn::Stage<float>>;
  void set_description(net::Description description);
  nn::Scratch<float>& scratch(index rows) const;
  /// Forward pass, cotangent and backward pass, block of rows by block of rows.   dx: N x D, or no data   grads: like
  /// layers(), or null
  ///   random: null for the net as it is used
  void forward_backward(ConstView2D<float> x, const CotangentFn& cotangent, View2D<float> out, View2D<float> dx,
                        std::vector<LayerParameters>* grads, const Rng* random = nullptr) const;
  void shape_gradients(std::vector<LayerParameters>& grads, bool zero) const;

  std::shared_ptr<const net::Description> description_;
  ImageShape shape_;
  index classes_ = 0;
  std::shared_ptr<const Stack> stack_;
  mutable std::vector<LayerParameters> layers_;  // device() may have newer ones
  bool exposed_ = false;                         // somebody may write to layers_: nothing made of them is kept
  index row_block_ = kRowBlock;
  Backend* backend_;
  mutable std::unique_ptr<nn::Scratch<float>> scratch_;
  mutable std::unique_ptr<nn::OnDevice> device_;
  mutable bool device_asked_ = false;
};

/// Refuses a net that does not fit before anything of it is allocated.
///   batch: images of a training step (SGD with momentum); 0: no training   limit: bytes; 0: what the machine has
///   copies: of all parameters that a training keeps beside those, their gradients and velocities
///   throws: ConfigError as Net; ResourceError with bytes, limit and the width that is to blame
void check_net_memory(const std::string& spec, ImageShape input, index classes, index batch, std::size_t limit,
                      index copies = 0);

/// The names of a stored model's classes, its entries class_names/<k>: one for each class, or none at all.
/// throws: IoError where some are missing
std::vector<std::string> stored_class_names(const StateDict& model);
/// Adds them. throws: ConfigError unless there is one for each class, or none
void store_class_names(StateDict& model, const std::vector<std::string>& names);

}  // namespace ntkrob
