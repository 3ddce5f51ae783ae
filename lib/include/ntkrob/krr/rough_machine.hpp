/// RoughMachine: a kernel machine whose products round their operands to bfloat16, for the directions of attacks.
#pragma once

#include "ntkrob/krr/machine.hpp"

namespace ntkrob {

/// The Model of a fitted machine with rougher, cheaper arithmetic: logits and gradients are good to some 1e-3 of their
/// size. Meant for the ascent inside an outer loop; never judge with it. Support set and coefficients are the machine's
/// own, which must outlive this object.
class RoughMachine final : public Model {
 public:
  /// Ready for use.   throws: NotSupported where the machine's backend has no products of bfloat16 numbers
  explicit RoughMachine(const KernelMachine& machine);
  /// Needed after every refit of the machine; memory is kept.
  void refresh();

  ImageShape input_shape() const override { return machine_->input_shape(); }
  index classes() const override { return machine_->classes(); }
  void logits(ConstView2D<float> x, View2D<float> out) const override;
  void input_grad(ConstView2D<float> x, ConstView2D<float> cotangent, View2D<float> dx) const override;
  void logits_and_grad(ConstView2D<float> x, const CotangentFn& cotangent, View2D<float> out,
                       View2D<float> dx) const override;
  std::unique_ptr<Iterates> iterates(ConstView2D<float> x) const override;
  void for_each(index n, const std::function<void(index task)>& task) const override { machine_->for_each(n, task); }

 private:
  const KernelMachine* machine_;
  PreparedSet<float> prepared_;
};

}  // namespace ntkrob
