#include "ntkrob/robust/robustifier.hpp"

#include <cmath>

#include "ntkrob/model/classes.hpp"
#include "robust/loop.hpp"

namespace ntkrob {
namespace {

void check_data(const RobustifyOptions& options, const TrainingData& data) {
  NTKROB_CHECK(data.classes >= 2, ConfigError, "the training data have ", data.classes,
               " classes, at least 2 are needed");
  NTKROB_CHECK(data.labels != nullptr && static_cast<index>(data.labels->size()) == data.x.rows, ShapeError,
               "the training data have ", data.x.rows, " images and ", data.labels ? data.labels->size() : 0,
               " labels");
  NTKROB_CHECK(data.x.cols == data.shape.size(), ShapeError, "training images have ", data.x.cols,
               " numbers, expected ", data.shape.height, " x ", data.shape.width, " x ", data.shape.channels);
  for (index i = 0; i < data.x.rows; ++i) {
    for (index j = 0; j < data.x.cols; ++j) {
      const float v = data.x(i, j);
      NTKROB_CHECK(std::isfinite(v), NonFinite, "training image ", i, " has the value ", v, " at position ", j);
      NTKROB_CHECK(v >= 0 && v <= 1, ConfigError, "training image ", i, " has the value ", v, " at position ", j,
                   ", must be in [0, 1]");
    }
    const int label = (*data.labels)[static_cast<std::size_t>(i)];
    NTKROB_CHECK(label >= 0 && label < data.classes, ConfigError, "training image ", i, " has the label ", label,
                 ", must be in [0, ", data.classes - 1, "]");
  }
  const std::vector<index> present = classes_present(class_counts(*data.labels, data.classes));
  NTKROB_CHECK(present.size() >= 2, ConfigError, "all ", data.x.rows, " training images are of one class, ",
               present.empty() ? std::string("none") : text(present.front()), ", at least 2 classes are needed");
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
