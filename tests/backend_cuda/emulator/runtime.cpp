// cudart: devices, streams, events.
#include <cuda_runtime_api.h>

#include <cstdio>
#include <cstring>
#include <utility>

#include "memory.hpp"
#include "ntkrob/base/error.hpp"
#include "streams.hpp"

using namespace ntkrob::emulator;

namespace {

thread_local int device_of_thread = 0;
thread_local cudaError_t last_error = cudaSuccess;

using Lock = std::lock_guard<std::recursive_mutex>;

constexpr int kMajor = 9, kMinor = 0, kMultiprocessors = 4, kCache = 1 << 22;
constexpr std::size_t kSharedBytes = 48 * 1024, kSharedBytesOptIn = 227 * 1024;

bool no_device(int device) { return device < 0 || device >= settings().devices; }

}  // namespace

namespace ntkrob::emulator {
int current_device() { return device_of_thread; }
cudaError_t remember(cudaError_t error) {
  if (error != cudaSuccess) last_error = error;
  return error;
}
}  // namespace ntkrob::emulator

// Devices.

cudaError_t cudaGetDeviceCount(int* count) {
  *count = settings().devices;
  return *count > 0 ? cudaSuccess : remember(cudaErrorNoDevice);
}
cudaError_t cudaSetDevice(int device) {
  if (no_device(device)) return remember(cudaErrorInvalidDevice);
  device_of_thread = device;
  return cudaSuccess;
}
cudaError_t cudaGetDevice(int* device) {
  *device = device_of_thread;
  return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int* version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = CUDART_VERSION;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  if (no_device(device)) return remember(cudaErrorInvalidDevice);
  *properties = cudaDeviceProp{};
  std::snprintf(properties->name, sizeof(properties->name), "Emulated device");
  properties->totalGlobalMem = settings().memory;
  properties->major = kMajor;
  properties->minor = kMinor;
  properties->multiProcessorCount = kMultiprocessors;
  properties->memoryPoolsSupported = 1;
  properties->warpSize = 32;
  properties->maxThreadsPerBlock = 1024;
  properties->maxThreadsPerMultiProcessor = 2048;
  properties->sharedMemPerBlock = kSharedBytes;
  properties->sharedMemPerBlockOptin = kSharedBytesOptIn;
  properties->regsPerBlock = 65536;
  properties->l2CacheSize = kCache;
  properties->asyncEngineCount = 2;
  properties->concurrentKernels = 1;
  properties->unifiedAddressing = 1;
  return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  if (no_device(device)) return remember(cudaErrorInvalidDevice);
  switch (attribute) {
    case cudaDevAttrComputeCapabilityMajor:
      *value = kMajor;
      break;
    case cudaDevAttrComputeCapabilityMinor:
      *value = kMinor;
      break;
    case cudaDevAttrMultiProcessorCount:
      *value = kMultiprocessors;
      break;
    case cudaDevAttrMemoryPoolsSupported:
      *value = 1;
      break;
    case cudaDevAttrUnifiedAddressing:
      *value = 1;
      break;
    case cudaDevAttrWarpSize:
      *value = 32;
      break;
    case cudaDevAttrMaxThreadsPerBlock:
      *value = 1024;
      break;
    case cudaDevAttrMaxThreadsPerMultiProcessor:
      *value = 2048;
      break;
    case cudaDevAttrMaxSharedMemoryPerBlock:
      *value = kSharedBytes;
      break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      *value = kSharedBytesOptIn;
      break;
    case cudaDevAttrL2CacheSize:
      *value = kCache;
      break;
    case cudaDevAttrAsyncEngineCount:
      *value = 2;
      break;
    case cudaDevAttrConcurrentKernels:
      *value = 1;
      break;
    default:
      stop(ntkrob::text("attribute ", static_cast<int>(attribute), " of a device is not emulated"));
  }
  return cudaSuccess;
}
cudaError_t cudaDeviceSynchronize() {
  const Lock lock(big_lock());
  run_device(device_of_thread);
  return cudaSuccess;
}
cudaError_t cudaDeviceCanAccessPeer(int* yes, int device, int other) {
  if (no_device(device) || no_device(other)) return remember(cudaErrorInvalidDevice);
  *yes = device != other ? 1 : 0;
  return cudaSuccess;
}
cudaError_t cudaDeviceEnablePeerAccess(int other, unsigned) {
  const Lock lock(big_lock());
  if (no_device(other) || other == device_of_thread) return remember(cudaErrorInvalidDevice);
  return make_peers(device_of_thread, other, true) ? remember(cudaErrorPeerAccessAlreadyEnabled) : cudaSuccess;
}
cudaError_t cudaDeviceDisablePeerAccess(int other) {
  const Lock lock(big_lock());
  if (no_device(other)) return remember(cudaErrorInvalidDevice);
  return make_peers(device_of_thread, other, false) ? cudaSuccess : remember(cudaErrorPeerAccessNotEnabled);
}

// Errors.

cudaError_t cudaGetLastError() { return std::exchange(last_error, cudaSuccess); }
cudaError_t cudaPeekAtLastError() { return last_error; }
const char* cudaGetErrorName(cudaError_t error) {
  return error == cudaSuccess ? "cudaSuccess" : "an error of the emulated device";
}
const char* cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return "no error";
    case cudaErrorInvalidValue:
      return "invalid argument";
    case cudaErrorMemoryAllocation:
      return "out of memory";
    case cudaErrorInvalidDevice:
      return "invalid device ordinal";
    case cudaErrorNoDevice:
      return "no CUDA-capable device is detected";
    case cudaErrorInvalidPitchValue:
      return "invalid pitch argument";
    case cudaErrorInvalidMemcpyDirection:
      return "invalid copy direction for memcpy";
    case cudaErrorInvalidResourceHandle:
      return "invalid resource handle";
    case cudaErrorNotReady:
      return "device not ready";
    case cudaErrorPeerAccessAlreadyEnabled:
      return "peer access is already enabled";
    case cudaErrorPeerAccessNotEnabled:
      return "peer access has not been enabled";
    default:
      return "an error of the emulated device";
  }
}

// Streams.

cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned flags, int) {
  const Lock lock(big_lock());
  born("streams");
  *stream = new CUstream_st{make_line(device_of_thread, flags != cudaStreamNonBlocking)};
  return cudaSuccess;
}
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  return cudaStreamCreateWithPriority(stream, flags, 0);
}
cudaError_t cudaStreamCreate(cudaStream_t* stream) { return cudaStreamCreateWithPriority(stream, 0, 0); }
cudaError_t cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
  *least = 0;
  *greatest = -5;
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const Lock lock(big_lock());
  drop_line(line_of(stream));
  gone("streams");
  delete stream;
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  const Lock lock(big_lock());
  const Line line = line_of(stream);
  run_all(line);
  settle_pool(line->device);
  return cudaSuccess;
}
/// The first answer is no, so that loops that ask end.
cudaError_t cudaStreamQuery(cudaStream_t stream) {
  const Lock lock(big_lock());
  const Line line = line_of(stream);
  if (line->done == line->issued) return cudaSuccess;
  if (!line->asked) {
    line->asked = true;
    return cudaErrorNotReady;
  }
  run_all(line);
  return cudaSuccess;
}
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  const Lock lock(big_lock());
  if (event->recorded->line != nullptr) depend(line_of(stream), event->recorded->line, event->recorded->at);
  return cudaSuccess;
}
cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void* data) {
  return enqueue(
      stream, "a host function", [function, data] { function(data); }, 0);
}

// Events.

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  const Lock lock(big_lock());
  born("events");
  *event = new CUevent_st;
  (*event)->device = device_of_thread;
  (*event)->timing = (flags & cudaEventDisableTiming) == 0;
  return cudaSuccess;
}
cudaError_t cudaEventCreate(cudaEvent_t* event) { return cudaEventCreateWithFlags(event, 0); }
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  const Lock lock(big_lock());
  gone("events");
  delete event;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  const Lock lock(big_lock());
  const Line line = line_of(stream);
  if (event->device != line->device) return remember(cudaErrorInvalidResourceHandle);
  const auto recorded = std::make_shared<Recorded>();
  event->recorded = recorded;
  recorded->line = line;
  recorded->at = line->issued + 1;
  put(line, {"an event", [recorded] { recorded->time = std::chrono::steady_clock::now(); }, kUnchanged});
  return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  const Lock lock(big_lock());
  if (event->recorded->line == nullptr) return cudaSuccess;
  run_until(event->recorded->line, event->recorded->at);
  settle_pool(event->device);
  return cudaSuccess;
}
/// As cudaStreamQuery.
cudaError_t cudaEventQuery(cudaEvent_t event) {
  const Lock lock(big_lock());
  const Line& line = event->recorded->line;
  if (line == nullptr || line->done >= event->recorded->at) return cudaSuccess;
  if (!line->asked) {
    line->asked = true;
    return cudaErrorNotReady;
  }
  run_until(line, event->recorded->at);
  return cudaSuccess;
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t begin, cudaEvent_t end) {
  const Lock lock(big_lock());
  if (!begin->timing || !end->timing || begin->recorded->line == nullptr || end->recorded->line == nullptr)
    return remember(cudaErrorInvalidResourceHandle);
  for (const cudaEvent_t event : {begin, end})
    if (event->recorded->line->done < event->recorded->at) return cudaErrorNotReady;
  *milliseconds = std::chrono::duration<float, std::milli>(end->recorded->time - begin->recorded->time).count();
  return cudaSuccess;
}
