#include "ntkrob/backend/backend.hpp"

#include <algorithm>

namespace ntkrob {
namespace {

/// By general products of 1024 rows.
template <class R>
void add_transposed(Backend& backend, ConstView2D<R> a, ConstView2D<R> v, View2D<double> sum) {
  NTKROB_CHECK_SHAPE(v, a.rows, sum.cols);
  NTKROB_CHECK_SHAPE(sum, a.cols, v.cols);
  constexpr index kBlock = 1024;
  Matrix<R> part(sum.rows, sum.cols);
  for (index i = 0; i < a.rows; i += kBlock) {
    const index rows = std::min(kBlock, a.rows - i);
    backend.gemm(Transpose::yes, Transpose::no, R(1), a.middle_rows(i, rows), v.middle_rows(i, rows), R(0),
                 part.view());
    for (index k = 0; k < sum.rows; ++k)
      for (index c = 0; c < sum.cols; ++c) sum(k, c) += static_cast<double>(part(k, c));
  }
}

}  // namespace

std::size_t DeviceInfo::default_host_budget() const {
  constexpr std::size_t kMost = std::size_t{1} << 30;
  return memory_bytes == 0 ? kMost : std::min(kMost, memory_bytes / 4);
}

std::size_t DeviceInfo::default_array_budget() const {
  return array_bytes != 0 ? array_bytes / 3 * 2 : default_host_budget();
}

void Backend::add_thin_transposed(ConstView2D<float> a, ConstView2D<float> v, View2D<double> sum) {
  add_transposed(*this, a, v, sum);
}
void Backend::add_thin_transposed(ConstView2D<double> a, ConstView2D<double> v, View2D<double> sum) {
  add_transposed(*this, a, v, sum);
}

}  // namespace ntkrob
