/// Running a program (program.hpp) on a device.
#pragma once

#include <cuda_runtime.h>

#include "backend_cuda/device.hpp"
#include "backend_cuda/program.hpp"

namespace ntkrob::cuda {

/// Blocks of a program that are to share a multiprocessor's registers: Program::kResident, else 1.
template <class Program, class = void>
constexpr int kResidentBlocks = 1;
template <class Program>
constexpr int kResidentBlocks<Program, std::void_t<decltype(Program::kResident)>> = Program::kResident;

template <class Program>
__global__ void __launch_bounds__(Program::kThreads, kResidentBlocks<Program>)
    run_program(const __grid_constant__ Program program, int phases) {
  __shared__ typename Program::Shared shared;
  typename Program::Own own;
  for (int phase = 0; phase < phases; ++phase) {
    if constexpr (kVotes<Program>) {
      const bool more = program.run(phase, blockIdx.x, static_cast<int>(threadIdx.x), own, shared);
      if (__syncthreads_or(more) == 0) return;
    } else {
      program.run(phase, blockIdx.x, static_cast<int>(threadIdx.x), own, shared);
      if (phase + 1 < phases) __syncthreads();
    }
  }
}

template <class Program>
void launch_program(const Program& program, cudaStream_t stream) {
  const long long blocks = program.blocks();
  const int phases = program.phases();
  if (blocks == 0 || phases == 0) return;
  NTKROB_CHECK(blocks < (1LL << 31), ResourceError, "backend cuda: a tile of ", blocks,
               " blocks of threads, the limit is 2^31 - 1; lower --memory");
  run_program<<<static_cast<unsigned>(blocks), Program::kThreads, 0, stream>>>(program, phases);
  check(cudaGetLastError(), "launching a kernel");
}

}  // namespace ntkrob::cuda
