/// Starts the programs on a stream. One source for each, so that a change compiles one.
#pragma once

#include "backend_cuda/ball.hpp"
#include "backend_cuda/columns.hpp"
#include "backend_cuda/device.hpp"
#include "backend_cuda/elements.hpp"
#include "backend_cuda/pairs.hpp"
#include "backend_cuda/products.hpp"
#include "backend_cuda/rounding.hpp"
#include "backend_cuda/same_pairs.hpp"
#include "backend_cuda/sums.hpp"
#include "backend_cuda/thin_transposed.hpp"

namespace ntkrob::cuda {

void launch(const BallStep& step, Stream stream);
void launch(const BallStart& start, Stream stream);
void launch(const RowCopy& copy, Stream stream);
/// Kernel values, and derivatives where job.dq is there.
void launch(const PairJob<float>& job, Stream stream);
void launch(const PairJob<double>& job, Stream stream);
void launch(const Product<float>& product, Stream stream);
void launch(const Product<double>& product, Stream stream);
void launch(const Transposition<float>& transposition, Stream stream);
void launch(const Transposition<double>& transposition, Stream stream);
void launch(const ThinProduct<float>& product, Stream stream);
void launch(const ThinProduct<double>& product, Stream stream);
void launch(const Weights<float>& weights, Stream stream);
void launch(const Weights<double>& weights, Stream stream);
void launch(const ThinTransposed<float>& product, Stream stream);
void launch(const ThinTransposed<double>& product, Stream stream);
void launch(const PartsSum<float>& sum, Stream stream);
void launch(const PartsSum<double>& sum, Stream stream);
void launch(const Rounding& rounding, Stream stream);
void launch(const Filling<float>& filling, Stream stream);
void launch(const Filling<double>& filling, Stream stream);
void launch(const ScaledRows<float>& rows, Stream stream);
void launch(const ScaledRows<double>& rows, Stream stream);
void launch(const RowSquares<float>& rows, Stream stream);
void launch(const RowSquares<double>& rows, Stream stream);
void launch(const NotFinite<float>& rows, Stream stream);
void launch(const NotFinite<double>& rows, Stream stream);
void launch(const Conversion<float, double>& conversion, Stream stream);
void launch(const Conversion<double, float>& conversion, Stream stream);
void launch(const Placing<float, float>& placing, Stream stream);
void launch(const Placing<float, double>& placing, Stream stream);
void launch(const Placing<double, double>& placing, Stream stream);
void launch(const Addition& addition, Stream stream);
void launch(const LeftClearing& clearing, Stream stream);
void launch(const DiagonalOut& diagonal, Stream stream);
void launch(const DiagonalIn& diagonal, Stream stream);
void launch(const UpperMirror& mirror, Stream stream);
void launch(const SampleColumns<float>& columns, Stream stream);
void launch(const SampleColumns<double>& columns, Stream stream);
void launch(const SamePairs<float>& pairs, Stream stream);
void launch(const SamePairs<double>& pairs, Stream stream);
void launch(const FirstSet& search, Stream stream);
void launch(const BadPivots<float>& pivots, Stream stream);
void launch(const BadPivots<double>& pivots, Stream stream);

}  // namespace ntkrob::cuda
