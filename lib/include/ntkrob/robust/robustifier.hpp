/// Robustifier: adversarial data-set optimisation (adv-KIP), the loop the library exists for.
///
///   min over S (and optionally Y)   E_(x,y)  max over the threat model   loss( f(x + delta; S, Y), y )
/// with f the kernel machine of S, Y. One step(): draw a batch, fit, attack the batch by PGD against the machine, take
/// the loss at the adversarial batch, differentiate through prediction and solve with the adversarial batch held
/// constant (envelope theorem, Danskin), update S, project. Source: Tsilivis, Su, Kempe, arXiv 2207.11727; eps = 0 is
/// KIP (arXiv 2011.00050).
///
/// With several kernels, the same set serves all of them: the expectation goes over the kernels too, and every kernel
/// has its own maximum over the threat model. Sampling one per step estimates the same gradient.
///
/// Everything random is a function of (seed, purpose, step), and state() holds the rest, so a restored run continues
/// bit-identically, and results do not depend on the number of workers.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ntkrob/backend/backend.hpp"
#include "ntkrob/base/log.hpp"
#include "ntkrob/base/state_dict.hpp"
#include "ntkrob/model/model.hpp"
#include "ntkrob/robust/options.hpp"

namespace ntkrob {

/// The training data, as views that outlive the robustifier.
struct TrainingData {
  ConstView2D<float> x;                      // N x D in [0,1]
  const std::vector<int>* labels = nullptr;  // N, in [0, classes)
  index classes = 0;                         // some may have no images
  ImageShape shape;
  const std::vector<std::string>* class_names = nullptr;  // classes names or none, for messages
};

/// What happened in one outer step.
struct StepRecord {
  index step = 0;          // 1-based: steps done
  double loss = 0;         // mean outer loss on the adversarial batch, before the update
  double adversarial = 0;  // accuracy on the adversarial batch
  double eps = 0;          // after the ramp
  double lr = 0;
  double gradient_norm = 0;
  double lambda = 0;             // ridge used (mean over the kernels of the step)
  bool validated = false;        // the iterate after the update was judged on the held-out images
  double validation_clean = 0;   // where validated: accuracy of its machine (mean over all kernels)
  double validation_robust = 0;  // where validated: accuracy under PGD (margin loss, 2 x attack_steps, the full eps)
  double seconds = 0;
};

/// The optimised set.
struct RobustSet {
  Matrix<float> images;          // n x D
  Matrix<float> targets;         // n x C
  std::vector<int> labels;       // n: the class of each image
  Matrix<float> initial_images;  // n x D
  index best_step = 0;           // the step whose iterate this is (0: the initial images)
};

class Robustifier {
 public:
  /// data and backend must outlive the robustifier. memory_budget as in KernelOptions.
  /// throws: ConfigError (options; n larger than the data after removing the validation split, or less than the
  ///   number of classes that have images; images of one class only), NonFinite, NotSupported (attack precision
  ///   bfloat16 on a backend without such products)
  Robustifier(RobustifyOptions options, TrainingData data, Backend& backend, std::size_t memory_budget = 0,
              LogSink log = {});
  ~Robustifier();
  Robustifier(Robustifier&&) noexcept;

  /// One outer step. requires: !done()   throws: NumericalError; the state is then still that of the last whole step
  StepRecord step();
  bool done() const;
  index steps_done() const;
  /// One record per step done, in order.
  const std::vector<StepRecord>& history() const;
  /// The validation of the initial images: step 0, validated only after the first step() of a run with validation.
  const StepRecord& initial() const;
  /// The best iterate by validation so far (robust, then clean), or the last where there is no validation.
  RobustSet result() const;
  /// How many near-duplicates of the support draw were replaced at initialisation.
  index duplicates_dropped() const;
  /// The machine of the current iterate, for judging without a file.   kernel: which one of several
  std::unique_ptr<Model> machine(index kernel = 0) const;

  /// All that a checkpoint needs; restore() refuses another option set or other data (names what differs).
  StateDict state() const;
  void restore(const StateDict& state);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ntkrob
