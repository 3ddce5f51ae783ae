#include "ntkrob/model/loss.hpp"

#include <algorithm>
#include <cmath>

#include "ntkrob/model/metrics.hpp"

namespace ntkrob {

namespace {

int checked_label(const std::string& loss, const int* labels, index i, index classes) {
  NTKROB_CHECK(labels != nullptr, ConfigError, "loss ", loss, " needs labels, none were given");
  NTKROB_CHECK(labels[i] >= 0 && labels[i] < classes, ConfigError, "loss ", loss, ": label ", i, " is ", labels[i],
               ", must be in [0, ", classes, ")");
  return labels[i];
}

/// 1/2 ||f - y||^2.
class MseLoss : public Loss {
 public:
  explicit MseLoss(double) {}
  std::string name() const override { return "mse"; }
  void compute(ConstView2D<float> logits, const int*, ConstView2D<float> targets, double* loss,
               View2D<float> cotangent) const override {
    NTKROB_CHECK(targets.rows == logits.rows && targets.cols == logits.cols, ShapeError, "loss mse: targets are ",
                 targets.rows, " x ", targets.cols, ", logits are ", logits.rows, " x ", logits.cols,
                 "; pass one target row per sample (centred_one_hot makes them from labels)");
    for (index i = 0; i < logits.rows; ++i) {
      double sum = 0;
      for (index j = 0; j < logits.cols; ++j) {
        const double r = static_cast<double>(logits(i, j)) - static_cast<double>(targets(i, j));
        sum += r * r;
        if (cotangent.data != nullptr) cotangent(i, j) = static_cast<float>(r);
      }
      loss[i] = 0.5 * sum;
    }
  }
};

/// log sum_j exp(T f_j) - T f_y.
class CrossEntropyLoss : public Loss {
 public:
  explicit CrossEntropyLoss(double temperature) : temperature_(temperature) {}
  std::string name() const override { return "ce"; }
  void compute(ConstView2D<float> logits, const int* labels, ConstView2D<float>, double* loss,
               View2D<float> cotangent) const override {
    for (index i = 0; i < logits.rows; ++i) {
      const int y = checked_label("ce", labels, i, logits.cols);
      const float* f = logits.row(i);
      const double largest = *std::max_element(f, f + logits.cols);
      const auto weight = [&](index j) { return std::exp(temperature_ * (f[j] - largest)); };
      double others = 0;
      for (index j = 0; j < logits.cols; ++j)
        if (j != y) others += weight(j);
      const double own = weight(y);
      const double sum = others + own;
      // With y on top, own is 1 and log1p keeps the digits of a small loss.
      const double margin = temperature_ * (largest - f[y]);
      loss[i] = own >= 1 ? std::log1p(others) : std::log(sum) + margin;
      if (cotangent.data == nullptr) continue;
      for (index j = 0; j < logits.cols; ++j)
        if (j != y) cotangent(i, j) = static_cast<float>(temperature_ * weight(j) / sum);
      // p_y - 1 as a sum of the other probabilities: p_y - 1 itself cancels to 0 for a confident model, and an attack
      // would see a zero gradient where there is none.
      cotangent(i, y) = static_cast<float>(-temperature_ * others / sum);
    }
  }

 private:
  double temperature_;
};

/// max_{j != y} f_j - f_y.
class MarginLoss : public Loss {
 public:
  explicit MarginLoss(double) {}
  std::string name() const override { return "margin"; }
  void compute(ConstView2D<float> logits, const int* labels, ConstView2D<float>, double* loss,
               View2D<float> cotangent) const override {
    NTKROB_CHECK(logits.cols >= 2, ShapeError, "loss margin needs 2 or more classes, the model has ", logits.cols);
    for (index i = 0; i < logits.rows; ++i) {
      const int y = checked_label("margin", labels, i, logits.cols);
      const index rival = strongest_rival(logits.row(i), logits.cols, y);
      loss[i] = static_cast<double>(logits(i, rival)) - static_cast<double>(logits(i, y));
      if (cotangent.data == nullptr) continue;
      std::fill(cotangent.row(i), cotangent.row(i) + cotangent.cols, 0.0f);
      cotangent(i, rival) = 1;
      cotangent(i, y) = -1;
    }
  }
};

}  // namespace

void Loss::evaluate(ConstView2D<float> logits, const int* labels, ConstView2D<float> targets, double* loss,
                    View2D<float> cotangent) const {
  check_finite_logits(logits, 0);
  evaluate_checked(logits, labels, targets, loss, cotangent);
}

void Loss::evaluate_checked(ConstView2D<float> logits, const int* labels, ConstView2D<float> targets, double* loss,
                            View2D<float> cotangent) const {
  NTKROB_CHECK(cotangent.data == nullptr || (cotangent.rows == logits.rows && cotangent.cols == logits.cols),
               ShapeError, "loss ", name(), ": cotangent is ", cotangent.rows, " x ", cotangent.cols, ", logits are ",
               logits.rows, " x ", logits.cols);
  compute(logits, labels, targets, loss, cotangent);
}

Matrix<float> centred_one_hot(const std::vector<int>& labels, index classes) {
  NTKROB_CHECK(classes >= 1, ConfigError, "centred_one_hot: ", classes, " classes, must be 1 or more");
  Matrix<float> targets(static_cast<index>(labels.size()), classes);
  const float off = -1.0f / static_cast<float>(classes);
  for (index i = 0; i < targets.rows(); ++i) {
    const int y = labels[static_cast<std::size_t>(i)];
    NTKROB_CHECK(y >= 0 && y < classes, ConfigError, "label ", i, " is ", y, ", must be in [0, ", classes, ")");
    std::fill(targets.row(i), targets.row(i) + classes, off);
    targets(i, y) = 1.0f + off;
  }
  return targets;
}

std::unique_ptr<Loss> make_loss(const std::string& name, double temperature) {
  NTKROB_CHECK(std::isfinite(temperature) && temperature > 0, ConfigError, field("temperature"), " is ",
               given(temperature), ", must be ", limit("finite and above 0"));
#define NTKROB_LOSS(text_name, Class) \
  if (name == text_name) return std::make_unique<Class>(temperature);
#include "model/losses.def"
#undef NTKROB_LOSS
  std::string known;
  for (const std::string& one : loss_names()) known += (known.empty() ? "" : ", ") + one;
  throw ConfigError(text("unknown loss \"", name, "\"; the losses are: ", known));
}

std::vector<std::string> loss_names() {
  return {
#define NTKROB_LOSS(text_name, Class) text_name,
#include "model/losses.def"
#undef NTKROB_LOSS
  };
}

}  // namespace ntkrob
