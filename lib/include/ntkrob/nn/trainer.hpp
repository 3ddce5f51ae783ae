/// Plain gradient descent: what an end user of a robust data set does. No adversarial example is involved unless the
/// baseline is asked for by its name.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ntkrob/base/fields.hpp"
#include "ntkrob/base/log.hpp"
#include "ntkrob/model/loss.hpp"
#include "ntkrob/nn/augmentation.hpp"
#include "ntkrob/nn/net.hpp"
#include "ntkrob/optim/optimizer.hpp"

namespace ntkrob {

struct TrainOptions {
  std::string loss = "mse";  // mse on the targets (centred one-hot) | ce on the labels
  index epochs = 0;          // either epochs ...
  index steps = 1500;        // ... or steps; epochs wins when > 0
  index batch = 100;         // 0: full batch (gradient descent); otherwise a fresh permutation per epoch, whose
                             // incomplete last batch is dropped
  double lr = 0.05;
  double momentum = 0.9;
  double weight_decay = 0;  // on weights and biases, as PyTorch's SGD
  Parsed<Schedule> schedule = "one-cycle";
  std::string parameterisation = "standard";  // standard: gradients of the weights | ntk: of omega, where a weight is
                                              // sqrt(w / fan_in) omega and a bias sqrt(b) beta (method of kernels)
  double label_smoothing = 0;                 // s: ce with targets (1 - s) one-hot + s / classes (Szegedy et al. 2016)
  double clip_norm = 0;                       // longest gradient of all parameters together, in l2; 0: any
  double ema = 0;            // decay of an exponential moving average of the weights, which is the result; 0: none
  index validation = 0;      // training images held out; the weights that are best on them are the result; 0: the last
  index validate_every = 0;  // steps between two validations; 0: once per epoch
  index patience = 0;        // validations without a better one that end the training; 0: all steps are done
  Augmentation augmentation;
  std::uint64_t seed = 0;
  /// throws: ConfigError naming the field, its value and the limit
  void validate() const;
};

/// Calls visitor(name, field, help, about) for every field (base/fields.hpp).
template <class Options, class Visitor>
void visit_train(Options& o, Visitor&& visitor) {
  visitor("loss", o.loss, "mse (on centred one-hot or stored targets) | ce (on labels)", among("mse|ce"));
  visitor("epochs", o.epochs, "passes over the data; 0: use steps", within(0, 1e9));
  visitor("steps", o.steps, "gradient steps, where epochs is 0", within(0, 1e9));
  visitor("batch", o.batch, "images per step; 0: all of them (gradient descent)", at_least(0, "images"));
  visitor("lr", o.lr, "peak learning rate", positive());
  visitor("momentum", o.momentum, "heavy-ball momentum", below(0, 1));
  visitor("weight-decay", o.weight_decay, "L2 penalty", at_least(0));
  visitor("schedule", o.schedule, "constant | cosine | one-cycle | step");
  visitor("parameterisation", o.parameterisation, "standard | ntk (gradients as of the kernel's net)",
          among("standard|ntk"));
  visitor("label-smoothing", o.label_smoothing, "share of the targets that all classes get alike, of loss ce",
          below(0, 1));
  visitor("clip-norm", o.clip_norm, "longest gradient, in l2 over all parameters; 0: any length", at_least(0));
  visitor("ema", o.ema, "decay of a moving average of the weights, which is then the net; 0: none", below(0, 1));
  visitor("validation", o.validation, "training images held out to choose the best net; 0: the last",
          within(0, 1e9, "images"));
  visitor("validate-every", o.validate_every, "steps between validations; 0: once per epoch", within(0, 1e9));
  visitor("patience", o.patience, "validations without a better one that end the training; 0: never", within(0, 1e9));
  visit_augmentation(o.augmentation, visitor);
  visitor("seed", o.seed, "seed of initialisation and batches");
}

/// Copies of all parameters that a training keeps beside parameters, gradients and velocities: the average, the best,
/// and what a step that is judged would go back to.
inline index kept_copies(const TrainOptions& options) {
  const index average = options.ema > 0 ? 1 : 0;
  return average + (options.validation > 0 ? 1 + 3 + average : 0);
}

struct TrainStep {
  index step = 0;                    // steps done, this one included
  index steps = 0;                   // steps of the whole run
  double loss = 0;                   // mean over the batch
  double accuracy = 0;               // on the batch
  std::optional<double> validation;  // accuracy on the images held out, in steps that are judged
};

/// What was chosen by images held out.
struct Selection {
  index step = 0;       // 0: nothing was chosen
  double accuracy = 0;  // on those images
  bool ended = false;   // no better one came for `patience` validations
};

/// Replaces a batch by adversarial examples against the current net (the adversarial-training baseline, Madry et al.
/// 2018).
///   x: B x D   labels: B   step: counted from 1, for the random numbers   adversarial: B x D (to be overwritten)
using BatchAttack =
    std::function<void(const Net& net, ConstView2D<float> x, const int* labels, index step, View2D<float> adversarial)>;

/// A training that can be left and taken up again. Trains the net in place, plain gradient descent with momentum.
///
/// A step that throws (diverged, or stopped: Backend::set_stop) leaves net and trainer as after the step before. Random
/// choices are functions of (seed, step), so that state() is all there is to keep.
class Trainer {
 public:
  /// net, x and targets must outlive the trainer.   x: N x D in [0,1]   attack: empty for plain training
  ///   throws: ConfigError; ShapeError; NonFinite naming the image or target that is not finite
  Trainer(Net& net, ConstView2D<float> x, const Targets& targets, const TrainOptions& options, BatchAttack attack = {});
  ~Trainer();
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  index steps() const;  // of the whole run; the steps done, where it has ended early
  index steps_done() const;
  bool done() const { return steps_done() >= steps(); }
  /// throws: NonFinite naming the step at which the loss is no longer finite (remedy: a lower lr); Interrupted
  TrainStep step();
  /// Ends it: the net gets the best or averaged weights, where those were asked for. No step comes after it.
  ///   throws: NonFinite where a parameter of the net is not finite any more
  void finish();
  Selection selection() const;

  /// Parameters, velocities and the number of steps done. What it was made with is the caller's to remember.
  StateDict state() const;
  /// The net and the trainer as they were at state().   throws: IoError naming the entry that is missing, of another
  /// shape or not finite; then nothing is changed
  void restore(const StateDict& state);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// Trains in place: a Trainer from start to end. The loss mse is the mean over the batch of 1/2 ||f - y||^2; ce is the
/// mean cross-entropy with the labels, and targets.values may be empty.
///   x: N x D in [0,1]
///   on_step: called after each step; return false to stop
///   attack: empty for plain training
///   ensures: a function of (net, data, options) alone, for any number of workers
///   throws: ConfigError; NonFinite naming the image that is not finite, or the step at which the loss is no longer
///           finite (remedy: a lower lr); the net then keeps the parameters of the step before
///   cost: no allocation after the first step, but for one permutation per epoch
void train(Net& net, ConstView2D<float> x, const Targets& targets, const TrainOptions& options,
           const std::function<bool(const TrainStep&)>& on_step = {}, const BatchAttack& attack = {});

}  // namespace ntkrob
