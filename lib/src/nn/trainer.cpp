#include "ntkrob/nn/trainer.hpp"

#include <algorithm>
#include <cmath>
#include <functional>

#include "nn/blocks.hpp"
#include "nn/on_device.hpp"
#include "ntkrob/base/finite.hpp"
#include "ntkrob/base/random.hpp"
#include "ntkrob/optim/optimizer.hpp"

namespace ntkrob {
namespace {

constexpr index kCountLimit = 1000000000;  // epochs and steps: their products fit 64 bits
constexpr index kUpdateBlock =
    32768;  // parameters per update task: parameter, gradient and velocity fit the L2 cache together

bool needs_targets(const std::string& loss) { return loss == "mse"; }

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
    const auto update = [&](index k, int) {
      Block& block = blocks_[static_cast<std::size_t>(k)];
      block.sgd.step(block.parameters, block.gradient, lr);
    };
    backend.for_each(static_cast<index>(blocks_.size()), std::ref(update));
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

  std::vector<Block> blocks_;
};

/// Where gradients come from and go to. Images are given as a batch, or as numbers in the training set.
class Gradients {
 public:
  virtual ~Gradients() = default;
  /// Derivatives by the parameters, of a batch.   rows: numbers of images, or null: all of them   x: the batch, or no
  /// data where the training set is on a device
  virtual void compute(const index* rows, ConstView2D<float> x, const CotangentFn& cotangent, View2D<float> logits) = 0;
  /// One step of SGD by them.
  virtual void descend(double lr) = 0;
};

class HostGradients final : public Gradients {
 public:
  HostGradients(Net& net, Sgd<float>::Options options)
      : net_(net), grads_(shaped_like(net)), sgd_(net.layers(), grads_, options) {}
  void compute(const index*, ConstView2D<float> x, const CotangentFn& cotangent, View2D<float> logits) override {
    net_.logits_and_parameter_grad(x, cotangent, logits, grads_);
  }
  void descend(double lr) override { sgd_.step(net_.backend(), lr); }

 private:
  static std::vector<LayerParameters> shaped_like(const Net& net) {
    std::vector<LayerParameters> grads;
    for (const LayerParameters& layer : net.layers())
      grads.push_back({Matrix<float>(layer.weight.rows(), layer.weight.cols()),
                       Matrix<float>(layer.bias.rows(), layer.bias.cols())});
    return grads;
  }
  Net& net_;
  std::vector<LayerParameters> grads_;
  BlockedSgd sgd_;
};

/// On a backend that runs whole nets: images, gradients and velocities stay there.
class DeviceGradients final : public Gradients {
 public:
  /// images: the training set, or no data where every batch comes from the host
  DeviceGradients(nn::OnDevice& device, ConstView2D<float> images, Sgd<float>::Options options)
      : device_(device), training_(device, images, options.momentum, options.weight_decay) {}
  void compute(const index* rows, ConstView2D<float> x, const CotangentFn& cotangent, View2D<float> logits) override {
    if (x.data == nullptr)
      device_.ready().batch_grad(rows, logits.rows, cotangent, logits);
    else
      device_.ready().parameter_grad(x, cotangent, logits);
  }
  void descend(double lr) override {
    device_.ready().sgd_step(lr);
    device_.updated();
  }

 private:
  nn::OnDevice& device_;
  nn::OnDevice::Training training_;
};

/// Which rows of the training set a step uses.
class Batches {
 public:
  Batches(index n, index batch, std::uint64_t seed)
      : n_(n), size_(batch == 0 ? n : std::min(n, batch)), rng_(seed, "train") {}

  index size() const { return size_; }
  index per_epoch() const { return n_ / size_; }
  /// Every step sees all rows: no shuffling and no copy.
  bool full() const { return size_ == n_; }
  /// Rows of step t, t = 0, 1, ...; a fresh permutation per epoch, whose incomplete last batch is dropped.
  const index* rows(index t) {
    const index epoch = t / per_epoch();
    if (epoch != epoch_) {
      permutation_ = rng_.fork(static_cast<std::uint64_t>(epoch)).permutation(n_);
      epoch_ = epoch;
    }
    return permutation_.data() + t % per_epoch() * size_;
  }

 private:
  index n_, size_;
  Rng rng_;
  index epoch_ = -1;
  std::vector<index> permutation_;
};

void check_finite(ConstView2D<float> values, const char* what) {
  for (index i = 0; i < values.rows; ++i) {
    if (all_finite(values.row(i), values.cols)) continue;
    for (index j = 0; j < values.cols; ++j)
      NTKROB_CHECK(std::isfinite(values(i, j)), NonFinite, "train: ", what, " ", i, " holds ", values(i, j),
                   " at position ", j, "; every number must be finite");
  }
}

void check_data(const Net& net, ConstView2D<float> x, const Targets& targets, const TrainOptions& options) {
  NTKROB_CHECK(x.rows > 0, ConfigError, "train: no training images");
  NTKROB_CHECK_SHAPE(x, x.rows, net.input_shape().size());
  NTKROB_CHECK(static_cast<index>(targets.labels.size()) == x.rows, ShapeError, "train: ", targets.labels.size(),
               " labels for ", x.rows, " images");
  for (std::size_t i = 0; i < targets.labels.size(); ++i)
    NTKROB_CHECK(targets.labels[i] >= 0 && targets.labels[i] < net.classes(), ConfigError, "train: label ", i, " is ",
                 targets.labels[i], ", must be in [0, ", net.classes() - 1, "]");
  check_finite(x, "image");
  if (needs_targets(options.loss)) {
    NTKROB_CHECK(targets.values.rows() == x.rows && targets.values.cols() == net.classes(), ShapeError,
                 "train: targets are ", targets.values.rows(), " x ", targets.values.cols(), ", loss ", options.loss,
                 " needs ", x.rows, " x ", net.classes(), "; make them with centred_one_hot(labels, classes)");
    check_finite(targets.values.view(), "target");
  }
}

/// Whatever is not finite in a step, a logit or the loss, ends here: it gets the step, the lr and the remedy.
[[noreturn]] void diverged(const std::string& what, index step, index steps, double lr) {
  throw NonFinite(text("train: ", what, " at step ", step, " of ", steps, " with lr ", lr,
                       step == 1 ? "; the net's initial parameters or the targets are too large"
                                 : "; the training diverged: lower --lr, for example by 10"));
}

void check_parameters(const Net& net, index steps, double lr) {
  for (const LayerParameters& layer : net.layers())
    for (const Matrix<float>* values : {&layer.weight, &layer.bias}) {
      if (all_finite(values->data(), values->size())) continue;
      for (index i = 0; i < values->size(); ++i)
        NTKROB_CHECK(std::isfinite(values->data()[i]), NonFinite, "train: a parameter is ", values->data()[i],
                     " after step ", steps, " with lr ", lr, "; the training diverged: lower --lr, for example by 10");
    }
}

/// Fraction of rows whose largest logit (the first of equals) is the label's.
double batch_accuracy(ConstView2D<float> logits, const int* labels) {
  index right = 0;
  for (index i = 0; i < logits.rows; ++i) {
    const float* row = logits.row(i);
    right += std::max_element(row, row + logits.cols) - row == labels[i];
  }
  return static_cast<double>(right) / static_cast<double>(logits.rows);
}

}  // namespace

void TrainOptions::validate() const {
  NTKROB_CHECK(loss == "mse" || loss == "ce", ConfigError, "train: no loss \"", loss, "\"; there are: mse, ce");
  NTKROB_CHECK_RANGE("train: epochs (0: count steps instead)", epochs, 0, kCountLimit);
  if (epochs == 0) NTKROB_CHECK_RANGE("train: steps", steps, 1, kCountLimit);
  NTKROB_CHECK(batch >= 0, ConfigError, "train: batch is ", batch, ", must be 0 (all images) or more");
  NTKROB_CHECK(std::isfinite(lr) && lr > 0, ConfigError, "train: lr is ", lr, ", must be positive and finite");
  NTKROB_CHECK(momentum >= 0 && momentum < 1, ConfigError, "train: momentum is ", momentum, ", must be in [0, 1)");
  NTKROB_CHECK(std::isfinite(weight_decay) && weight_decay >= 0, ConfigError, "train: weight_decay is ", weight_decay,
               ", must be 0 or more and finite");
  Schedule::parse(schedule);
}

void train(Net& net, ConstView2D<float> x, const Targets& targets, const TrainOptions& options,
           const std::function<bool(const TrainStep&)>& on_step, const BatchAttack& attack) {
  options.validate();
  check_data(net, x, targets, options);
  const std::unique_ptr<Loss> loss = make_loss(options.loss);
  const Schedule schedule = Schedule::parse(options.schedule);
  const bool use_targets = needs_targets(options.loss);
  nn::OnDevice* const device = net.device();
  const bool need_images = device == nullptr || attack;  // of every batch, on the host
  Backend& backend = net.backend();
  Batches batches(x.rows, options.batch, options.seed);
  const index n = batches.size(), classes = net.classes();
  const index steps = options.epochs > 0 ? options.epochs * batches.per_epoch() : options.steps;

  // The batch of the current step: views of the whole set, or of these buffers.
  Matrix<float> x_buffer, target_buffer, adversarial, logits(n, classes);
  std::vector<int> label_buffer;
  ConstView2D<float> batch_x = x, batch_targets;
  const int* batch_labels = targets.labels.data();
  if (use_targets) batch_targets = targets.values.view();
  if (!batches.full()) {
    if (need_images) x_buffer = Matrix<float>(n, x.cols);
    batch_x = x_buffer.view();
    label_buffer.resize(static_cast<std::size_t>(n));
    batch_labels = label_buffer.data();
    if (use_targets) {
      target_buffer = Matrix<float>(n, classes);
      batch_targets = target_buffer.view();
    }
  }
  if (attack) adversarial = Matrix<float>(n, x.cols);
  const ConstView2D<float> input = attack ? ConstView2D<float>(adversarial.view()) : batch_x;

  std::vector<double> losses(static_cast<std::size_t>(n));
  const CotangentFn mean_loss = [&](index first, ConstView2D<float> f, View2D<float> cotangent) {
    loss->evaluate(f, batch_labels + first, use_targets ? batch_targets.middle_rows(first, f.rows) : batch_targets,
                   losses.data() + first, cotangent);
    const float scale = 1.0f / static_cast<float>(n);
    for (index i = 0; i < cotangent.rows; ++i)
      for (index j = 0; j < cotangent.cols; ++j) cotangent(i, j) *= scale;
  };

  const Sgd<float>::Options sgd{options.momentum, options.weight_decay};
  std::unique_ptr<Gradients> gradients;
  if (device != nullptr)
    gradients = std::make_unique<DeviceGradients>(*device, need_images ? ConstView2D<float>() : x, sgd);
  else
    gradients = std::make_unique<HostGradients>(net, sgd);

  index done = 0;
  double lr = options.lr;
  for (bool go_on = true; go_on && done < steps;) {
    const index* const rows = batches.full() ? nullptr : batches.rows(done);
    if (rows != nullptr) {
      nn::for_blocks(backend, n, nn::rows_per_block(x.cols), [&](index begin, index count) {
        for (index i = begin; i < begin + count; ++i) {
          if (need_images) std::copy_n(x.row(rows[i]), x.cols, x_buffer.row(i));
          label_buffer[static_cast<std::size_t>(i)] = targets.labels[static_cast<std::size_t>(rows[i])];
          if (use_targets) std::copy_n(targets.values.row(rows[i]), classes, target_buffer.row(i));
        }
      });
    }
    if (attack) attack(net, batch_x, batch_labels, done + 1, adversarial.view());
    lr = options.lr * schedule.factor(done, steps);
    try {
      gradients->compute(rows, need_images ? input : ConstView2D<float>(), mean_loss, logits.view());
    } catch (const NonFinite& e) {
      diverged(e.what(), done + 1, steps, lr);
    }
    double total = 0;
    for (const double value : losses) total += value;
    const double mean = total / static_cast<double>(n);
    if (!std::isfinite(mean)) diverged(text("the loss is ", mean), done + 1, steps, lr);
    gradients->descend(lr);
    ++done;
    if (on_step) go_on = on_step({done, steps, mean, batch_accuracy(logits.view(), batch_labels)});
  }
  check_parameters(net, done, lr);
}

}  // namespace ntkrob
