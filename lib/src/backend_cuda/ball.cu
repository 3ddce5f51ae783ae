#include "backend_cuda/launch.cuh"
#include "backend_cuda/launch.hpp"

namespace ntkrob::cuda {

void launch(const BallStep& step, Stream stream) { launch_program(step, stream); }
void launch(const BallStart& start, Stream stream) { launch_program(start, stream); }
void launch(const RowCopy& copy, Stream stream) { launch_program(copy, stream); }

}  // namespace ntkrob::cuda
