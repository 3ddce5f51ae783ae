/// Steps: what attacks do to points that stay in the memory of a backend, between passes of a model.
#pragma once

#include "ntkrob/base/ball.hpp"
#include "ntkrob/base/view.hpp"

namespace ntkrob {

/// Operations on arrays; views of host memory are taken too. Every row is on its own, with the arithmetic of
/// ntkrob/base/ball.hpp: results have the bits that a processor finds, but for random starts in l2 and l1, where the
/// device's logarithm, cosine and power count. Operations on arrays alone do not wait for the device.
///   throws: ShapeError, ResourceError
class Steps {
 public:
  virtual ~Steps() = default;
  /// z = random points of the balls around the rows of x, row i by streams[i].   x, z: n x D   streams: n, host memory
  virtual void random_start(const Ball& ball, ConstView2D<float> x, const RandomStream* streams, View2D<float> z) = 0;
  /// z += step * the direction of steepest ascent for gradient g, then z = the nearest point of ball and box.
  ///   x, g, z: n x D   zeros: n x 1, one is added where a row of g is 0, and -1 is put and stays where one is not
  ///   finite; such a row does not ascend
  virtual void ascend(const Ball& ball, float step, ConstView2D<float> x, ConstView2D<float> g, View2D<float> z,
                      View2D<double> zeros) = 0;
  /// z = the nearest point of ball and box.   x, z: n x D
  virtual void project(const Ball& ball, ConstView2D<float> x, View2D<float> z) = 0;
  /// Row rows[k] of `to` = row rows[k] of `from`, for k in [0, count).   from, to: n x D, arrays   rows: host memory
  virtual void copy_rows(const index* rows, index count, ConstView2D<float> from, View2D<float> to) = 0;
};

}  // namespace ntkrob
