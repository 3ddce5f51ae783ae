#include "shortage.hpp"

#include <sys/resource.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace ntkrob::io {

std::string memory_remedy() {
  struct rlimit limit {};
  if (::getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
    return text("; this process may have ", limit.rlim_cur >> 10,
                " KiB of address space: raise that (ulimit -v), or read a smaller file");
  return "; free memory, or read a smaller file";
}

std::string shortage_remedy(int error) {
  if (error == ENOMEM) return memory_remedy();
  if (error == ENFILE) return "; the system has too many open files: close programs, or raise fs.file-max";
  if (error != EMFILE) return "";
  struct rlimit limit {};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return "; raise the limit of open files (ulimit -n)";
  return text("; this process may have ", limit.rlim_cur, " open files: raise that (ulimit -n 256)");
}

void fail_system(const std::string& where, const std::string& what, int error) {
  const std::string remedy = shortage_remedy(error);
  const std::string line = text(where, ": ", what, ": ", std::strerror(error), remedy);
  if (error == ENOMEM) throw MemoryMissing(line);
  if (!remedy.empty()) throw ResourceError(line);
  throw IoError(line);
}

void fail_memory(const std::string& where, const std::string& what) {
  throw MemoryMissing(text(where, ": ", what, ": memory is missing", memory_remedy()));
}

bool is_short_of_memory() noexcept {
  // More than libraries take at once for their own ends; never touched, so it costs an entry in a table.
  constexpr std::size_t kProbe = std::size_t{16} << 20;
  void* volatile block = std::malloc(kProbe);
  std::free(block);
  return block == nullptr;
}

}  // namespace ntkrob::io
