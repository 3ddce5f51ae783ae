#include "interrupt.hpp"

#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>

#include "ntkrob/base/printable.hpp"
#include "ntkrob/base/stop.hpp"
#include "ntkrob/data/temporary_files.hpp"

namespace ntkrob::cli {

namespace {

// A handler has no arguments but the signal: these are the only variables of the process itself.
Stop stop;
std::atomic<bool> keeps_state{false};
std::atomic<long> asked_at{0};  // milliseconds
std::atomic<bool> writing{false};
// A text that is never changed once it is published here.
std::atomic<const char*> last_words{nullptr};

constexpr long kOneEvent = 250;  // milliseconds

/// The result does not matter: there is nobody else to tell.
void say(const char* words) {
  if (write(STDERR_FILENO, words, std::strlen(words)) < 0) return;
}

[[noreturn]] void end_now(const char* words) {
  remove_temporary_files();
  end_child_processes();
  say(words);
  _exit(Interrupted::kExitCode);
}

void set_deadline(double seconds) {
  itimerval timer{};
  timer.it_value.tv_sec = static_cast<time_t>(seconds);
  timer.it_value.tv_usec = static_cast<suseconds_t>((seconds - static_cast<double>(timer.it_value.tv_sec)) * 1e6);
  setitimer(ITIMER_REAL, &timer, nullptr);
}

long milliseconds() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<long>(now.tv_sec) * 1000 + now.tv_nsec / 1000000;
}

extern "C" void on_signal(int) {
  const int before = errno;
  if (!keeps_state) {
    const char* words = last_words;
    end_now(words != nullptr ? words : "\nntkrob: interrupted; outputs that were not finished are removed\n");
  }
  if (stop.requested()) {
    // One event may come twice: timeout, make and terminals signal a process and then its group.
    if (milliseconds() < asked_at + kOneEvent) return;
    end_now("\nntkrob: interrupted at once\n");
  }
  asked_at = milliseconds();
  stop.request();
  set_deadline(kPatience);
  say("\nstopping, what is finished is kept; once more to end at once\n");
  errno = before;
}

extern "C" void on_deadline(int) {
  say(writing ? "\nthe checkpoint could not be written in time, the disk may hang; what is newer than the last one is "
                "lost\n"
              : "\nthe step in hand did not end in time, what it did is lost\n");
  const char* words = last_words;
  end_now(words != nullptr ? words : "\nntkrob: interrupted; no state was kept\n");
}

/// A reader of our output has gone: silent, as for every program in a pipe, but without leftovers.
extern "C" void on_closed_pipe(int number) {
  remove_temporary_files();
  end_child_processes();
  std::signal(number, SIG_DFL);
  std::raise(number);
}

void handle(int number, void (*handler)(int)) {
  struct sigaction now {};
  if (sigaction(number, nullptr, &now) == 0 && now.sa_handler == SIG_IGN) return;
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(number, &action, nullptr);
}

}  // namespace

void answer_signals() {
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) handle(number, on_signal);
  handle(SIGPIPE, on_closed_pipe);
  std::signal(SIGALRM, on_deadline);
}

Stop& stop_request() { return stop; }
void keep_state(bool yes) { keeps_state = yes; }
void give_time_to_write() {
  writing = true;
  set_deadline(kWritingPatience);
}

void set_last_words(const std::string& words) {
  // Jobs have one or two texts in their life. They stay: a handler may be reading.
  if (words.empty()) return last_words.store(nullptr);
  static std::array<std::string, 8> texts;
  static std::size_t used = 0;
  const std::string text = "\nntkrob: " + printable(words) + "\n";
  if (last_words != nullptr && text == last_words.load()) return;
  if (used == texts.size()) return;
  texts[used] = text;
  last_words = texts[used++].c_str();
}

}  // namespace ntkrob::cli
