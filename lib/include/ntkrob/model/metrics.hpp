/// Numbers that judge a model on labelled images.
#pragma once

#include <vector>

#include "ntkrob/model/model.hpp"

namespace ntkrob {

/// Index of the largest logit of every row; ties go to the lowest index. logits: N x C
std::vector<int> predictions(ConstView2D<float> logits);
/// f_y - max_{j != y} f_j per sample: positive where the prediction is right. logits: N x C
std::vector<float> margins(ConstView2D<float> logits, const std::vector<int>& labels);
/// Fraction of right predictions in [0,1], evaluated in batches of batch_rows. x: N x D, N > 0
/// throws: NonFinite naming the first sample whose logits are not finite
double accuracy(const Model& model, ConstView2D<float> x, const std::vector<int>& labels, index batch_rows = 1000);
/// All logits, evaluated in batches. x: N x D
Matrix<float> all_logits(const Model& model, ConstView2D<float> x, index batch_rows = 1000);

}  // namespace ntkrob
