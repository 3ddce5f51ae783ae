/// Points: the iterates of an attack in the arrays of a backend that offers Steps.
#pragma once

#include <vector>

#include "ntkrob/backend/backend.hpp"

namespace ntkrob {

/// N points around N centres, their gradients, and the points kept of them. What models offer as Iterates
/// (ntkrob/model/iterates.hpp, where the verbs are explained) is this and two passes of their own. The backend must
/// outlive it.
class Points {
 public:
  /// x: N x D, copied. All points are at their centres.   requires: backend.steps()   throws: ResourceError
  Points(Backend& backend, ConstView2D<float> x);

  ConstView2D<float> view() const { return z_.view(); }
  /// For a pass of the model to fill.
  View2D<float> gradient();

  void start_at_centres();
  void start_at_random(const Ball& ball, const std::vector<RandomStream>& streams);
  void ascend(const Ball& ball, float step);
  std::vector<index> zero_gradients() const;
  void keep(const std::vector<index>& rows);
  void read(View2D<float> z) const;
  void read_kept(View2D<float> z) const;

 private:
  Backend& backend_;
  Array<float> x_, z_;
  Array<float> gradient_, kept_;  // when they are asked for
  Array<double> zeros_;           // N x 1
};

}  // namespace ntkrob
