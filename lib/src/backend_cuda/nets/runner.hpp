/// Nets in the memory of a device.
#pragma once

#include <memory>

#include "backend_cuda/device.hpp"
#include "ntkrob/backend/net.hpp"

namespace ntkrob::cuda::nets {

/// throws: as Backend::make_net
std::unique_ptr<NetRunner> make_runner(std::shared_ptr<Device> device, const NetProgram& program);

}  // namespace ntkrob::cuda::nets
