#include "ntkrob/model/metrics.hpp"

#include <algorithm>
#include <cmath>

#include "ntkrob/base/finite.hpp"

namespace ntkrob {

void check_finite_logits(ConstView2D<float> logits, index first_sample) {
  const index i = first_row_not_finite(logits);
  if (i < 0) return;
  for (index j = 0; j < logits.cols; ++j)
    NTKROB_CHECK(std::isfinite(logits(i, j)), NonFinite, "the model's output for sample ", first_sample + i, ", class ",
                 j, " is ", logits(i, j), ", must be finite");
}

index strongest_rival(const float* logits, index classes, int label) {
  index rival = label == 0 ? 1 : 0;
  for (index j = rival + 1; j < classes; ++j)
    if (j != label && logits[j] > logits[rival]) rival = j;
  return rival;
}

int predicted_class(const float* logits, index classes) {
  return static_cast<int>(std::max_element(logits, logits + classes) - logits);
}

std::vector<int> predictions(ConstView2D<float> logits) {
  NTKROB_CHECK(logits.cols >= 1, ShapeError, "predictions: logits are ", logits.rows, " x 0");
  check_finite_logits(logits, 0);
  std::vector<int> result(static_cast<std::size_t>(logits.rows));
  for (index i = 0; i < logits.rows; ++i)
    result[static_cast<std::size_t>(i)] = predicted_class(logits.row(i), logits.cols);
  return result;
}

void check_labels(const std::vector<int>& labels, index rows, index classes) {
  NTKROB_CHECK(static_cast<index>(labels.size()) == rows, ShapeError, "there are ", labels.size(), " labels for ", rows,
               " samples");
  for (index i = 0; i < rows; ++i) {
    const int y = labels[static_cast<std::size_t>(i)];
    NTKROB_CHECK(y >= 0 && y < classes, ConfigError, "label ", i, " is ", y, ", must be in [0, ", classes, ")");
  }
}

std::vector<float> margins(ConstView2D<float> logits, const std::vector<int>& labels) {
  NTKROB_CHECK(logits.cols >= 2, ShapeError, "margins need 2 or more classes, the logits are ", logits.rows, " x ",
               logits.cols);
  check_labels(labels, logits.rows, logits.cols);
  check_finite_logits(logits, 0);
  std::vector<float> result(labels.size());
  for (index i = 0; i < logits.rows; ++i) {
    const int y = labels[static_cast<std::size_t>(i)];
    result[static_cast<std::size_t>(i)] = logits(i, y) - logits(i, strongest_rival(logits.row(i), logits.cols, y));
  }
  return result;
}

Matrix<float> all_logits(const Model& model, ConstView2D<float> x, index batch_rows) {
  NTKROB_CHECK(batch_rows >= 1, ConfigError, "batch_rows is ", batch_rows, ", must be 1 or more");
  Matrix<float> out(x.rows, model.classes());
  for (index begin = 0; begin < x.rows; begin += batch_rows) {
    const index n = std::min(batch_rows, x.rows - begin);
    model.logits(x.middle_rows(begin, n), out.view().middle_rows(begin, n));
  }
  return out;
}

double accuracy(const Model& model, ConstView2D<float> x, const std::vector<int>& labels, index batch_rows) {
  NTKROB_CHECK(x.rows > 0, ConfigError, "accuracy of 0 samples is not defined");
  check_labels(labels, x.rows, model.classes());
  const std::vector<int> predicted = predictions(all_logits(model, x, batch_rows).view());
  index right = 0;
  for (std::size_t i = 0; i < predicted.size(); ++i) right += predicted[i] == labels[i];
  return static_cast<double>(right) / static_cast<double>(x.rows);
}

}  // namespace ntkrob
