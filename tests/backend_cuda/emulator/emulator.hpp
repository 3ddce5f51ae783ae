/// A device made of host memory and queues, behind the functions of cudart, cuBLAS and cuSOLVER that backend_cuda
/// calls. It is stricter than a device wherever CUDA promises nothing:
///
/// - What is put on a stream runs when somebody waits for it and not before. Host memory that a copy will fill is not a
///   number until then.
/// - Device memory is not a number when it is allocated. Host code that touches it, code of another device, and a
///   program that runs past its end are stopped with the number of the allocation.
/// - Allocations, streams, events and handles that are left at the end of the process are named, and abort it.
///
/// Environment:
///   NTKROB_EMULATOR_DEVICES=n            devices, 1
///   NTKROB_EMULATOR_MEMORY=bytes         of each device, 2 GiB
///   NTKROB_EMULATOR_ORDER=backward       blocks and threads run from the last to the first
///   NTKROB_EMULATOR_SCHEDULE=late        the default, as above
///                            latest      and copies from pageable memory read it when they run, not when they are
///                            asked
///                                        for
///                            early       everything runs at once
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

namespace ntkrob::emulator {

enum class Schedule { late, latest, early };

/// What the environment says.
struct Settings {
  int devices = 1;
  std::size_t memory = std::size_t{2} << 30;
  bool backward = false;
  Schedule schedule = Schedule::late;
};
const Settings& settings();

/// Held by every function of the emulated libraries. Recursive: what runs on the device may call them.
std::recursive_mutex& big_lock();

/// Prints one line and aborts.
[[noreturn]] void stop(const std::string& message);

/// The device of this thread.
int current_device();

/// Memory of devices, as bits: what cudaMalloc gave, and 16 bits higher what the pools gave.
using Devices = unsigned;
constexpr int kMostDevices = 16;
constexpr Devices memory_of(int device, bool pooled) { return 1U << (pooled ? kMostDevices + device : device); }
constexpr Devices only(int device) { return memory_of(device, false) | memory_of(device, true); }

/// Puts an operation on a stream of the current device. what: for messages, not copied. It may touch the memory of the
/// devices of `touches`; by default that of the stream, of its peers, and of pools open to it.
/// returns: what CUDA would say of the stream
cudaError_t enqueue(cudaStream_t stream, const char* what, std::function<void()> operation);
cudaError_t enqueue(cudaStream_t stream, const char* what, std::function<void()> operation, Devices touches);

/// Keeps the error for cudaGetLastError and hands it back.
cudaError_t remember(cudaError_t error);

/// Counts what has to be given back: kind is "stream", "cuBLAS handle", ...
void born(const char* kind);
void gone(const char* kind);

}  // namespace ntkrob::emulator
