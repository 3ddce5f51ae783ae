#include "child_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <new>

#include "ntkrob/base/error.hpp"
#include "ntkrob/data/temporary_files.hpp"
#include "shortage.hpp"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define NTKROB_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define NTKROB_SANITIZED 1
#endif
#endif

namespace ntkrob::io {
namespace {

// The last byte of an answer: only a child that came to its end writes one.
constexpr char kDone = 'd', kNoMemory = 'm', kFailed = 'f', kResource = 'r';

// The children that run, for the handler of a signal; 0 is a free place. More at one time than places are ended by the
// system or by their limits.
static_assert(std::atomic<pid_t>::is_always_lock_free, "the handler of a signal reads them");
std::array<std::atomic<pid_t>, 16> running;

/// A child in the list while this lives: until it is collected, for then its number may become another's.
class Listed {
 public:
  explicit Listed(pid_t id) {
    for (std::atomic<pid_t>& place : running) {
      pid_t free = 0;
      if (!place.compare_exchange_strong(free, id)) continue;
      place_ = &place;
      return;
    }
  }
  Listed(const Listed&) = delete;
  ~Listed() { clear(); }
  void clear() {
    if (place_ != nullptr) *place_ = 0;
    place_ = nullptr;
  }

 private:
  std::atomic<pid_t>* place_ = nullptr;
};

/// Resource: an int or an enumeration, as the system likes it.
template <class Resource>
void limit(Resource resource, rlim_t value) {
  struct rlimit now {};
  if (::getrlimit(resource, &now) != 0) return;
  now.rlim_cur = std::min(value, now.rlim_cur);
  ::setrlimit(resource, &now);
}

/// throws: ResourceError
void make_pipe(int (&ends)[2]) {
#ifdef __linux__
  const bool made = ::pipe2(ends, O_CLOEXEC) == 0;
#else
  const bool made = ::pipe(ends) == 0;
  for (const int end : ends)
    if (made) ::fcntl(end, F_SETFD, FD_CLOEXEC);
#endif
  const int error = made ? 0 : errno;
  NTKROB_CHECK(made, ResourceError,
               "cannot make a pipe to a child process, which looks at a file: ", std::strerror(error),
               shortage_remedy(error));
}

/// Bytes of addresses in use; 0 where the system does not say.
std::size_t address_space() {
  std::size_t pages = 0;
  if (std::FILE* file = std::fopen("/proc/self/statm", "re")) {
    if (std::fscanf(file, "%zu", &pages) != 1) pages = 0;
    std::fclose(file);
  }
  return pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
}

void write_all(int descriptor, const char* data, std::size_t n_bytes) {
  while (n_bytes > 0) {
    const ssize_t written = ::write(descriptor, data, n_bytes);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) ::_exit(1);
    data += written;
    n_bytes -= static_cast<std::size_t>(written);
  }
}

[[noreturn]] void child(const std::function<std::string()>& work, const ChildLimits& limits, int answer, pid_t parent) {
#ifdef __linux__
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
#else
  static_cast<void>(parent);
#endif
  for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGXCPU, SIGTERM, SIGPIPE, SIGALRM, SIGCHLD})
    std::signal(number, SIG_DFL);
  for (const int number : {SIGINT, SIGHUP, SIGQUIT}) std::signal(number, SIG_IGN);  // the parent decides
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (const int null = ::open("/dev/null", O_WRONLY); null >= 0) ::dup2(null, STDERR_FILENO);
  limit(RLIMIT_CORE, 0);
  limit(RLIMIT_FSIZE, 0);
  limit(RLIMIT_CPU, static_cast<rlim_t>(std::max(1.0, std::ceil(limits.cpu_seconds))));
#ifndef NTKROB_SANITIZED
  if (const std::size_t used = address_space(); used > 0) limit(RLIMIT_AS, used + limits.memory_bytes);
#endif
  std::string content;
  char end = kFailed;
  try {
    content = work();
    end = kDone;
  } catch (const std::bad_alloc&) {
    content.clear();
    end = kNoMemory;
  } catch (const MemoryMissing&) {
    content.clear();
    end = kNoMemory;
  } catch (const ResourceError& error) {
    content = error.marked();
    end = kResource;
  } catch (const Error& error) {
    content = error.marked();
  } catch (const std::exception& error) {
    content = error.what();
  }
  write_all(answer, content.data(), content.size());
  write_all(answer, &end, 1);
  ::_exit(0);
}

std::string seconds_text(double seconds) { return text("took more than ", seconds, " s"); }

/// Whether a limit of this process leaves a child less than `limits` do.
bool has_less_memory(const ChildLimits& limits) {
  struct rlimit own {};
  if (::getrlimit(RLIMIT_AS, &own) != 0 || own.rlim_cur == RLIM_INFINITY) return false;
  return own.rlim_cur < address_space() + limits.memory_bytes;
}

std::string memory_text(const ChildLimits& limits) {
  return text("needed more than ", limits.memory_bytes >> 20, " MiB of memory");
}

/// How a child without an answer ended.
std::string failure_of(int status, const ChildLimits& limits) {
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU) return seconds_text(limits.cpu_seconds);
  if (WIFSIGNALED(status)) return text("crashed (signal ", WTERMSIG(status), ")");
  return "crashed";
}

}  // namespace

#if defined(__EMSCRIPTEN__) || defined(__wasi__)
bool has_child_processes() { return false; }
#else
bool has_child_processes() { return true; }
#endif

ChildAnswer run_in_child(const std::function<std::string()>& work, const ChildLimits& limits) {
  if (!has_child_processes()) return {work(), "", "", false};
  using Clock = std::chrono::steady_clock;
  const auto deadline =
      Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(limits.wall_seconds));
  int ends[2];
  make_pipe(ends);
  // A signal that comes before the child has its own actions would run the parent's in it.
  sigset_t all, before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t parent = ::getpid(), id = ::fork();
  if (id == 0) {
    ::close(ends[0]);
    child(work, limits, ends[1], parent);
  }
  const int error = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ::close(ends[1]);
  if (id < 0) {
    ::close(ends[0]);
    throw ResourceError(text("cannot start a child process to look at a file: ", std::strerror(error),
                             "; allow more processes (ulimit -u) or free memory"));
  }

  Listed listed(id);
  ChildAnswer answer;
  bool at_end = false;
  try {
    std::string block(std::size_t{1} << 16, '\0');
    while (!at_end && answer.failure.empty()) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
      pollfd ready{ends[0], POLLIN, 0};
      const int n = left <= 0 ? 0 : ::poll(&ready, 1, static_cast<int>(std::min<long long>(left, 1000000)));
      if (n < 0 && errno == EINTR) continue;
      if (n == 0 && Clock::now() >= deadline) answer.failure = seconds_text(limits.wall_seconds);
      if (n <= 0) continue;
      const ssize_t got = ::read(ends[0], block.data(), block.size());
      if (got < 0 && errno == EINTR) continue;
      at_end = got <= 0;
      if (got > 0) answer.content.append(block.data(), static_cast<std::size_t>(got));
      if (answer.content.size() > limits.answer_bytes)
        answer.failure = text("gave more than ", limits.answer_bytes >> 20, " MiB");
    }
  } catch (const std::bad_alloc&) {
    answer = {"", "", "gave more than memory holds", false};
  }
  ::close(ends[0]);
  if (!at_end) ::kill(id, SIGKILL);
  int status = 0;
  // Ended, but not collected: until then the number is its own.
  siginfo_t ended{};
  while (::waitid(P_PID, static_cast<id_t>(id), &ended, WEXITED | WNOWAIT) < 0 && errno == EINTR) {
  }
  listed.clear();
  pid_t collected;
  while ((collected = ::waitpid(id, &status, 0)) < 0 && errno == EINTR) {
  }
  if (!answer.failure.empty()) return {"", "", answer.failure, false};
  // Whoever collects children behind our back leaves no status: what counts is the byte at the end.
  const char end = answer.content.empty() ? '\0' : answer.content.back();
  if (!answer.content.empty()) answer.content.pop_back();
  const bool good_status = collected != id || (WIFEXITED(status) && WEXITSTATUS(status) == 0);
  if (end == kDone && good_status) return answer;
  if (end == kFailed && good_status) return {"", answer.content, "", false};
  if (end == kResource && good_status) return {"", answer.content, "", true};
  if (end == kNoMemory && good_status && has_less_memory(limits))
    throw MemoryMissing("a child process, which looks at a file, got too little memory" + memory_remedy());
  if (end == kNoMemory && good_status) return {"", "", memory_text(limits), false};
  return {"", "", collected == id ? failure_of(status, limits) : "crashed", false};
}

void rethrow(const ChildAnswer& answer) {
  NTKROB_CHECK(!answer.resource, ResourceError, answer.error);
  NTKROB_CHECK(answer.error.empty(), IoError, answer.error);
}

}  // namespace ntkrob::io

namespace ntkrob {

void end_child_processes() noexcept {
  for (const std::atomic<pid_t>& place : io::running)
    if (const pid_t id = place; id > 0) ::kill(id, SIGKILL);
}

}  // namespace ntkrob
