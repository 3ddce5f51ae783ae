/// Losses on logits: value and derivative, per sample, nothing else.
///
/// Sign convention: a loss is small when the prediction is right. Training minimises it, an attack maximises it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ntkrob/base/view.hpp"

namespace ntkrob {

/// What a sample should be mapped to: a class label, and a row of targets (for mse and for soft labels).
struct Targets {
  std::vector<int> labels;  // N, in [0, C)
  Matrix<float> values;     // N x C: one-hot minus 1/C, or learned / soft labels
};

/// Row i = one_hot(labels[i]) - 1/classes. throws: ConfigError naming the index and value of a label out of range.
Matrix<float> centred_one_hot(const std::vector<int>& labels, index classes);

/// One loss of losses.def. Stateless; thread-safe.
class Loss {
 public:
  virtual ~Loss() = default;
  virtual std::string name() const = 0;
  /// Per-sample loss and, where `cotangent` is not empty, its derivative with respect to the logits (not divided by n).
  ///   logits: n x C   labels: n, starting at this block's first row (unused by mse, may be null)
  ///   targets: n x C (used by mse; may be empty for the others)
  ///   loss: n (overwritten)   cotangent: n x C (overwritten) or empty
  ///   throws: NonFinite naming the row of a logit that is NaN or infinite; ConfigError (label out of range);
  ///   ShapeError
  void evaluate(ConstView2D<float> logits, const int* labels, ConstView2D<float> targets, double* loss,
                View2D<float> cotangent) const;
  /// The same for logits that the caller has looked through: attacks name the sample, which a loss does not know.
  ///   requires: logits are finite
  void evaluate_checked(ConstView2D<float> logits, const int* labels, ConstView2D<float> targets, double* loss,
                        View2D<float> cotangent) const;

 private:
  /// As evaluate, of finite logits and a cotangent that is empty or of their shape.
  virtual void compute(ConstView2D<float> logits, const int* labels, ConstView2D<float> targets, double* loss,
                       View2D<float> cotangent) const = 0;
};

/// Names: "mse" (1/2 ||f - y||^2), "ce" (cross-entropy of softmax(f)), "margin" (max_{j != y} f_j - f_y).
/// temperature multiplies the logits before ce. throws: ConfigError listing the names.
std::unique_ptr<Loss> make_loss(const std::string& name, double temperature = 1.0);

/// Names of losses.def, in order.
std::vector<std::string> loss_names();

}  // namespace ntkrob
