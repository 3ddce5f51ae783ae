/// Runs a program for blocks of threads (backend_cuda/program.hpp) on the host: phase by phase, one thread after
/// another.
#pragma once

#include <memory>
#include <vector>

#include "backend_cuda/program.hpp"

namespace ntkrob::kit {

enum class Order { forward, backward };

/// Shared and Own start with the bytes of the block before, as on a device: with anything.
template <class Program>
void run_on_host(const Program& program, Order order = Order::forward) {
  const auto shared = std::make_unique<typename Program::Shared>();
  std::vector<typename Program::Own> own(Program::kThreads);
  for (long long block = 0; block < program.blocks(); ++block)
    for (int phase = 0; phase < program.phases(); ++phase)
      for (int t = 0; t < Program::kThreads; ++t) {
        const int thread = order == Order::forward ? t : Program::kThreads - 1 - t;
        program.run(phase, block, thread, own[static_cast<std::size_t>(thread)], *shared);
      }
}

template <class T>
cuda::DeviceView<T> on_device(View2D<T> view) {
  return {view.data, view.rows, view.cols, view.stride};
}

}  // namespace ntkrob::kit
