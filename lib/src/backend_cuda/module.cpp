/// What runtime sees of this module.
#include "ntkrob/backend/module.hpp"

#include <cuda_runtime_api.h>

#include "backend_cuda/availability.hpp"
#include "backend_cuda/cuda_backend.hpp"
#include "ntkrob/version.hpp"

namespace ntkrob::cuda {
namespace {

std::string probe() {
  DriverState state;
  cudaDriverGetVersion(&state.driver_version);
  cudaRuntimeGetVersion(&state.runtime_version);
  if (state.driver_version > 0) {
    const cudaError_t status = cudaGetDeviceCount(&state.devices);
    if (status != cudaSuccess) {
      state.devices = 0;
      state.error = cudaGetErrorString(status);
      cudaGetLastError();
    }
  }
  return why_unavailable(state);
}

constexpr BackendModule kModule{kVersion, &probe, &make_cuda_backend};

}  // namespace
}  // namespace ntkrob::cuda

extern "C" __attribute__((visibility("default"))) const ntkrob::BackendModule* ntkrob_backend_module() {
  return &ntkrob::cuda::kModule;
}
