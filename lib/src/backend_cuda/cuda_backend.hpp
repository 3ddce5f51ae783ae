/// The backend for NVIDIA GPUs. Arrays, laid-out operands and sample tables stay on the device; views of host memory
/// are copied for the operation they take part in.
#pragma once

#include <memory>
#include <vector>

#include "ntkrob/backend/backend.hpp"

namespace ntkrob::cuda {

/// devices: numbers; none: all there are. workers: tasks at a time, each on a stream of its own; 0: up to 4 for each
/// device. throws: ConfigError (no such device), BackendUnavailable, ResourceError
std::unique_ptr<Backend> make_cuda_backend(const std::vector<int>& devices, int workers);

}  // namespace ntkrob::cuda
