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

namespace {

/// Checks that the device can be used.
cudaDeviceProp admit(int number, int devices) {
  NTKROB_CHECK(devices > number, ConfigError, no_such_device(number, devices));
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, number), "asking for the device's properties");
  const std::string name = properties.name;
  const std::string reason = why_too_old(text(number, " (", name, ")"), properties.major, properties.minor);
  NTKROB_CHECK(reason.empty(), BackendUnavailable, "backend cuda: ", reason);
  NTKROB_CHECK(properties.memoryPoolsSupported != 0, BackendUnavailable, "backend cuda: device ", number, " (", name,
               ") has no memory pools; update the driver, or use cpu");
  check(cudaSetDevice(number), "choosing the device");
  std::uint64_t keep = std::numeric_limits<std::uint64_t>::max();
  check(cudaMemPoolSetAttribute(pool_of_current_device(), cudaMemPoolAttrReleaseThreshold, &keep),
        "configuring the memory pool");
  return properties;
}

}  // namespace

Device::Device(const std::vector<int>& numbers) {
  int devices = 0;
  check(cudaGetDeviceCount(&devices), "counting devices");
  std::vector<int> all = numbers;
  for (int i = 0; numbers.empty() && i < devices; ++i) all.push_back(i);
  for (std::size_t i = all.size(); i-- > 0;) {  // the first one is the last to be chosen
    const cudaDeviceProp properties = admit(all[i], devices);
    name_ = properties.name;
    memory_bytes_ = properties.totalGlobalMem;
    if (properties.major < 8)
      why_no_bfloat16_ = text("device ", all[i], " (", name_, ") has compute capability ", properties.major, ".",
                              properties.minor, ", products of bfloat16 numbers need 8.0; use float32");
  }
  number_ = all[0];
  std::size_t total = 0;
  check(cudaMemGetInfo(&free_bytes_, &total), "asking for free memory");
  if (all.size() > 1) group_ = std::make_unique<Group>(all);
  outer_ = std::make_unique<Queue>();
}

std::string Device::numbers() const {
  if (group_ == nullptr) return text("device ", number_);
  std::string list = "devices ";
  for (int member = 0; member < group_->size(); ++member) list += text(member > 0 ? ", " : "", group_->number(member));
  return list;
}

std::shared_ptr<void> Device::allocate(std::size_t bytes) {
  if (bytes == 0) return nullptr;
  const bool elsewhere = away();
  if (elsewhere) check(cudaSetDevice(number_), "choosing the device");
  Memory memory(bytes, elsewhere ? outer_->stream : queue().stream);
  if (elsewhere) queue().wait_for(*outer_);
  void* address = memory.data();
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    arrays_[static_cast<const unsigned char*>(address)].bytes = bytes;
  }
  std::shared_ptr<void> owner(address, [device = shared_from_this()](void* p) { device->release(p); });
  memory.leave();
  return owner;
}

void Device::release(void* address) noexcept {
  std::vector<Memory> copies;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto found = arrays_.find(static_cast<const unsigned char*>(address));
    copies.swap(found->second.copies);
    arrays_.erase(found);
  }
  if (group_ != nullptr && in_task()) outer_->follow(*current.second);
  if (!copies.empty()) group_->release(copies, *outer_);
  cudaSetDevice(number_);
  cudaFreeAsync(address, in_task() && !away() ? current.second->stream : outer_->stream);
}

bool Device::holds(const void* address) const {
  if (address == nullptr) return true;
  const auto* p = static_cast<const unsigned char*>(address);
  const std::lock_guard<std::mutex> lock(mutex_);
  auto behind = arrays_.upper_bound(p);
  if (behind == arrays_.begin()) return false;
  --behind;
  return static_cast<std::size_t>(p - behind->first) < behind->second.bytes;
}

bool Device::away() const { return in_task() && current.second->device != number_; }

void Device::share(const void* array) {
  if (group_ == nullptr || array == nullptr) return;
  const std::lock_guard<std::mutex> lock(mutex_);
  Kept& kept = arrays_.at(static_cast<const unsigned char*>(array));
  kept.current = !in_task();  // a task's own arrays are read where they are
  if (kept.current) group_->broadcast(array, kept.bytes, kept.copies, *outer_);
}

void* Device::copy_here(const void* address) const {
  const auto* p = static_cast<const unsigned char*>(address);
  const std::lock_guard<std::mutex> lock(mutex_);
  auto array = arrays_.upper_bound(p);
  if (array == arrays_.begin() || !(--array)->second.current) return const_cast<void*>(address);
  const Memory& copy = array->second.copies[group_->copy_of(current.second->device)];
  return static_cast<unsigned char*>(copy.data()) + (p - array->first);
}

Queue& Device::queue() {
  Queue& queue = in_task() ? *current.second : *outer_;
  check(cudaSetDevice(queue.device), "choosing the device");
  return queue;
}

bool Device::in_task() const { return current.first == this; }

Device::Tasks::Tasks(Device& device, int workers) : device_(device), workers_(workers) {
  while (device.workers_.size() < static_cast<std::size_t>(workers)) {
    const int member = static_cast<int>(device.workers_.size()) % device.devices();
    check(cudaSetDevice(member == 0 ? device.number_ : device.group_->number(member)), "choosing the device");
    device.workers_.push_back(std::make_unique<Queue>());
  }
  for (int w = 0; w < workers; ++w) device.workers_[static_cast<std::size_t>(w)]->wait_for(*device.outer_);
}

/// On every way out. What failed on the device says so at the next call.
Device::Tasks::~Tasks() {
  for (int w = 0; w < workers_; ++w) device_.outer_->follow(*device_.workers_[static_cast<std::size_t>(w)]);
}

Device::Inside::Inside(Device& device, int worker) : before_(current) {
  current = {&device, device.workers_[static_cast<std::size_t>(worker)].get()};
  check(cudaSetDevice(current.second->device), "choosing the device");
}

Device::Inside::~Inside() { current = before_; }

}  // namespace ntkrob::cuda
