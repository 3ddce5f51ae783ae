/// Elementwise passes that layers share, in float32 and float64.
#pragma once

#include "ntkrob/backend/backend.hpp"

namespace ntkrob::nn {

/// h += bias in every row, then max(h, 0) with relu. A NaN stays NaN. Serial: one task's rows.   h: n x C   bias: C
template <class R>
void add_bias_rows(const R* bias, bool relu, View2D<R> h);

/// h = max(h, 0). A NaN stays NaN.
template <class R>
void apply_relu(Backend& backend, View2D<R> h);

/// delta = 0 wherever the ReLU was closed: its derivative at 0 is 0, PyTorch's convention.   hidden: after the ReLU
template <class R>
void close_relu(Backend& backend, ConstView2D<R> hidden, View2D<R> delta);

/// sums = beta sums + the column sums of delta, accumulated in float64 in the order of the rows.   sums: 1 x C
template <class R>
void column_sums(Backend& backend, ConstView2D<R> delta, R beta, View2D<R> sums);
/// sums += the column sums of delta. Serial.
template <class R>
void add_column_sums(ConstView2D<R> delta, double* sums);

}  // namespace ntkrob::nn
