/// An evaluation of a small model on samples of which every tenth is wrong from the start.
#pragma once

#include "kit/small_models.hpp"
#include "ntkrob/attack/evaluate.hpp"
#include "ntkrob/model/metrics.hpp"

namespace ntkrob::attack_test {

struct EvaluateCase {
  static constexpr index kClasses = 4;
  kit::SineModel model;
  Matrix<float> x;
  std::vector<int> labels;
  EvaluateOptions options;

  EvaluateCase(index n, index d, index hidden)
      : model(d, hidden, kClasses, 5),
        x(kit::uniform_matrix(n, d, 6)),
        labels(predictions(all_logits(model, x.view()).view())) {
    for (std::size_t i = 0; i < labels.size(); i += 10) labels[i] = (labels[i] + 1) % kClasses;
    options.threat = {Norm::linf, 0.06f};
    options.batch_rows = 16;
  }
  EvaluateReport run() const { return evaluate(model, x.view(), labels, {}, options); }
};

}  // namespace ntkrob::attack_test
