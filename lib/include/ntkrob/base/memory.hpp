/// Size of this machine's memory.
#pragma once

#include <unistd.h>

#include <cstddef>

namespace ntkrob {

/// Physical memory in bytes, 0 if the system does not say.
inline std::size_t physical_memory_bytes() {
  const long pages = ::sysconf(_SC_PHYS_PAGES), bytes = ::sysconf(_SC_PAGESIZE);
  return pages > 0 && bytes > 0 ? static_cast<std::size_t>(pages) * static_cast<std::size_t>(bytes) : 0;
}

}  // namespace ntkrob
