/// The columns of a sample table, one thread for each sample.
#pragma once

#include "backend_cuda/elements.hpp"
#include "layers/samples.hpp"
#include "ntkrob/backend/chain.hpp"

namespace ntkrob::cuda {

template <class R>
struct SampleColumns : EachElement<SampleColumns<R>> {
  DeviceView<const ChainLayer> chain;  // 1 x its layers, which refuse nothing
  DeviceView<const double> squares;    // n x 1: x.x
  index d = 1;
  DeviceView<R> coefficients;       // rows of the table x n
  DeviceView<double> inverse_norm;  // 1 x n
  DeviceView<double> self;          // 4 x n as in SamePairs, or empty
  DeviceView<double> verdict;       // n x 1: 0, or no number where layers::checked_column throws

  NTKROB_HD index rows() const { return 1; }
  NTKROB_HD index cols() const { return squares.rows; }
  NTKROB_HD void at(index, index i) const {
    using Range = layers::VarianceRange<R>;
    const double a = squares(i, 0) / static_cast<double>(d);
    double norm = 0;
    R scale = 0;
    layers::sample_column<true>(chain.data, chain.cols, a, Range::smallest, [&](int row, double number) {
      coefficients(row, i) = static_cast<R>(number);
      if (row == layers::kInverseNorm) norm = number;
      if (row == layers::kScale) scale = static_cast<R>(number);
    });
    inverse_norm(0, i) = a < Range::smallest ? 0.0 : norm;
    const R top = scale * scale;
    verdict(i, 0) = a <= Range::largest ? static_cast<double>(top - top) : a - a + HUGE_VAL;
    if (self.empty()) return;
    const SelfState s = layers::self_state<true>(chain.data, chain.cols, a);
    self(0, i) = s.a;
    self(1, i) = s.t;
    self(2, i) = s.da;
    self(3, i) = s.dt;
  }
};

}  // namespace ntkrob::cuda
