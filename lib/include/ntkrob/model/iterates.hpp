/// Iterates: the points of an attack, kept where the model computes.
///
/// A model on a device would copy points up and gradients down in every step of an attack. With Iterates only logits
/// and their derivatives cross: points, centres, gradients and the points kept so far stay with the model. Each verb
/// does to every row what ThreatModel does, with the same arithmetic (ntkrob/base/ball.hpp).
#pragma once

#include <utility>
#include <vector>

#include "ntkrob/base/ball.hpp"
#include "ntkrob/base/view.hpp"
#include "ntkrob/model/model.hpp"

namespace ntkrob {

/// N points around N centres. Made by Model::iterates, which it must not outlive; the model stays as it is meanwhile.
/// One call at a time, of this and of the model. All verbs throw ResourceError where memory is short.
class Iterates {
 public:
  virtual ~Iterates() = default;

  /// Every point goes to its centre. So do all begin.
  virtual void start_at_centres() = 0;
  /// Every point goes to a random one of the ball, row i by streams[i]: ThreatModel::random_start; the same bits in
  /// linf and for eps 0, elsewhere as near as logarithm, cosine and power of the device.   streams: N
  virtual void start_at_random(const Ball& ball, const std::vector<RandomStream>& streams) = 0;

  /// Logits of the points.   out: N x C (overwritten)
  virtual void logits(View2D<float> out) = 0;
  /// Logits, and the gradient of <cotangent, logits>, which ascend() follows: Model::logits_and_grad.
  ///   out: N x C (overwritten)
  virtual void gradient(const CotangentFn& cotangent, View2D<float> out) = 0;
  /// One step of ThreatModel::ascend along the last gradient, then ThreatModel::project. A row whose gradient is not
  /// finite does not ascend.
  virtual void ascend(const Ball& ball, float step) = 0;
  /// How often each row has met a gradient of zeros in ascend(); -1 for a row that has met one that is not finite.
  virtual std::vector<index> zero_gradients() const = 0;

  /// Keeps these points, each instead of what was kept of its row.   rows: in [0, N), each once
  virtual void keep(const std::vector<index>& rows) = 0;
  /// z = the points; the points kept.   z: N x D (overwritten); rows of which nothing was kept hold anything
  virtual void read(View2D<float> z) const = 0;
  virtual void read_kept(View2D<float> z) const = 0;
};

/// The Iterates of a model whose passes take views of its backend's arrays.   Points: those of the backend
/// (ntkrob/backend/points.hpp), which models know and attacks do not
template <class Points>
class IteratesIn final : public Iterates {
 public:
  IteratesIn(const Model& model, Points points) : model_(model), points_(std::move(points)) {}

  void start_at_centres() override { points_.start_at_centres(); }
  void start_at_random(const Ball& ball, const std::vector<RandomStream>& streams) override {
    points_.start_at_random(ball, streams);
  }
  void logits(View2D<float> out) override { model_.logits(points_.view(), out); }
  void gradient(const CotangentFn& cotangent, View2D<float> out) override {
    model_.logits_and_grad(points_.view(), cotangent, out, points_.gradient());
  }
  void ascend(const Ball& ball, float step) override { points_.ascend(ball, step); }
  std::vector<index> zero_gradients() const override { return points_.zero_gradients(); }
  void keep(const std::vector<index>& rows) override { points_.keep(rows); }
  void read(View2D<float> z) const override { points_.read(z); }
  void read_kept(View2D<float> z) const override { points_.read_kept(z); }

 private:
  const Model& model_;
  Points points_;
};

}  // namespace ntkrob
