/// Memory of the emulated devices: pages that nobody may touch but what runs on the device, between pages that nobody
/// may touch at all.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "emulator.hpp"

namespace ntkrob::emulator {

constexpr unsigned char kPoison = 0xff;  // floats and doubles of it are not numbers, integers are -1
constexpr unsigned char kCanary = 0xc5;
constexpr std::size_t kAlignment = 256;

struct Allocation {
  unsigned char* data = nullptr;
  std::size_t bytes = 0;
  unsigned char* pages = nullptr;  // with guard pages before and behind
  std::size_t page_bytes = 0;
  int device = 0;
  unsigned long number = 0;
  bool pooled = false;  // of cudaMallocAsync
  bool begun = false;   // the allocation has run in its stream
  bool open = false;
};

class DeviceMemory {
 public:
  static DeviceMemory& instance();

  /// null: it does not fit
  Allocation* allocate(int device, std::size_t bytes, bool pooled);
  /// Checks its borders, and keeps the addresses closed for a while.
  void release(Allocation& allocation);
  /// The one that holds the address or the slack around it, or null.
  Allocation* find(const void* address);
  /// The same among those that were freed not long ago.
  const Allocation* find_freed(const void* address) const;

  /// What runs now may touch the memory of these devices; all other memory is closed. Opens nothing: that happens to an
  /// allocation when it is touched (admit), because a process has many and an operation touches few.
  void allow(Devices devices);
  /// Opens what holds the address, if it may be touched.
  bool admit(const void* address);

  std::size_t used(int device) const { return direct_[device] + pooled_[device]; }
  std::size_t pool_used(int device) const { return pooled_[device]; }
  std::size_t pool_reserved(int device) const { return reserved_[device]; }
  /// Gives back what the pool holds beyond `keep` and does not use.
  void trim_pool(int device, std::size_t keep);
  std::size_t free_bytes(int device) const;

  /// Checks the borders of all that is left and describes it; empty if nothing is.
  std::string leaks();
  /// What lies at an address, for messages; empty if it is no device memory. Safe in a signal handler on its last way.
  std::string describe(const void* address) const;

 private:
  static void protect(Allocation& allocation, bool open);
  static void check_borders(const Allocation& allocation);

  std::map<const unsigned char*, Allocation> live_;  // by the end of the pages
  std::deque<Allocation> freed_;
  std::size_t direct_[kMostDevices] = {}, pooled_[kMostDevices] = {}, reserved_[kMostDevices] = {};
  unsigned long count_ = 0;
  Devices allowed_ = 0;
  std::vector<Allocation*> opened_;
};

}  // namespace ntkrob::emulator
