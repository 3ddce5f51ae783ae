#include "ntkrob/krr/rough_machine.hpp"

#include "ntkrob/backend/points.hpp"
#include "ntkrob/model/iterates.hpp"

namespace ntkrob {

RoughMachine::RoughMachine(const KernelMachine& machine) : machine_(&machine) { refresh(); }

void RoughMachine::refresh() { machine_->kernel().prepare_bfloat16(machine_->support(), prepared_); }

void RoughMachine::logits(ConstView2D<float> x, View2D<float> out) const {
  machine_->kernel().apply(x, prepared_, machine_->coefficients(), out);
}

void RoughMachine::input_grad(ConstView2D<float> x, ConstView2D<float> cotangent, View2D<float> dx) const {
  machine_->kernel().grad(x, prepared_, cotangent, machine_->coefficients(), dx);
}

void RoughMachine::logits_and_grad(ConstView2D<float> x, const CotangentFn& cotangent, View2D<float> out,
                                   View2D<float> dx) const {
  machine_->kernel().apply_grad(x, prepared_, machine_->coefficients(), cotangent, out, dx);
}

std::unique_ptr<Iterates> RoughMachine::iterates(ConstView2D<float> x) const {
  const Kernel& kernel = machine_->kernel();
  if (kernel.program() != nullptr || kernel.backend().steps() == nullptr) return nullptr;
  return std::make_unique<IteratesIn<Points>>(*this, Points(kernel.backend(), x));
}

}  // namespace ntkrob
