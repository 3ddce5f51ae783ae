/// Starts the programs of nets on a stream; they are compiled in programs.cu.
#pragma once

#include "backend_cuda/device.hpp"
#include "backend_cuda/nets/column_sums.hpp"
#include "backend_cuda/nets/elements.hpp"
#include "backend_cuda/nets/windows.hpp"

namespace ntkrob::cuda::nets {

template <class Program>
void launch(const Program& program, Stream stream);

}  // namespace ntkrob::cuda::nets
