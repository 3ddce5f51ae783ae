#include "backend_cuda/launch.cuh"
#include "backend_cuda/launch.hpp"

namespace ntkrob::cuda {

void launch(const PairJob<float>& job, Stream stream) {
  if (job.dq.empty())
    launch_program(Pairs<false, float>{job}, stream);
  else
    launch_program(Pairs<true, float>{job}, stream);
}

}  // namespace ntkrob::cuda
