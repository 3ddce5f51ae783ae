#include "jobs/stack.hpp"

#include <sys/mman.h>
#include <sys/resource.h>

#include "ntkrob/base/error.hpp"

namespace ntkrob::jobs {

namespace {

/// What loops of products take of the stack of every thread, with a reserve.
constexpr std::size_t kStack = std::size_t{1} << 20;

/// Touches pages of the stack from the top down, so that it has them.
__attribute__((noinline)) void touch_stack() {
  volatile char pages[kStack];
  for (std::size_t i = kStack; i >= 4096; i -= 4096) pages[i - 1] = 0;
  static_cast<void>(pages[kStack - 1]);
}

}  // namespace

void grow_stack() {
  rlimit limit;
  const bool known = ::getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
  NTKROB_CHECK(!known || limit.rlim_cur >= kStack, ResourceError, "the limit of the stack is ", limit.rlim_cur >> 10,
               " KiB, ", kStack >> 10, " KiB are needed; raise it (ulimit -s ", kStack >> 10, ")");
  void* const room = ::mmap(nullptr, kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  NTKROB_CHECK(room != MAP_FAILED, ResourceError, "the stack needs ", kStack >> 10,
               " KiB of address space, which this process does not get; raise its limit (ulimit -v)");
  ::munmap(room, kStack);
  touch_stack();
}

}  // namespace ntkrob::jobs
