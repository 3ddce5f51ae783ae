#include "backend_cuda/launch.cuh"
#include "backend_cuda/launch.hpp"

namespace ntkrob::cuda {

void launch(const SampleColumns<float>& columns, Stream stream) { launch_program(columns, stream); }
void launch(const SampleColumns<double>& columns, Stream stream) { launch_program(columns, stream); }

}  // namespace ntkrob::cuda
