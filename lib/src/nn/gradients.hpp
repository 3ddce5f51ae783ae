/// What a training does to the parameters of a net in one step: gradients of a batch, then SGD by them, with velocities
/// that can be read out and put back. The trainer chooses batches, losses and schedules and does not know where the
/// numbers are: in host memory (HostGradients) or on a device that runs whole nets (DeviceGradients).
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "nn/on_device.hpp"
#include "ntkrob/base/random.hpp"
#include "ntkrob/nn/net.hpp"
#include "ntkrob/optim/optimizer.hpp"

namespace ntkrob::nn {

/// Parameters per update task: parameter, gradient and velocity fit the L2 cache together.
constexpr index kUpdateBlock = 32768;

/// SGD over all parameters of a net in blocks of rows, each with its own velocity: every block is read and written
/// once, by one worker. The update is elementwise, so the partition does not show in the result.
class BlockedSgd {
 public:
  BlockedSgd(std::vector<LayerParameters>& parameters, const std::vector<LayerParameters>& grads,
             Sgd<float>::Options options) {
    for (std::size_t l = 0; l < parameters.size(); ++l) {
      add(parameters[l].weight, grads[l].weight, options);
      add(parameters[l].bias, grads[l].bias, options);
    }
  }

  void step(Backend& backend, double lr) {
    const Unstoppable whole(backend);  // a moment's work; half of it would be no step
    const auto update = [&](index k, int) {
      Block& block = blocks_[static_cast<std::size_t>(k)];
      block.sgd.step(block.parameters, block.gradient, lr);
    };
    backend.for_each(static_cast<index>(blocks_.size()), std::ref(update));
  }

  /// Velocities in the order of the blocks, which is that of layers, weight and bias, rows.
  void get(std::vector<LayerParameters>& velocities) const {
    walk(velocities, [](const Block& block, View2D<float> rows) {
      if (!block.sgd.velocity().empty()) convert(block.sgd.velocity().view(), rows);
    });
  }
  void set(std::vector<LayerParameters>& velocities) {
    walk(velocities, [](Block& block, View2D<float> rows) { block.sgd.set_velocity(Matrix<float>(rows)); });
  }

 private:
  struct Block {
    View2D<float> parameters;
    ConstView2D<float> gradient;
    Sgd<float> sgd;
  };

  void add(Matrix<float>& parameters, const Matrix<float>& gradient, Sgd<float>::Options options) {
    if (parameters.empty()) return;  // a layer without parameters
    const index rows = std::max<index>(1, kUpdateBlock / parameters.cols());
    for (index first = 0; first < parameters.rows(); first += rows) {
      const index n = std::min(rows, parameters.rows() - first);
      blocks_.push_back(
          {parameters.view().middle_rows(first, n), gradient.view().middle_rows(first, n), Sgd<float>(options)});
    }
  }

  template <class Visit>
  void walk(std::vector<LayerParameters>& of, const Visit& visit) const {
    auto block = blocks_.begin();
    for (LayerParameters& layer : of)
      for (Matrix<float>* part : {&layer.weight, &layer.bias})
        for (index first = 0; first < part->rows() && !part->empty(); ++block) {
          const index n = block->parameters.rows;
          visit(const_cast<Block&>(*block), part->view().middle_rows(first, n));
          first += n;
        }
  }

  std::vector<Block> blocks_;
};

/// Where gradients come from and go to. Images are given as a batch, or as numbers in the training set.
class Gradients {
 public:
  virtual ~Gradients() = default;
  /// Derivatives by the parameters, of a batch.   random: of the step, for dropout   rows: numbers of images, or null:
  /// all of them   x: the batch, or no data where the training set is on a device
  virtual void compute(const index* rows, ConstView2D<float> x, const CotangentFn& cotangent, View2D<float> logits,
                       const Rng& random) = 0;
  /// One step of SGD by them.
  virtual void descend(double lr) = 0;
  /// velocities: of the shapes of the parameters
  virtual void get_velocities(std::vector<LayerParameters>& velocities) = 0;
  virtual void set_velocities(std::vector<LayerParameters>& velocities) = 0;
};

/// Matrices of the shapes of a net's parameters, all 0.
inline std::vector<LayerParameters> shaped_like(const Net& net) {
  const auto like = [](const Matrix<float>& m) { return Matrix<float>(m.rows(), m.cols()); };
  std::vector<LayerParameters> result;
  for (const LayerParameters& layer : net.layers())
    result.push_back({like(layer.weight), like(layer.bias), like(layer.statistics)});
  return result;
}

/// What becomes of gradients before SGD takes them.
struct GradientRules {
  double clip_norm = 0;  // longest one; 0: any
  bool ntk = false;      // by the parameters of the NTK parameterisation
  bool any() const { return clip_norm > 0 || ntk; }
};

class HostGradients final : public Gradients {
 public:
  HostGradients(Net& net, Sgd<float>::Options options, GradientRules rules)
      : net_(net), rules_(rules), grads_(shaped_like(net)), sgd_(net.layers(), grads_, options) {}
  void compute(const index*, ConstView2D<float> x, const CotangentFn& cotangent, View2D<float> logits,
               const Rng& random) override {
    net_.training_pass(x, cotangent, logits, grads_, random);
  }
  void descend(double lr) override {
    if (rules_.any()) apply_rules();
    sgd_.step(net_.backend(), lr);
  }

  void get_velocities(std::vector<LayerParameters>& velocities) override { sgd_.get(velocities); }
  void set_velocities(std::vector<LayerParameters>& velocities) override { sgd_.set(velocities); }

 private:
  /// With W = c omega, the gradient by omega is c times that by W, and W moves by c times the step of omega.
  void apply_rules() {
    std::vector<double> scales(2 * grads_.size(), 1);
    if (rules_.ntk)
      for (std::size_t l = 0; l < grads_.size(); ++l) {
        const NtkScales own = ntk_scales(net_.description().layers[l]);
        scales[2 * l] = own.weight;
        scales[2 * l + 1] = own.bias;
      }
    double square = 0;  // one sum in one order
    for_gradients([&](std::size_t k, Matrix<float>& g) {
      double own = 0;
      for (index i = 0; i < g.size(); ++i) own += static_cast<double>(g.data()[i]) * g.data()[i];
      square += scales[k] * scales[k] * own;
    });
    const double norm = std::sqrt(square);
    const double shorter = rules_.clip_norm > 0 && norm > rules_.clip_norm ? rules_.clip_norm / norm : 1;
    for_gradients([&](std::size_t k, Matrix<float>& g) {
      const double factor = scales[k] * scales[k] * shorter;
      for (index i = 0; i < g.size() && factor != 1; ++i) g.data()[i] = static_cast<float>(factor * g.data()[i]);
    });
  }
  template <class Visit>
  void for_gradients(const Visit& visit) {
    for (std::size_t l = 0; l < grads_.size(); ++l) {
      visit(2 * l, grads_[l].weight);
      visit(2 * l + 1, grads_[l].bias);
    }
  }

  Net& net_;
  const GradientRules rules_;
  std::vector<LayerParameters> grads_;
  BlockedSgd sgd_;
};

/// On a backend that runs whole nets: images, gradients and velocities stay there.
class DeviceGradients final : public Gradients {
 public:
  /// images: the training set, or no data where every batch comes from the host
  DeviceGradients(OnDevice& device, ConstView2D<float> images, Sgd<float>::Options options)
      : device_(device), training_(device, images, options.momentum, options.weight_decay) {}
  void compute(const index* rows, ConstView2D<float> x, const CotangentFn& cotangent, View2D<float> logits,
               const Rng&) override {
    if (x.data == nullptr)
      device_.ready().batch_grad(rows, logits.rows, cotangent, logits);
    else
      device_.ready().parameter_grad(x, cotangent, logits);
  }
  void descend(double lr) override {
    device_.ready().sgd_step(lr);
    device_.updated();
  }
  void get_velocities(std::vector<LayerParameters>& velocities) override { training_.get_velocities(velocities); }
  void set_velocities(std::vector<LayerParameters>& velocities) override { training_.set_velocities(velocities); }

 private:
  OnDevice& device_;
  OnDevice::Training training_;
};

}  // namespace ntkrob::nn
