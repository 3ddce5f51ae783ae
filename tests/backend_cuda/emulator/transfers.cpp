// cudart: memory and copies.
#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <vector>

#include "memory.hpp"
#include "ntkrob/base/error.hpp"
#include "streams.hpp"

using namespace ntkrob::emulator;

struct CUmemPoolHandle_st {
  int device;
  std::uint64_t threshold;
};

namespace {

using ntkrob::text;
using Lock = std::lock_guard<std::recursive_mutex>;

CUmemPoolHandle_st& pool_of(int device) {
  static auto* pools = [] {
    auto* made = new CUmemPoolHandle_st[kMostDevices];
    for (int device = 0; device < kMostDevices; ++device) made[device] = {device, 0};
    return made;
  }();
  return pools[device];
}

/// Page-locked host memory: begin -> bytes, and whether it is ours.
struct Pinned {
  std::size_t bytes;
  bool ours;
};
std::map<const unsigned char*, Pinned>& pinned() {
  static auto* all = new std::map<const unsigned char*, Pinned>;
  return *all;
}
bool is_pinned(const void* address) {
  const auto* at = static_cast<const unsigned char*>(address);
  auto next = pinned().upper_bound(at);
  if (next == pinned().begin()) return false;
  --next;
  return at < next->first + next->second.bytes;
}

cudaError_t allocate(void** data, std::size_t bytes, int device, bool pooled, Allocation** made) {
  *data = nullptr;
  if (bytes == 0) return cudaSuccess;
  watch_faults();
  *made = DeviceMemory::instance().allocate(device, bytes, pooled);
  if (*made == nullptr) return remember(cudaErrorMemoryAllocation);
  *data = (*made)->data;
  return cudaSuccess;
}

/// The allocation that a pointer given to free() begins.
Allocation& to_free(void* data) {
  Allocation* found = DeviceMemory::instance().find(data);
  if (found == nullptr || found->data != data)
    stop(text("freed, but not the begin of memory in use: ", data, " ", DeviceMemory::instance().describe(data)));
  return *found;
}

/// Where a side of a copy lies: the device, or -1 for the host. Stops where rows do not lie in one allocation.
int side(const void* data, std::size_t pitch, std::size_t width, std::size_t height, const char* which) {
  Allocation* found = DeviceMemory::instance().find(data);
  if (found == nullptr) {
    if (const Allocation* freed = DeviceMemory::instance().find_freed(data))
      stop(text(which, " of a copy is allocation ", freed->number, ", which was freed"));
    return -1;
  }
  const auto* begin = static_cast<const unsigned char*>(data);
  const std::size_t bytes = height == 0 ? 0 : (height - 1) * pitch + width;
  if (begin < found->data || begin + bytes > found->data + found->bytes)
    stop(text(which, " of a copy of ", bytes, " bytes leaves its memory: it begins at ",
              DeviceMemory::instance().describe(data)));
  return found->device;
}

void move_rows(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch, std::size_t width,
               std::size_t height) {
  for (std::size_t i = 0; i < height; ++i)
    std::memmove(static_cast<unsigned char*>(to) + i * to_pitch,
                 static_cast<const unsigned char*>(from) + i * from_pitch, width);
}

cudaError_t copy_rows(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch, std::size_t width,
                      std::size_t height, cudaMemcpyKind kind, cudaStream_t stream) {
  const Lock lock(big_lock());
  if (width > to_pitch || width > from_pitch) return remember(cudaErrorInvalidPitchValue);
  if (width == 0 || height == 0) return cudaSuccess;
  const int target = side(to, to_pitch, width, height, "the target"),
            source = side(from, from_pitch, width, height, "the source");
  const bool wrong = (kind == cudaMemcpyHostToDevice && (target < 0 || source >= 0)) ||
                     (kind == cudaMemcpyDeviceToHost && (target >= 0 || source < 0)) ||
                     (kind == cudaMemcpyDeviceToDevice && (target < 0 || source < 0)) ||
                     (kind == cudaMemcpyHostToHost && (target >= 0 || source >= 0));
  if (wrong) return remember(cudaErrorInvalidValue);
  if (target < 0 && source < 0) {
    run_all(line_of(stream));
    move_rows(to, to_pitch, from, from_pitch, width, height);
    return cudaSuccess;
  }
  Devices touches = 0;
  if (target >= 0) touches |= only(target);
  if (source >= 0) touches |= only(source);
  const Line line = line_of(stream);
  if (source < 0 && !is_pinned(from) && settings().schedule != Schedule::latest) {
    const auto staged = std::make_shared<std::vector<unsigned char>>(width * height);
    move_rows(staged->data(), width, from, from_pitch, width, height);
    put_ordered(line, {"a copy", [=] { move_rows(to, to_pitch, staged->data(), width, width, height); }, touches});
  } else {
    // Nothing that waits in a queue reads pageable memory with this schedule: it can be spoilt already.
    if (target < 0 && !is_pinned(to) && settings().schedule == Schedule::late)
      for (std::size_t i = 0; i < height; ++i)
        std::memset(static_cast<unsigned char*>(to) + i * to_pitch, kPoison, width);
    put_ordered(line, {"a copy", [=] { move_rows(to, to_pitch, from, from_pitch, width, height); }, touches});
  }
  return cudaSuccess;
}

cudaError_t set_rows(void* to, std::size_t pitch, int value, std::size_t width, std::size_t height,
                     cudaStream_t stream) {
  const Lock lock(big_lock());
  if (width == 0 || height == 0) return cudaSuccess;
  const int target = side(to, pitch, width, height, "the target");
  if (target < 0) return remember(cudaErrorInvalidValue);
  return enqueue(stream, "cudaMemset", [=] {
    for (std::size_t i = 0; i < height; ++i) std::memset(static_cast<unsigned char*>(to) + i * pitch, value, width);
  });
}

cudaError_t pin(void** data, std::size_t bytes) {
  const Lock lock(big_lock());
  *data = std::malloc(std::max<std::size_t>(bytes, 1));
  if (*data == nullptr) return remember(cudaErrorMemoryAllocation);
  std::memset(*data, kPoison, bytes);
  pinned()[static_cast<unsigned char*>(*data)] = {bytes, true};
  born("blocks of page-locked memory");
  return cudaSuccess;
}

}  // namespace

namespace ntkrob::emulator {
void settle_pool(int device) {
  const CUmemPoolHandle_st& pool = pool_of(device);
  DeviceMemory::instance().trim_pool(device, static_cast<std::size_t>(pool.threshold));
}
}  // namespace ntkrob::emulator

// Memory of devices.

cudaError_t cudaMalloc(void** data, std::size_t bytes) {
  const Lock lock(big_lock());
  Allocation* made = nullptr;
  const cudaError_t status = allocate(data, bytes, current_device(), false, &made);
  if (made != nullptr) made->begun = true;
  return status;
}
/// Waits for the device, as CUDA's does.
cudaError_t cudaFree(void* data) {
  const Lock lock(big_lock());
  if (data == nullptr) return cudaSuccess;
  Allocation& allocation = to_free(data);
  if (!allocation.pooled) run_device(allocation.device);
  DeviceMemory::instance().release(allocation);
  return cudaSuccess;
}
cudaError_t cudaMallocAsync(void** data, std::size_t bytes, cudaStream_t stream) {
  const Lock lock(big_lock());
  const Line line = line_of(stream);
  if (line->device != current_device()) return remember(cudaErrorInvalidResourceHandle);
  Allocation* made = nullptr;
  const cudaError_t before = cudaPeekAtLastError();
  cudaError_t status = allocate(data, bytes, line->device, true, &made);
  if (status == cudaErrorMemoryAllocation) {  // what the stream will have freed by then can be had
    cudaGetLastError();
    remember(before);
    run_all(line);
    status = allocate(data, bytes, line->device, true, &made);
  }
  if (made == nullptr) return status;
  const unsigned char* at = made->data;
  return enqueue(stream, "cudaMallocAsync", [at] {
    if (Allocation* allocation = DeviceMemory::instance().find(at)) allocation->begun = true;
  });
}
cudaError_t cudaFreeAsync(void* data, cudaStream_t stream) {
  const Lock lock(big_lock());
  if (data == nullptr) return cudaSuccess;
  to_free(data);
  return enqueue(stream, "cudaFreeAsync", [data] { DeviceMemory::instance().release(to_free(data)); });
}
cudaError_t cudaMemGetInfo(std::size_t* free, std::size_t* total) {
  const Lock lock(big_lock());
  *total = settings().memory;
  *free = DeviceMemory::instance().free_bytes(current_device());
  return cudaSuccess;
}
cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* pool, int device) {
  *pool = &pool_of(device);
  return cudaSuccess;
}
cudaError_t cudaDeviceGetMemPool(cudaMemPool_t* pool, int device) { return cudaDeviceGetDefaultMemPool(pool, device); }
cudaError_t cudaMemPoolSetAccess(cudaMemPool_t pool, const cudaMemAccessDesc* access, std::size_t n) {
  const Lock lock(big_lock());
  for (std::size_t i = 0; i < n; ++i) {
    if (access[i].location.type != cudaMemLocationTypeDevice || access[i].location.id == pool->device)
      return remember(cudaErrorInvalidValue);
    make_pool_open(access[i].location.id, pool->device, access[i].flags == cudaMemAccessFlagsProtReadWrite);
  }
  return cudaSuccess;
}
cudaError_t cudaMemPoolTrimTo(cudaMemPool_t pool, std::size_t keep) {
  const Lock lock(big_lock());
  DeviceMemory::instance().trim_pool(pool->device, keep);
  return cudaSuccess;
}
cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t pool, cudaMemPoolAttr attribute, void* value) {
  if (attribute == cudaMemPoolAttrReleaseThreshold) std::memcpy(&pool->threshold, value, sizeof(pool->threshold));
  return cudaSuccess;
}
cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t pool, cudaMemPoolAttr attribute, void* value) {
  const Lock lock(big_lock());
  const DeviceMemory& memory = DeviceMemory::instance();
  std::uint64_t answer = 0;
  switch (attribute) {
    case cudaMemPoolAttrReleaseThreshold:
      answer = pool->threshold;
      break;
    case cudaMemPoolAttrReservedMemCurrent:
      answer = memory.pool_reserved(pool->device);
      break;
    case cudaMemPoolAttrUsedMemCurrent:
      answer = memory.pool_used(pool->device);
      break;
    default:
      stop(text("attribute ", static_cast<int>(attribute), " of a memory pool is not emulated"));
  }
  std::memcpy(value, &answer, sizeof(answer));
  return cudaSuccess;
}
cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* data) {
  const Lock lock(big_lock());
  *attributes = cudaPointerAttributes{};
  if (const Allocation* found = DeviceMemory::instance().find(data)) {
    attributes->type = cudaMemoryTypeDevice;
    attributes->device = found->device;
    attributes->devicePointer = const_cast<void*>(data);
  } else {
    attributes->type = is_pinned(data) ? cudaMemoryTypeHost : cudaMemoryTypeUnregistered;
    attributes->device = is_pinned(data) ? current_device() : -1;
    attributes->hostPointer = const_cast<void*>(data);
  }
  return cudaSuccess;
}

// Page-locked memory of the host.

cudaError_t cudaHostAlloc(void** data, std::size_t bytes, unsigned) { return pin(data, bytes); }
cudaError_t cudaMallocHost(void** data, std::size_t bytes) { return pin(data, bytes); }
cudaError_t cudaFreeHost(void* data) {
  const Lock lock(big_lock());
  if (data == nullptr) return cudaSuccess;
  const auto found = pinned().find(static_cast<unsigned char*>(data));
  if (found == pinned().end() || !found->second.ours) return remember(cudaErrorInvalidValue);
  for (int device = 0; device < settings().devices; ++device) run_device(device);
  pinned().erase(found);
  gone("blocks of page-locked memory");
  std::free(data);
  return cudaSuccess;
}
cudaError_t cudaHostRegister(void* data, std::size_t bytes, unsigned) {
  const Lock lock(big_lock());
  if (is_pinned(data)) return remember(cudaErrorHostMemoryAlreadyRegistered);
  pinned()[static_cast<unsigned char*>(data)] = {bytes, false};
  born("blocks of registered memory");
  return cudaSuccess;
}
cudaError_t cudaHostUnregister(void* data) {
  const Lock lock(big_lock());
  const auto found = pinned().find(static_cast<unsigned char*>(data));
  if (found == pinned().end() || found->second.ours) return remember(cudaErrorHostMemoryNotRegistered);
  for (int device = 0; device < settings().devices; ++device) run_device(device);
  pinned().erase(found);
  gone("blocks of registered memory");
  return cudaSuccess;
}

// Copies.

cudaError_t cudaMemcpyAsync(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  return copy_rows(to, bytes, from, bytes, bytes, 1, kind, stream);
}
cudaError_t cudaMemcpy2DAsync(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch,
                              std::size_t width, std::size_t height, cudaMemcpyKind kind, cudaStream_t stream) {
  return copy_rows(to, to_pitch, from, from_pitch, width, height, kind, stream);
}
cudaError_t cudaMemcpyPeerAsync(void* to, int to_device, const void* from, int from_device, std::size_t bytes,
                                cudaStream_t stream) {
  {
    const Lock lock(big_lock());
    if (bytes > 0 && (side(to, bytes, bytes, 1, "the target") != to_device ||
                      side(from, bytes, bytes, 1, "the source") != from_device))
      return remember(cudaErrorInvalidValue);
  }
  return copy_rows(to, bytes, from, bytes, bytes, 1, cudaMemcpyDeviceToDevice, stream);
}
cudaError_t cudaMemcpy(void* to, const void* from, std::size_t bytes, cudaMemcpyKind kind) {
  const cudaError_t status = cudaMemcpyAsync(to, from, bytes, kind, nullptr);
  return status != cudaSuccess ? status : cudaStreamSynchronize(nullptr);
}
cudaError_t cudaMemcpy2D(void* to, std::size_t to_pitch, const void* from, std::size_t from_pitch, std::size_t width,
                         std::size_t height, cudaMemcpyKind kind) {
  const cudaError_t status = cudaMemcpy2DAsync(to, to_pitch, from, from_pitch, width, height, kind, nullptr);
  return status != cudaSuccess ? status : cudaStreamSynchronize(nullptr);
}
cudaError_t cudaMemsetAsync(void* to, int value, std::size_t bytes, cudaStream_t stream) {
  return set_rows(to, bytes, value, bytes, 1, stream);
}
cudaError_t cudaMemset2DAsync(void* to, std::size_t pitch, int value, std::size_t width, std::size_t height,
                              cudaStream_t stream) {
  return set_rows(to, pitch, value, width, height, stream);
}
cudaError_t cudaMemset(void* to, int value, std::size_t bytes) { return cudaMemsetAsync(to, value, bytes, nullptr); }
