/// The backend for NVIDIA GPUs. Host matrices in, host matrices out; laid-out operands and sample tables stay on the
/// device.
#pragma once

#include <memory>

#include "ntkrob/backend/backend.hpp"

namespace ntkrob::cuda {

/// workers: tasks at a time, each on a stream of its own; 0: up to 4.
/// throws: ConfigError (no such device), BackendUnavailable, ResourceError
std::unique_ptr<Backend> make_cuda_backend(index device, int workers);

}  // namespace ntkrob::cuda
