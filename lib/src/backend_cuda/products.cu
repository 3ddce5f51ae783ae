#include "backend_cuda/launch.cuh"
#include "backend_cuda/launch.hpp"

namespace ntkrob::cuda {

void launch(const Product<float>& product, Stream stream) { launch_program(product, stream); }
void launch(const Product<double>& product, Stream stream) { launch_program(product, stream); }
void launch(const Transposition<float>& transposition, Stream stream) { launch_program(transposition, stream); }
void launch(const Transposition<double>& transposition, Stream stream) { launch_program(transposition, stream); }

}  // namespace ntkrob::cuda
