/// What the handler of a signal may not do: ask for memory. The signal may have come inside malloc(), whose lock the
/// process holds, and the handler would wait for it for ever.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <new>

#include "interrupt.hpp"

using namespace ntkrob::cli;

namespace {

std::atomic<bool> in_handler{false};
constexpr int kAskedForMemory = 99;

void* memory(std::size_t bytes) {
  if (in_handler) _exit(kAskedForMemory);
  if (void* p = std::malloc(bytes)) return p;
  throw std::bad_alloc();
}

/// The exit code of a process that prepares itself and raises the signal.
int exit_code(int number, const std::function<void()>& prepare, int times = 1) {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    if (close(STDERR_FILENO) != 0) _exit(98);
    answer_signals();
    prepare();
    in_handler = true;
    for (int k = 0; k < times; ++k) {
      raise(number);
      usleep(300000);  // two requests, not one event that came twice
    }
    _exit(97);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

void* operator new(std::size_t bytes) { return memory(bytes); }
void* operator new[](std::size_t bytes) { return memory(bytes); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete[](void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete[](void* p, std::size_t) noexcept { std::free(p); }

TEST_CASE("handlers of signals ask for no memory", "[faults]") {
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    INFO("signal " << number);
    CHECK(exit_code(number, [] {}) == 130);
    CHECK(exit_code(number, [] { set_last_words("interrupted; the state is in a file whose name is long"); }) == 130);
    CHECK(exit_code(
              number, [] { keep_state(true); }, 2) == 130);
  }
  CHECK(exit_code(SIGALRM, [] { give_time_to_write(); }) == 130);
  CHECK(exit_code(SIGPIPE, [] {}) == 128 + SIGPIPE);
  CHECK(exit_code(SIGINT, [] { keep_state(true); }) == 97);  // a request: the process goes on
}

TEST_CASE("the test sees a request for memory", "[faults]") {
  CHECK(exit_code(SIGINT, [] { std::signal(SIGINT, [](int) { delete new int(1); }); }) == kAskedForMemory);
}
