/// ThreatModel: the set of perturbations an adversary may use.
#pragma once

#include <string>

#include "ntkrob/base/random.hpp"
#include "ntkrob/base/view.hpp"

namespace ntkrob {

enum class Norm { linf, l2 };

/// "linf" or "l2". throws: ConfigError
Norm parse_norm(const std::string& text);
std::string to_string(Norm norm);

/// { x + delta : ||delta|| <= eps, low <= x + delta <= high }, in pixel units.
struct ThreatModel {
  Norm norm = Norm::linf;
  float eps = 0;
  float low = 0;
  float high = 1;

  /// throws: ConfigError when eps is negative, not finite, or larger than the box (linf: high - low; l2: that times sqrt(d))
  void validate(index d) const;

  /// z = the nearest point of the ball around x and the box (exactly: linf clips bitwise to x -+ eps and box; for l2 the
  /// result is scaled until its float32 norm is <= eps). x, z: D
  void project(const float* x, float* z, index d) const;
  /// A random point of the ball around x, inside the box: uniform in the linf ball; uniform in the l2 ball.
  void random_start(const float* x, float* z, index d, const Rng& rng) const;
  /// z += step * the direction of steepest ascent for gradient g: sign(g) (linf), g / ||g|| (l2; nothing where g is 0).
  void ascend(const float* g, float* z, index d, float step) const;
  /// Size of z - x in this norm.
  double distance(const float* x, const float* z, index d) const;
};

}  // namespace ntkrob
