/// Model: everything that attacks and metrics need to know about a classifier.
///
/// A kernel machine, a net on a backend and a net on a micro-controller are all Models. An implementer writes two
/// functions; the third has a default and exists because attacks always want both at once, and most models can share
/// the forward pass.
#pragma once

#include <functional>
#include <memory>

#include "ntkrob/base/view.hpp"

namespace ntkrob {

class Iterates;

/// Turns a block of logits into the derivative of a loss with respect to them.
///   first_row: index of the block's first row in the whole batch (to find its labels)
///   logits, cotangent: n x C; cotangent is overwritten
/// May be called from several workers at once, on disjoint rows.
using CotangentFn = std::function<void(index first_row, ConstView2D<float> logits, View2D<float> cotangent)>;

/// A classifier on images in the value range [0,1]. Normalisation, if any, is inside the model.
/// Logits may come out as NaN or infinite: whoever takes them on looks through them, once (Loss::evaluate, predictions
/// and margins; attacks, in every pass), and refuses them by NonFinite with the number of the sample.
/// Thread-safety: const functions may use internal scratch; one call at a time per object.
class Model {
 public:
  virtual ~Model() = default;
  virtual ImageShape input_shape() const = 0;
  virtual index classes() const = 0;

  /// Logits (or regression outputs), never probabilities.
  ///   x: N x D   out: N x C (overwritten)
  virtual void logits(ConstView2D<float> x, View2D<float> out) const = 0;

  /// dx = d <cotangent, logits(x)> / dx.   x: N x D   cotangent: N x C   dx: N x D (overwritten)
  virtual void input_grad(ConstView2D<float> x, ConstView2D<float> cotangent, View2D<float> dx) const = 0;

  /// logits(x), then the cotangent from them, then input_grad, in one pass where the model can.
  ///   x: N x D   out: N x C (overwritten)   dx: N x D (overwritten)
  ///   ensures: out has the same bits as logits(x, out)
  virtual void logits_and_grad(ConstView2D<float> x, const CotangentFn& cotangent, View2D<float> out,
                               View2D<float> dx) const;

  /// Points around these centres that stay where the model computes (ntkrob/model/iterates.hpp), or null: attacks keep
  /// them in host memory.   x: N x D, copied
  ///   default: null
  virtual std::unique_ptr<Iterates> iterates(ConstView2D<float> x) const;

  /// The workers of the model, lent for row-wise work between its passes: runs task(i) for i in [0, n), in any order.
  /// Tasks write disjoint rows, and the cut into tasks does not depend on the number of workers.
  ///   default: one after another on the calling thread
  ///   throws: what the lowest failing task threw
  virtual void for_each(index n, const std::function<void(index task)>& task) const;
};

}  // namespace ntkrob
