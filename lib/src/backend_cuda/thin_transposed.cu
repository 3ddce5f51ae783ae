#include "backend_cuda/launch.cuh"
#include "backend_cuda/launch.hpp"

namespace ntkrob::cuda {

void launch(const ThinTransposed<float>& product, Stream stream) { launch_program(product, stream); }
void launch(const ThinTransposed<double>& product, Stream stream) { launch_program(product, stream); }
void launch(const PartsSum<float>& sum, Stream stream) { launch_program(sum, stream); }
void launch(const PartsSum<double>& sum, Stream stream) { launch_program(sum, stream); }

}  // namespace ntkrob::cuda
