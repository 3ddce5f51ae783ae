#include "backend_cuda/launch.cuh"
#include "backend_cuda/launch.hpp"

namespace ntkrob::cuda {

void launch(const ThinProduct<float>& product, Stream stream) { launch_program(product, stream); }
void launch(const ThinProduct<double>& product, Stream stream) { launch_program(product, stream); }
void launch(const Weights<float>& weights, Stream stream) { launch_program(weights, stream); }
void launch(const Weights<double>& weights, Stream stream) { launch_program(weights, stream); }

}  // namespace ntkrob::cuda
