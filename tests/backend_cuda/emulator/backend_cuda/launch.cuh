/// Running a program (program.hpp) on an emulated device: found instead of the one beside the sources of backend_cuda.
#pragma once

#include <memory>
#include <type_traits>

#include "backend_cuda/device.hpp"
#include "backend_cuda/host_block.hpp"
#include "backend_cuda/program.hpp"
#include "emulator.hpp"

namespace ntkrob::cuda {

template <class Program>
void launch_program(const Program& program, cudaStream_t stream) {
  static_assert(std::is_trivially_copyable<Program>::value, "arguments of a kernel are copied byte by byte");
  static_assert(sizeof(Program) + sizeof(int) <= 4096, "arguments of a kernel have at most 4 KiB");
  static_assert(sizeof(typename Program::Shared) <= 48 * 1024, "a block has at most 48 KiB of memory of its own");
  static_assert(Program::kThreads <= 1024 && Program::kThreads % 32 == 0, "a block has whole warps, at most 32");
  const long long blocks = program.blocks();
  const int phases = program.phases();
  if (blocks == 0 || phases == 0) return;
  NTKROB_CHECK(blocks < (1LL << 31), ResourceError, "backend cuda: a tile of ", blocks,
               " blocks of threads, the limit is 2^31 - 1; lower --memory");
  const auto copy = std::make_shared<const Program>(program);
  const kit::Order order = emulator::settings().backward ? kit::Order::backward : kit::Order::forward;
  check(emulator::enqueue(stream, __PRETTY_FUNCTION__, [copy, order] { kit::run_on_host(*copy, order); }),
        "launching a kernel");
}

}  // namespace ntkrob::cuda
