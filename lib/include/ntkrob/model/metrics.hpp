/// Numbers that judge a model on labelled images.
#pragma once

#include <vector>

#include "ntkrob/model/model.hpp"

namespace ntkrob {

/// throws: NonFinite naming the sample (first_sample + row), the class and the value of the first logit that is NaN or
/// infinite. logits: n x C
void check_finite_logits(ConstView2D<float> logits, index first_sample);
/// throws: ShapeError unless there are `rows` labels; ConfigError naming index and value of a label outside [0,
/// classes)
void check_labels(const std::vector<int>& labels, index rows, index classes);

/// Index of the largest logit; ties go to the lowest index. logits: classes
int predicted_class(const float* logits, index classes);
/// Index of the largest logit but the label's; ties go to the lowest index. logits: classes   requires: classes >= 2
index strongest_rival(const float* logits, index classes, int label);

/// predicted_class of every row. logits: N x C   throws: NonFinite naming the row
std::vector<int> predictions(ConstView2D<float> logits);
/// f_y - max_{j != y} f_j per sample: positive where the prediction is right. logits: N x C
std::vector<float> margins(ConstView2D<float> logits, const std::vector<int>& labels);
/// Fraction of right predictions in [0,1], evaluated in batches of batch_rows. x: N x D, N > 0
/// throws: NonFinite naming the first sample whose logits are not finite
double accuracy(const Model& model, ConstView2D<float> x, const std::vector<int>& labels, index batch_rows = 1000);
/// All logits, evaluated in batches. x: N x D
Matrix<float> all_logits(const Model& model, ConstView2D<float> x, index batch_rows = 1000);

}  // namespace ntkrob
