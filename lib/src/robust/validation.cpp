/// Judging iterates on held-out training images: which of them is the result.
#include <algorithm>

#include "ntkrob/attack/attack.hpp"
#include "ntkrob/model/metrics.hpp"
#include "robust/loop.hpp"

namespace ntkrob::robust {

template <class R>
void Loop<R>::judge_machine(const Machine& machine, double& clean_accuracy, double& robust_accuracy) const {
  const index n = held_out_x_.rows(), d = held_out_x_.cols();
  const double share = 1.0 / static_cast<double>(n);
  const std::vector<int> clean = predictions(all_logits(machine, held_out_x_.view()).view());
  index right = 0, robust = 0;
  for (index i = 0; i < n; ++i)
    right += clean[static_cast<std::size_t>(i)] == held_out_labels_[static_cast<std::size_t>(i)];
  clean_accuracy = robust_accuracy = static_cast<double>(right) * share;
  if (!(options_.eps > 0)) return;

  // The margin loss, because kernel machines fit targets of size one: there the softmax is flat and cross-entropy is
  // the weaker attack. The same random starts every time, so that iterates are compared on equal terms.
  Matrix<float> adversarial(n, d);
  pgd(machine, AttackBatch{held_out_x_.view(), held_out_labels_.data(), held_out_targets_.view(), 0},
      threat(options_.eps), 2 * options_.attack_steps, 0, "margin", 1, Rng(options_.seed, "validation-attack"),
      adversarial.view());
  const std::vector<int> attacked = predictions(all_logits(machine, adversarial.view()).view());
  for (index i = 0; i < n; ++i) {
    const auto k = static_cast<std::size_t>(i);
    robust += clean[k] == held_out_labels_[k] && attacked[k] == held_out_labels_[k];
  }
  robust_accuracy = static_cast<double>(robust) * share;
}

template <class R>
bool Loop<R>::judge(StepRecord& record) {
  double clean = 0, robust = 0;
  for (Player& player : players_) {
    double clean_here = 0, robust_here = 0;
    judge_machine(current_machine(player), clean_here, robust_here);
    clean += clean_here;
    robust += robust_here;
  }
  record.validated = true;
  record.validation_clean = clean / static_cast<double>(players_.size());
  record.validation_robust = robust / static_cast<double>(players_.size());
  // Of equals the later one: it has seen more data.
  return best_.step < 0 || record.validation_robust > best_.robust ||
         (record.validation_robust == best_.robust && record.validation_clean >= best_.clean);
}

template <class R>
void Loop<R>::keep_best(const StepRecord& record, const Iterate& iterate) {
  // The assignments that may fail come first; from the second time on none can.
  best_.support = iterate.support;
  best_.labels = iterate.labels;
  best_.step = record.step;
  best_.robust = record.validation_robust;
  best_.clean = record.validation_clean;
}

template void Loop<float>::judge_machine(const Machine&, double&, double&) const;
template void Loop<double>::judge_machine(const Machine&, double&, double&) const;
template bool Loop<float>::judge(StepRecord&);
template bool Loop<double>::judge(StepRecord&);
template void Loop<float>::keep_best(const StepRecord&, const Iterate&);
template void Loop<double>::keep_best(const StepRecord&, const Iterate&);

}  // namespace ntkrob::robust
