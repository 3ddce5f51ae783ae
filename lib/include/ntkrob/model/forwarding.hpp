/// ForwardingModel: the base of everything that stands before a model and is, for attacks and metrics, that model.
///
/// A wrapper that forgets one function of Model loses what the model can do there without a word: the default of
/// Model::iterates is null, and attacks keep their points in host memory. So the forwarding is written once, and a test
/// (tests/architecture/check_forwarding.py) asks that no function is left out.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "ntkrob/model/iterates.hpp"
#include "ntkrob/model/model.hpp"

namespace ntkrob {

/// Forwards every function to a model that it does not own.
///
/// A wrapper overrides what it changes. Points that the inner model keeps pass the wrapper's logits by: one that
/// changes the outcome of a pass, and does not only look on, must return null from iterates(). NTKROB_CHECK_MODEL finds
/// one that does not.
class ForwardingModel : public Model {
 public:
  /// inner: must outlive the object
  explicit ForwardingModel(const Model& inner) : inner_(inner) {}

  ImageShape input_shape() const override;
  index classes() const override;
  void logits(ConstView2D<float> x, View2D<float> out) const override;
  void input_grad(ConstView2D<float> x, ConstView2D<float> cotangent, View2D<float> dx) const override;
  void logits_and_grad(ConstView2D<float> x, const CotangentFn& cotangent, View2D<float> out,
                       View2D<float> dx) const override;
  std::unique_ptr<Iterates> iterates(ConstView2D<float> x) const override;
  void for_each(index n, const std::function<void(index task)>& task) const override;

  /// Called before every pass of the inner model, those at points that it keeps included. May throw, then there is no
  /// pass.   default: nothing
  virtual void before_pass() const {}

 protected:
  const Model& inner() const { return inner_; }

 private:
  const Model& inner_;
};

/// Calls a function before every pass: to look for a request to stop, or to count.
class WatchedModel final : public ForwardingModel {
 public:
  /// before_pass: may throw; never empty
  WatchedModel(const Model& inner, std::function<void()> before_pass)
      : ForwardingModel(inner), before_pass_(std::move(before_pass)) {}
  void before_pass() const override { before_pass_(); }

 private:
  std::function<void()> before_pass_;
};

}  // namespace ntkrob
