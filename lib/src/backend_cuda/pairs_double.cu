#include "backend_cuda/launch.cuh"
#include "backend_cuda/launch.hpp"

namespace ntkrob::cuda {

void launch(const PairJob<double>& job, Stream stream) {
  if (job.dq.empty())
    launch_program(Pairs<false, double>{job}, stream);
  else
    launch_program(Pairs<true, double>{job}, stream);
}

}  // namespace ntkrob::cuda
