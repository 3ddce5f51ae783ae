/// A library that is loaded before the command (LD_PRELOAD): from a given call on, those that need a disk fail.
///
/// Counted are calls about regular files: write, pwrite, fsync, rename, link, posix_fallocate and the opening of new
/// files. FAULT_AT: the first that fails (0: none); FAULT_ERROR: the errno that it fails with; FAULT_ONCE: later calls
/// work again; FAULT_COUNT: a file that gets the number of calls of the whole process. FAULT_STUCK: fsync() never comes
/// back. FAULT_CHILD: a file that gets the process number of a child of the command, which then sleeps instead of its
/// work and does not end with its parent, as on systems other than Linux.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

std::atomic<long> calls{0};
pid_t counted = 0;  // children of the command are others

long number(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? 0 : std::atol(value);
}

/// Whether the call at hand fails; sets errno.
bool fails() {
  if (counted == 0) counted = ::getpid();
  if (counted != ::getpid()) return false;
  const long call = ++calls, at = number("FAULT_AT");
  if (at == 0 || call < at || (call > at && number("FAULT_ONCE") != 0)) return false;
  errno = static_cast<int>(number("FAULT_ERROR"));
  return true;
}

bool is_regular(int descriptor) {
  struct stat info;
  const int before = errno;
  const bool regular = ::fstat(descriptor, &info) == 0 && S_ISREG(info.st_mode) && descriptor > 2;
  errno = before;
  return regular;
}

template <class F>
F next(const char* name) {
  F function;
  void* found = ::dlsym(RTLD_NEXT, name);
  std::memcpy(&function, &found, sizeof function);
  return function;
}

struct AtEnd {
  ~AtEnd() {
    const char* name = std::getenv("FAULT_COUNT");
    if (name == nullptr || (counted != 0 && counted != ::getpid())) return;
    char text[32];
    const int n = std::snprintf(text, sizeof text, "%ld", calls.load());
    const auto file = static_cast<int>(::syscall(SYS_openat, AT_FDCWD, name, O_WRONLY | O_CREAT | O_TRUNC, 0600));
    if (file >= 0 && ::syscall(SYS_write, file, text, n) == n) ::close(file);
  }
} at_end;

}  // namespace

extern "C" {

ssize_t write(int d, const void* data, size_t n) {
  if (is_regular(d) && fails()) return -1;
  return next<ssize_t (*)(int, const void*, size_t)>("write")(d, data, n);
}
ssize_t pwrite(int d, const void* data, size_t n, off_t at) {
  if (is_regular(d) && fails()) return -1;
  return next<ssize_t (*)(int, const void*, size_t, off_t)>("pwrite")(d, data, n, at);
}
ssize_t pwrite64(int d, const void* data, size_t n, off_t at) {
  if (is_regular(d) && fails()) return -1;
  return next<ssize_t (*)(int, const void*, size_t, off_t)>("pwrite64")(d, data, n, at);
}
int fsync(int d) {
  if (is_regular(d) && number("FAULT_STUCK") != 0)
    while (true) ::sleep(1000);
  if (is_regular(d) && fails()) return -1;
  return next<int (*)(int)>("fsync")(d);
}
int ftruncate(int d, off_t n) noexcept {
  if (is_regular(d) && fails()) return -1;
  return next<int (*)(int, off_t)>("ftruncate")(d, n);
}
int ftruncate64(int d, off_t n) noexcept {
  if (is_regular(d) && fails()) return -1;
  return next<int (*)(int, off_t)>("ftruncate64")(d, n);
}
int posix_fallocate(int d, off_t at, off_t n) {
  if (is_regular(d) && fails()) return errno;
  return next<int (*)(int, off_t, off_t)>("posix_fallocate")(d, at, n);
}
int rename(const char* from, const char* to) noexcept {
  if (fails()) return -1;
  return next<int (*)(const char*, const char*)>("rename")(from, to);
}
int link(const char* from, const char* to) noexcept {
  if (fails()) return -1;
  return next<int (*)(const char*, const char*)>("link")(from, to);
}

int prctl(int option, ...) {
  unsigned long values[4];
  va_list rest;
  va_start(rest, option);
  for (unsigned long& value : values) value = va_arg(rest, unsigned long);
  va_end(rest);
  if (option == PR_SET_PDEATHSIG && std::getenv("FAULT_CHILD") != nullptr) return 0;
  return static_cast<int>(::syscall(SYS_prctl, option, values[0], values[1], values[2], values[3]));
}

/// The command limits its children, and not itself.
int setrlimit(__rlimit_resource_t what, const struct rlimit* limits) noexcept {
  if (const char* file = std::getenv("FAULT_CHILD")) {
    const std::string id = std::to_string(::getpid());
    const auto out = static_cast<int>(::syscall(SYS_openat, AT_FDCWD, file, O_WRONLY | O_CREAT | O_TRUNC, 0600));
    if (out >= 0 && ::syscall(SYS_write, out, id.data(), id.size()) > 0) ::close(out);
    ::sleep(100);
    ::_exit(0);
  }
  return next<int (*)(__rlimit_resource_t, const struct rlimit*)>("setrlimit")(what, limits);
}

int open(const char* name, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  if ((flags & O_CREAT) != 0 && fails()) return -1;
  return next<int (*)(const char*, int, ...)>("open")(name, flags, mode);
}
int open64(const char* name, int flags, ...) {
  va_list rest;
  va_start(rest, flags);
  const mode_t mode = (flags & O_CREAT) != 0 ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  if ((flags & O_CREAT) != 0 && fails()) return -1;
  return next<int (*)(const char*, int, ...)>("open64")(name, flags, mode);
}

}  // extern "C"
