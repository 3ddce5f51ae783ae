/// Copies that keep their memory. Private to krr.
#pragma once

#include "ntkrob/base/view.hpp"

namespace ntkrob::krr {

/// Copies into a matrix that is allocated only when its shape changes.
template <class From, class To>
void keep(View2D<From> source, Matrix<To>& target) {
  if (target.rows() != source.rows || target.cols() != source.cols) target = Matrix<To>(source.rows, source.cols);
  convert(source, target.view());
}

}  // namespace ntkrob::krr
