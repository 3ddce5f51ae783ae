#include "ntkrob/robust/robustifier.hpp"

#include "robust/given.hpp"
#include "robust/loop.hpp"

namespace ntkrob {
namespace {

void check_data(const RobustifyOptions& options, const TrainingData& data) {
  NTKROB_CHECK(data.classes >= 2, ConfigError, "the training data have ", data.classes,
               " classes, at least 2 are needed");
  robust::check_images(data);
  robust::check_several_classes(data);
  ThreatModel::of(options.norm, options.eps, data.x.cols);  // refused here rather than in a step
}

}  // namespace

class Robustifier::Impl {
 public:
  std::unique_ptr<robust::LoopBase> loop;
};

Robustifier::Robustifier(RobustifyOptions options, TrainingData data, Backend& backend, std::size_t memory_budget,
                         LogSink log)
    : impl_(std::make_unique<Impl>()) {
  options.validate();
  check_data(options, data);
  if (options.precision == "float64")
    impl_->loop =
        std::make_unique<robust::Loop<double>>(std::move(options), data, backend, memory_budget, std::move(log));
  else
    impl_->loop =
        std::make_unique<robust::Loop<float>>(std::move(options), data, backend, memory_budget, std::move(log));
}

Robustifier::~Robustifier() = default;
Robustifier::Robustifier(Robustifier&&) noexcept = default;

StepRecord Robustifier::step() { return impl_->loop->step(); }
bool Robustifier::done() const { return impl_->loop->done(); }
index Robustifier::steps_done() const { return static_cast<index>(impl_->loop->history().size()); }
const std::vector<StepRecord>& Robustifier::history() const { return impl_->loop->history(); }
const StepRecord& Robustifier::initial() const { return impl_->loop->initial(); }
RobustSet Robustifier::result() const { return impl_->loop->result(); }
index Robustifier::duplicates_dropped() const { return impl_->loop->duplicates_dropped(); }
std::unique_ptr<Model> Robustifier::machine(index kernel) const { return impl_->loop->machine(kernel); }
StateDict Robustifier::state() const { return impl_->loop->state(); }
void Robustifier::restore(const StateDict& state) { impl_->loop->restore(state); }

}  // namespace ntkrob
