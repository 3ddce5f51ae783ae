/// The outer loop of the robustifier in one precision. Private to robust.
///
/// Loop<float> is the mixed path, Loop<double> computes in float64. Everything random is a function of (seed, purpose,
/// step). A step changes the iterate as late as it can, and where something that may fail follows (a validation) it
/// keeps the iterate before, so that an exception leaves the last whole step behind.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ntkrob/krr/rough_machine.hpp"
#include "ntkrob/model/loss.hpp"
#include "ntkrob/optim/optimizer.hpp"
#include "ntkrob/robust/robustifier.hpp"
#include "robust/initialise.hpp"

namespace ntkrob::robust {

/// What the facade calls; one implementation per precision.
class LoopBase {
 public:
  virtual ~LoopBase() = default;
  virtual StepRecord step() = 0;
  virtual bool done() const = 0;
  virtual const std::vector<StepRecord>& history() const = 0;
  virtual const StepRecord& initial() const = 0;
  virtual RobustSet result() const = 0;
  virtual index duplicates_dropped() const = 0;
  virtual std::unique_ptr<Model> machine(index kernel) const = 0;
  virtual StateDict state() const = 0;
  virtual void restore(const StateDict& state) = 0;
};

template <class R>
class Loop final : public LoopBase {
 public:
  /// options and data have been validated.
  Loop(RobustifyOptions options, TrainingData data, Backend& backend, std::size_t memory_budget, LogSink log);

  StepRecord step() override;
  bool done() const override { return steps_done() >= options_.steps; }
  const std::vector<StepRecord>& history() const override { return history_; }
  const StepRecord& initial() const override { return initial_; }
  RobustSet result() const override;
  index duplicates_dropped() const override { return draw_.duplicates_dropped; }
  std::unique_ptr<Model> machine(index kernel) const override;
  StateDict state() const override;
  void restore(const StateDict& state) override;

 private:
  using Machine = BasicKernelMachine<R>;

  /// What a step changes.
  struct Iterate {
    Matrix<R> support;  // n x D
    Matrix<R> labels;   // n x C
    Adam<R> adam, label_adam;
  };
  /// One of the kernels, and its machine, whose memory serves every iterate.
  struct Player {
    Kernel kernel;
    std::unique_ptr<Machine> machine;     // null before the first fit
    bool fitted = false;                  // machine is that of current_
    std::unique_ptr<RoughMachine> rough;  // of machine, where the attack uses bfloat16 products
  };
  /// The best iterate by validation; step < 0: none yet.
  struct Best {
    index step = -1;
    double robust = 0, clean = 0;
    Matrix<R> support, labels;
  };

  index steps_done() const { return static_cast<index>(history_.size()); }
  ThreatModel threat(double eps) const;
  double eps_at(index step) const;
  std::unique_ptr<Machine> fit(const Kernel& kernel, const Iterate& iterate) const;
  /// The machine of the current iterate, fitted at most once.
  const Machine& current_machine(Player& player);
  /// The iterate has changed.
  void forget_fits();
  /// The kernels of a step: all of them, or the one that is drawn.
  std::vector<Player*> players_of(index step);
  StepRecord whole_step();
  /// What to add to a number that is not finite in a later step: the option that moves images or labels.
  std::string moved_too_far() const;
  /// What the inner attack sees of the current machine.
  const Model& attacked(Player& player);
  /// Fills the batch of a step: positions step * batch .. of the endless stream of permuted epochs.
  void draw_batch(index step);
  /// Attacks the batch, and adds loss and accuracy on the adversarial batch, and the gradient with respect to images
  /// and labels, for each of these kernels, divided by their number.
  void outer_passes(const std::vector<Player*>& players, StepRecord& record);
  /// One of them, in one pass; the gradient overwrites what is there.
  void outer_pass(const Machine& machine, double share, View2D<R> dsupport, View2D<R> dlabels, StepRecord& record);
  void update(double lr_factor);
  /// Fills the validation fields of the record; true when this beats the best so far.
  bool judge(StepRecord& record);
  /// Accuracy of one machine on the held-out images, clean and attacked.
  void judge_machine(const Machine& machine, double& clean, double& robust) const;
  /// update(), and the validation of the new iterate where the record's step has one. All or nothing.
  void advance(StepRecord& record, double lr_factor);
  bool validates(index step) const {
    return options_.validation > 0 && (step % options_.validate_every == 0 || step == options_.steps);
  }
  /// throws: IoError where these are no records of a run with these options
  void check_validations(const StepRecord& initial, const std::vector<StepRecord>& history) const;
  void keep_best(const StepRecord& record, const Iterate& iterate);

  bool uses_adam() const { return options_.optimizer == "adam"; }
  bool rough_attack() const { return options_.attack_precision == "bfloat16"; }
  const std::string& data_checksum() const;

  RobustifyOptions options_;
  TrainingData data_;
  LogSink log_;
  Backend& backend_;
  std::vector<Player> players_;
  Schedule schedule_;
  std::unique_ptr<Loss> loss_;
  DataSplit split_;
  SupportDraw draw_;

  Matrix<float> held_out_x_, held_out_targets_;  // V x D, V x C
  std::vector<int> held_out_labels_;

  Iterate current_;
  Iterate previous_;  // where a failed validation goes back to; its memory is kept
  Best best_;
  std::vector<StepRecord> history_;
  StepRecord initial_;

  // Scratch of a step, allocated once.
  index epoch_ = -1;
  std::vector<index> epoch_order_;
  std::vector<index> batch_images_;  // B: rows of the data
  std::vector<int> batch_labels_;
  std::vector<double> row_squares_;                                       // n
  std::vector<double> losses_;                                            // B
  Matrix<float> batch_x_, batch_targets_, adversarial_, logits_, slope_;  // B x D, B x C, B x D, B x C, B x C
  Matrix<R> adversarial_r_, outputs_;                                     // B x D (float64 only), B x C
  Matrix<R> dsupport_, dlabels_;                                          // n x D, n x C
  Matrix<R> dsupport_part_, dlabels_part_;                                // of one of several kernels

  mutable std::string data_checksum_;  // computed on first use: it reads all data
};

extern template class Loop<float>;
extern template class Loop<double>;

}  // namespace ntkrob::robust
