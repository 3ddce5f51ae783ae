/// Runs a program for blocks of threads (backend_cuda/program.hpp) on the host: phase by phase, one thread after
/// another.
#pragma once

#include <algorithm>
#include <memory>
#include <type_traits>
#include <vector>

#include "backend_cuda/program.hpp"

namespace ntkrob::kit {

/// Of blocks, and of the threads of a block in each phase.
enum class Order { forward, backward };

/// Floats, doubles of this byte are no numbers.
constexpr unsigned char kNoNumber = 0xff;

/// Shared and Own begin with anything, as on a device: here with kNoNumber.
template <class Program>
void run_on_host(const Program& program, Order order = Order::forward) {
  using Shared = typename Program::Shared;
  using Own = typename Program::Own;
  static_assert(std::is_trivially_copyable<Shared>::value && std::is_trivially_copyable<Own>::value,
                "memory of blocks and threads is not constructed");
  constexpr int kThreads = Program::kThreads;
  const auto shared = std::make_unique<Shared>();
  std::vector<Own> own(kThreads);
  const long long blocks = program.blocks();
  const int phases = program.phases();
  const bool forward = order == Order::forward;
  for (long long b = 0; b < blocks; ++b) {
    const long long block = forward ? b : blocks - 1 - b;
    std::fill_n(reinterpret_cast<unsigned char*>(shared.get()), sizeof(Shared), kNoNumber);
    std::fill_n(reinterpret_cast<unsigned char*>(own.data()), sizeof(Own) * kThreads, kNoNumber);
    for (int phase = 0, more = 1; phase < phases && more != 0; ++phase) {
      if (cuda::kVotes<Program>) more = 0;
      for (int t = 0; t < kThreads; ++t) {
        const int thread = forward ? t : kThreads - 1 - t;
        Own& mine = own[static_cast<std::size_t>(thread)];
        if constexpr (cuda::kVotes<Program>)
          more += program.run(phase, block, thread, mine, *shared);
        else
          program.run(phase, block, thread, mine, *shared);
      }
    }
  }
}

template <class T>
cuda::DeviceView<T> on_device(View2D<T> view) {
  return {view.data, view.rows, view.cols, view.stride};
}

}  // namespace ntkrob::kit
