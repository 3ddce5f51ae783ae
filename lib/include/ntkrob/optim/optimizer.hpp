/// First-order optimisers on views, and learning-rate schedules.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "ntkrob/base/state_dict.hpp"
#include "ntkrob/base/view.hpp"

namespace ntkrob {

/// SGD with heavy-ball momentum and L2 weight decay (PyTorch's convention): v = momentum v + (g + weight_decay p); p -=
/// lr v.
template <class R>
class Sgd {
 public:
  struct Options {
    double momentum = 0;
    double weight_decay = 0;
  };
  explicit Sgd(Options options = {}) : options_(options) {}
  /// p, g: same shape, the same on every call.
  void step(View2D<R> p, ConstView2D<R> g, double lr);
  /// Of the last step; empty before the first.
  const Matrix<R>& velocity() const { return velocity_; }
  void set_velocity(Matrix<R> velocity) { velocity_ = std::move(velocity); }
  /// The velocity under `prefix`, for checkpoints.
  void save(StateDict& state, const std::string& prefix) const;
  /// throws: IoError naming the entry that is missing or is not rows x cols
  void restore(const StateDict& state, const std::string& prefix, index rows, index cols);

 private:
  Options options_;
  Matrix<R> velocity_;
};

/// Adam (Kingma & Ba 2015), bias-corrected: p -= lr m^ / (sqrt(v^) + epsilon). Arithmetic in double, moments stored as
/// R.
template <class R>
class Adam {
 public:
  struct Options {
    double beta1 = 0.9;
    double beta2 = 0.999;
    double epsilon = 1e-8;
  };
  explicit Adam(Options options = {}) : options_(options) {}
  /// p, g: same shape, the same on every call.
  void step(View2D<R> p, ConstView2D<R> g, double lr);
  /// step() in parts: begin_step(), then step_rows() once for every row of the rows x cols parameters, in any order or
  /// on several workers at once. The result has the bits of step().
  void begin_step(index rows, index cols, double lr);
  /// p, g: rows [first, first + p.rows) of parameters and gradient
  void step_rows(index first, View2D<R> p, ConstView2D<R> g);
  /// Moments and step count under `prefix`, for checkpoints.
  void save(StateDict& state, const std::string& prefix) const;
  /// throws: IoError naming the entry that is missing or is not rows x cols
  void restore(const StateDict& state, const std::string& prefix, index rows, index cols);

 private:
  Options options_;
  Matrix<R> m_, v_;
  std::int64_t t_ = 0;
  double step_size_ = 0, root_correction_ = 1;  // of step t_
};

/// Learning-rate factor in [0,1] as a pure function of progress. Grammar:
///   constant | cosine | one-cycle(warmup=0.05) | step(every=0.3333,factor=0.1)
/// cosine: 0.5 (1 + cos(pi t/T)). one-cycle: (t+1)/W over the first W = round(warmup T) steps, then
/// 0.5 (1 + cos(pi (t-W)/(T-W))). step: factor^floor(t / (every T)).
class Schedule {
 public:
  /// throws: ConfigError listing the schedules
  static Schedule parse(const std::string& text);
  /// Factor for step t of T, t in [0, T). throws: ConfigError where t is outside
  double factor(index t, index T) const;
  const std::string& text() const { return text_; }

 private:
  enum class Kind { constant, cosine, one_cycle, step };
  Kind kind_ = Kind::constant;
  double a_ = 0, b_ = 0;
  std::string text_ = "constant";
};

/// Names and parameters of the schedules for --help.
std::vector<std::string> schedule_help();

}  // namespace ntkrob
