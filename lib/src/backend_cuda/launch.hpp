/// Starts the programs on a stream. One source for each, so that a change compiles one.
#pragma once

#include "backend_cuda/device.hpp"
#include "backend_cuda/pairs.hpp"
#include "backend_cuda/products.hpp"
#include "backend_cuda/sums.hpp"

namespace ntkrob::cuda {

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

}  // namespace ntkrob::cuda
