/// ThreatModel: the set of perturbations an adversary may use.
#pragma once

#include <string>

#include "ntkrob/base/ball.hpp"
#include "ntkrob/base/random.hpp"
#include "ntkrob/base/view.hpp"

namespace ntkrob {

/// "linf", "l2" or "l1". throws: ConfigError
Norm parse_norm(const std::string& text);
std::string to_string(Norm norm);

/// { x + delta : ||delta|| <= eps, low <= x + delta <= high }, in pixel units.
struct ThreatModel {
  Norm norm = Norm::linf;
  float eps = 0;
  float low = 0;
  float high = 1;

  /// From the words of a user.   d: pixels of an image   throws: ConfigError, as parse_norm and validate
  static ThreatModel of(const std::string& norm, double eps, index d);
  Ball ball() const { return {norm, eps, low, high}; }
  /// throws: ConfigError when eps is negative, not finite, or larger than the box (linf: high - low; l2: that times
  /// sqrt(d); l1: that times d)
  void validate(index d) const;

  /// z = the point of the ball around x and of the box that is nearest to z.   x, z: D   requires: x in the box
  ///   ensures: low <= z <= high; linf: x - eps <= z <= x + eps as float32 computes the bounds;
  ///            l2, l1: distance(x, z) <= eps; eps 0: z = x, bit for bit
  ///   cost: linf one pass; l2, l1 a few passes (the multiplier of the ball is found by a finite iteration)
  void project(const float* x, float* z, index d) const;
  /// True if project() would leave z as it is: z is in ball and box.
  bool contains(const float* x, const float* z, index d) const;
  /// A random point: uniform in the ball around x, then projected on the box. eps 0: z = x. Uses indices 0 .. d of rng.
  void random_start(const float* x, float* z, index d, const Rng& rng) const;
  /// z += step * the direction of steepest ascent for gradient g: sign(g) (linf), g / ||g|| (l2; nothing where g is 0).
  /// l1: the signs of the largest hundredth of the components, which share the step; the steepest direction, one
  /// component alone, would need a step per component (Tramer & Boneh, NeurIPS 2019, arXiv 1904.13000).
  void ascend(const float* g, float* z, index d, float step) const;
  /// Size of z - x in this norm, in float64.
  double distance(const float* x, const float* z, index d) const;
};

/// ThreatModel::of the words of one text, "norm:eps": "linf:8/255", "l2:0.5". eps as in parse_number.
///   d: pixels of an image   throws: ConfigError
ThreatModel parse_threat(const std::string& text, index d);
/// The text that parse_threat reads back to the same bits.
std::string to_string(const ThreatModel& threat);

}  // namespace ntkrob
