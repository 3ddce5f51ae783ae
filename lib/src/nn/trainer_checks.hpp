/// What a training refuses: data that do not fit, and numbers that are no longer finite.
#pragma once

#include <cmath>
#include <string>

#include "ntkrob/base/finite.hpp"
#include "ntkrob/nn/trainer.hpp"

namespace ntkrob::nn {

inline bool needs_targets(const std::string& loss) { return loss == "mse"; }

inline void check_finite(ConstView2D<float> values, const char* what) {
  for (index i = 0; i < values.rows; ++i) {
    if (all_finite(values.row(i), values.cols)) continue;
    for (index j = 0; j < values.cols; ++j)
      NTKROB_CHECK(std::isfinite(values(i, j)), NonFinite, "train: ", what, " ", i, " holds ", values(i, j),
                   " at position ", j, "; every number must be finite");
  }
}

inline void check_data(const Net& net, ConstView2D<float> x, const Targets& targets, const TrainOptions& options) {
  NTKROB_CHECK(x.rows > 0, ConfigError, "train: no training images");
  NTKROB_CHECK_SHAPE(x, x.rows, net.input_shape().size());
  NTKROB_CHECK(static_cast<index>(targets.labels.size()) == x.rows, ShapeError, "train: ", targets.labels.size(),
               " labels for ", x.rows, " images");
  for (std::size_t i = 0; i < targets.labels.size(); ++i)
    NTKROB_CHECK(targets.labels[i] >= 0 && targets.labels[i] < net.classes(), ConfigError, "train: label ", i, " is ",
                 targets.labels[i], ", must be in [0, ", net.classes() - 1, "]");
  check_finite(x, "image");
  options.augmentation.check(net.input_shape());
  NTKROB_CHECK(options.validation < x.rows, ConfigError, field("validation"), " is ", given(options.validation),
               ", the set has ", x.rows, " images; at most ", limit(x.rows - 1), " can be held out");
  if (needs_targets(options.loss)) {
    NTKROB_CHECK(targets.values.rows() == x.rows && targets.values.cols() == net.classes(), ShapeError,
                 "train: targets are ", targets.values.rows(), " x ", targets.values.cols(), ", loss ", options.loss,
                 " needs ", x.rows, " x ", net.classes(), "; make them with centred_one_hot(labels, classes)");
    check_finite(targets.values.view(), "target");
  }
}

/// What a training that diverges was too bold with. Decay by more than the parameter itself makes it grow, where the lr
/// alone would not.
inline std::string remedy(const TrainOptions& options) {
  if (options.lr <= 1 && options.lr * options.weight_decay >= 1)
    return text("; the training diverged: weight decay ", options.weight_decay, " times lr ", options.lr,
                " must be well below 1: lower ", field("weight-decay"));
  return text("; the training diverged: lower ", field("lr"), ", for example by 10");
}

/// Whatever is not finite in a step, a logit or the loss, ends here: it gets the step, the lr and the remedy.
[[noreturn]] inline void diverged(const std::string& what, index step, index steps, double lr,
                                  const TrainOptions& options) {
  throw NonFinite(text("train: ", what, " at step ", step, " of ", steps, " with lr ", lr,
                       step == 1 ? "; the net's initial parameters or the targets are too large" : remedy(options)));
}

inline void check_parameters(const Net& net, index steps, double lr, const TrainOptions& options) {
  for (const LayerParameters& layer : net.layers())
    for (const Matrix<float>* values : {&layer.weight, &layer.bias}) {
      if (all_finite(values->data(), values->size())) continue;
      for (index i = 0; i < values->size(); ++i)
        NTKROB_CHECK(std::isfinite(values->data()[i]), NonFinite, "train: a parameter is ", values->data()[i],
                     " after step ", steps, " with lr ", lr, remedy(options));
    }
}

}  // namespace ntkrob::nn
