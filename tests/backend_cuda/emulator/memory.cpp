#include "memory.hpp"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "ntkrob/base/error.hpp"

namespace ntkrob::emulator {
namespace {

/// Freed memory of which addresses stay closed.
constexpr std::size_t kMostFreed = 1000;

std::size_t page() {
  static const auto bytes = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return bytes;
}

std::string name_of(const Allocation& a) {
  return text("allocation ", a.number, " of ", a.bytes, " bytes on device ", a.device);
}

}  // namespace

DeviceMemory& DeviceMemory::instance() {
  static auto* memory = new DeviceMemory;  // outlives whatever is destroyed at the end of the process
  return *memory;
}

Allocation* DeviceMemory::allocate(int device, std::size_t bytes, bool pooled) {
  std::size_t& used = pooled ? pooled_[device] : direct_[device];
  const std::size_t taken = direct_[device] + (pooled ? pooled_[device] : reserved_[device]);
  if (bytes > settings().memory || taken > settings().memory - bytes) return nullptr;
  Allocation a;
  const std::size_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  const std::size_t body = (rounded + page() - 1) / page() * page();
  a.page_bytes = body + 2 * page();
  void* pages = mmap(nullptr, a.page_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (pages == MAP_FAILED) return nullptr;
  a.pages = static_cast<unsigned char*>(pages);
  a.data = a.pages + page() + body - rounded;
  a.bytes = bytes;
  a.device = device;
  a.pooled = pooled;
  a.number = ++count_;
  unsigned char* inner = a.pages + page();
  mprotect(inner, body, PROT_READ | PROT_WRITE);
  std::memset(inner, kCanary, body);
  std::memset(a.data, kPoison, bytes);
  used += bytes;
  if (pooled && pooled_[device] > reserved_[device]) reserved_[device] = pooled_[device];
  Allocation& kept = live_[a.pages + a.page_bytes] = a;
  protect(kept, false);
  return &kept;
}

void DeviceMemory::protect(Allocation& a, bool open) {
  mprotect(a.pages + page(), a.page_bytes - 2 * page(), open ? PROT_READ | PROT_WRITE : PROT_NONE);
  a.open = open;
}

void DeviceMemory::check_borders(const Allocation& a) {
  const unsigned char* begin = a.pages + page();
  const unsigned char* end = a.pages + a.page_bytes - page();
  for (const unsigned char* p = begin; p < end; ++p) {
    if (p == a.data) p += a.bytes;
    if (p < end && *p != kCanary)
      stop(text("a program wrote ", p < a.data ? a.data - p : p - (a.data + a.bytes) + 1, " bytes ",
                p < a.data ? "before the begin" : "behind the end", " of ", name_of(a)));
  }
}

void DeviceMemory::release(Allocation& allocation) {
  protect(allocation, true);
  check_borders(allocation);
  opened_.erase(std::remove(opened_.begin(), opened_.end(), &allocation), opened_.end());
  (allocation.pooled ? pooled_ : direct_)[allocation.device] -= allocation.bytes;
  // Closed, and without physical memory.
  mmap(allocation.pages, allocation.page_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
       0);
  freed_.push_back(allocation);
  live_.erase(allocation.pages + allocation.page_bytes);
  if (freed_.size() <= kMostFreed) return;
  munmap(freed_.front().pages, freed_.front().page_bytes);
  freed_.pop_front();
}

Allocation* DeviceMemory::find(const void* address) {
  const auto found = live_.upper_bound(static_cast<const unsigned char*>(address));
  return found == live_.end() || address < found->second.pages ? nullptr : &found->second;
}

const Allocation* DeviceMemory::find_freed(const void* address) const {
  for (auto a = freed_.rbegin(); a != freed_.rend(); ++a)
    if (address >= a->pages && address < a->pages + a->page_bytes) return &*a;
  return nullptr;
}

void DeviceMemory::allow(Devices devices) {
  if (devices == allowed_) return;
  allowed_ = devices;
  for (Allocation* a : opened_) protect(*a, false);
  opened_.clear();
}

bool DeviceMemory::admit(const void* address) {
  Allocation* a = find(address);
  const auto* at = static_cast<const unsigned char*>(address);
  if (a == nullptr || !a->begun || a->open || (allowed_ & memory_of(a->device, a->pooled)) == 0 ||
      at < a->pages + page() || at >= a->pages + a->page_bytes - page())
    return false;
  protect(*a, true);
  opened_.push_back(a);
  return true;
}

void DeviceMemory::trim_pool(int device, std::size_t keep) {
  std::size_t& reserved = reserved_[device];
  if (reserved > keep) reserved = keep > pooled_[device] ? keep : pooled_[device];
}

std::size_t DeviceMemory::free_bytes(int device) const {
  return settings().memory - direct_[device] - reserved_[device];
}

std::string DeviceMemory::leaks() {
  allow(0);
  std::string found;
  for (auto& entry : live_) {
    protect(entry.second, true);
    check_borders(entry.second);
    found += (found.empty() ? "" : ", ") + name_of(entry.second);
  }
  return found;
}

std::string DeviceMemory::describe(const void* address) const {
  const auto* at = static_cast<const unsigned char*>(address);
  const auto place = [&](const Allocation& a) {
    const std::string where = at < a.data              ? text(a.data - at, " bytes before the begin of ")
                              : at >= a.data + a.bytes ? text(at - (a.data + a.bytes), " bytes behind the end of ")
                                                       : text("byte ", at - a.data, " of ");
    return where + name_of(a);
  };
  const auto found = live_.upper_bound(at);
  if (found != live_.end() && at >= found->second.pages)
    return place(found->second) + (found->second.begun ? "" : ", which has not begun in its stream");
  if (const Allocation* freed = find_freed(address)) return place(*freed) + ", which was freed";
  return {};
}

}  // namespace ntkrob::emulator
