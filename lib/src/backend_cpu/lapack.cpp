#include "backend_cpu/lapack.hpp"

#ifdef NTKROB_LAPACK
#include <dlfcn.h>
#include <sys/mman.h>

#include "ntkrob/base/error.hpp"
#endif

namespace ntkrob {

#ifdef NTKROB_LAPACK

namespace {

/// What an OpenBLAS of one thread maps: its code, tables and one buffer, with room to spare.
constexpr std::size_t kAddressSpace = std::size_t{192} << 20;

void check_room() {
  void* block = ::mmap(nullptr, kAddressSpace, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  NTKROB_CHECK(block != MAP_FAILED, ResourceError, "eigenvalues: ", NTKROB_LAPACK, " needs ", kAddressSpace >> 20,
               " MiB of address space, which this process does not get; raise its limit (ulimit -v)");
  ::munmap(block, kAddressSpace);
}

Lapack load() {
  check_room();
  Lapack lapack;
  void* handle = ::dlopen(NTKROB_LAPACK, RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) return lapack;
  // OpenBLAS only: the threads of this process belong to the workers.
  if (const auto limit = reinterpret_cast<void (*)(int)>(::dlsym(handle, "openblas_set_num_threads"))) limit(1);
  lapack.dsyevd = reinterpret_cast<decltype(lapack.dsyevd)>(::dlsym(handle, "dsyevd_"));
  return lapack;
}

}  // namespace

const Lapack* system_lapack() {
  static const Lapack lapack = load();
  return lapack.dsyevd == nullptr ? nullptr : &lapack;
}

std::string lapack_name() { return NTKROB_LAPACK; }

#else

const Lapack* system_lapack() { return nullptr; }
std::string lapack_name() { return {}; }

#endif

}  // namespace ntkrob
