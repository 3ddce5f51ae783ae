#include "backend_cuda/device.hpp"

#include <limits>

#include "backend_cuda/availability.hpp"

namespace ntkrob::cuda {
namespace {

thread_local std::pair<const Device*, Queue*> current{nullptr, nullptr};

cudaMemPool_t pool_of_current_device() {
  int device = 0;
  cudaMemPool_t pool = nullptr;
  check(cudaGetDevice(&device), "finding the device");
  check(cudaDeviceGetDefaultMemPool(&pool, device), "finding the memory pool");
  return pool;
}

}  // namespace

Memory::Memory(std::size_t bytes, Stream stream) : bytes_(bytes), stream_(stream) {
  if (bytes == 0) return;
  cudaError_t status = cudaMallocAsync(&data_, bytes, stream);
  if (status == cudaErrorMemoryAllocation) {  // what other streams have freed may lie in the pool
    cudaGetLastError();
    check(cudaDeviceSynchronize(), "waiting for memory");
    check(cudaMemPoolTrimTo(pool_of_current_device(), 0), "trimming the memory pool");
    status = cudaMallocAsync(&data_, bytes, stream);
  }
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    data_ = nullptr;
    std::size_t free = 0, total = 0;
    check(cudaMemGetInfo(&free, &total), "asking for free memory");
    throw ResourceError(out_of_memory(bytes, free, total));
  }
  check(status, "allocating memory");
}

Memory::~Memory() {
  if (data_ != nullptr) cudaFreeAsync(data_, stream_);
}

Device::Device(int number) : number_(number) {
  int devices = 0;
  check(cudaGetDeviceCount(&devices), "counting devices");
  NTKROB_CHECK(devices > number, ConfigError, no_such_device(number, devices));
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, number), "asking for the device's properties");
  name_ = properties.name;
  if (properties.major < 8)
    why_no_bfloat16_ = text("device ", number, " (", name_, ") has compute capability ", properties.major, ".",
                            properties.minor, ", products of bfloat16 numbers need 8.0; use float32");
  memory_bytes_ = properties.totalGlobalMem;
  const std::string reason = why_too_old(text(number, " (", name_, ")"), properties.major, properties.minor);
  NTKROB_CHECK(reason.empty(), BackendUnavailable, "backend cuda: ", reason);
  NTKROB_CHECK(properties.memoryPoolsSupported != 0, BackendUnavailable, "backend cuda: device ", number, " (", name_,
               ") has no memory pools; update the driver, or use cpu");
  check(cudaSetDevice(number), "choosing the device");
  std::uint64_t keep = std::numeric_limits<std::uint64_t>::max();
  check(cudaMemPoolSetAttribute(pool_of_current_device(), cudaMemPoolAttrReleaseThreshold, &keep),
        "configuring the memory pool");
  std::size_t total = 0;
  check(cudaMemGetInfo(&free_bytes_, &total), "asking for free memory");
  outer_ = std::make_unique<Queue>();
}

std::shared_ptr<void> Device::allocate(std::size_t bytes) {
  if (bytes == 0) return nullptr;
  Memory memory(bytes, queue().stream);
  void* address = memory.data();
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    arrays_[static_cast<const unsigned char*>(address)] = bytes;
  }
  std::shared_ptr<void> owner(address, [device = shared_from_this()](void* p) { device->release(p); });
  memory.leave();
  return owner;
}

void Device::release(void* address) noexcept {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    arrays_.erase(static_cast<const unsigned char*>(address));
  }
  cudaSetDevice(number_);
  cudaFreeAsync(address, current.first == this ? current.second->stream : outer_->stream);
}

bool Device::holds(const void* address) const {
  if (address == nullptr) return true;
  const auto* p = static_cast<const unsigned char*>(address);
  const std::lock_guard<std::mutex> lock(mutex_);
  auto behind = arrays_.upper_bound(p);
  if (behind == arrays_.begin()) return false;
  --behind;
  return static_cast<std::size_t>(p - behind->first) < behind->second;
}

Queue& Device::queue() {
  check(cudaSetDevice(number_), "choosing the device");
  return current.first == this ? *current.second : *outer_;
}

bool Device::in_task() const { return current.first == this; }

Device::Tasks::Tasks(Device& device, int workers) : device_(device), workers_(workers) {
  check(cudaSetDevice(device.number_), "choosing the device");
  while (device.workers_.size() < static_cast<std::size_t>(workers))
    device.workers_.push_back(std::make_unique<Queue>());
  for (int w = 0; w < workers; ++w) device.workers_[static_cast<std::size_t>(w)]->wait_for(*device.outer_);
}

/// On every way out. What failed on the device says so at the next call.
Device::Tasks::~Tasks() {
  for (int w = 0; w < workers_; ++w) device_.outer_->follow(*device_.workers_[static_cast<std::size_t>(w)]);
}

Device::Inside::Inside(Device& device, int worker) : before_(current) {
  check(cudaSetDevice(device.number_), "choosing the device");
  current = {&device, device.workers_[static_cast<std::size_t>(worker)].get()};
}

Device::Inside::~Inside() { current = before_; }

}  // namespace ntkrob::cuda
