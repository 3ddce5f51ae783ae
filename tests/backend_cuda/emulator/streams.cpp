#include "streams.hpp"

#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <utility>
#include <vector>

#include "memory.hpp"
#include "ntkrob/base/error.hpp"

namespace ntkrob::emulator {
namespace {

/// What runs on the device, in this thread.
thread_local const char* running = nullptr;

std::size_t number_from(const char* name, std::size_t otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr || *value == '\0' ? otherwise : static_cast<std::size_t>(std::strtoull(value, nullptr, 10));
}

/// All streams, and the default stream of each device.
struct Lines {
  std::set<Line> all;
  Line standard[kMostDevices];
  bool peer[kMostDevices][kMostDevices] = {};  // and whose memory it reaches
  bool pool[kMostDevices][kMostDevices] = {};
};
Lines& lines() {
  static auto* all = [] {
    auto* made = new Lines;
    for (int device = 0; device < kMostDevices; ++device) {
      made->standard[device] = std::make_shared<Queued>();
      made->standard[device]->device = device;
    }
    return made;
  }();
  return *all;
}

struct Census {
  std::map<std::string, long> count;
};
Census& census() {
  static auto* all = new Census;
  return *all;
}

/// Names what is left when the process ends.
struct AtExit {
  ~AtExit() {
    const std::lock_guard<std::recursive_mutex> lock(big_lock());
    std::string left = DeviceMemory::instance().leaks();
    for (const auto& [kind, n] : census().count)
      if (n != 0) left += (left.empty() ? "" : ", ") + text(n, " ", kind);
    if (!left.empty()) stop("not given back at the end of the process: " + left);
  }
} at_exit;

struct sigaction before;

/// Opens what the operation that runs may touch. Otherwise says who touched which memory, and lets the fault happen
/// again for whoever was here before.
void on_fault(int, siginfo_t* info, void*) {
  if (running != nullptr && DeviceMemory::instance().admit(info->si_addr)) return;
  const std::string where = DeviceMemory::instance().describe(info->si_addr);
  if (!where.empty()) {
    const std::string line =
        text("emulated device: ", running == nullptr ? "host code" : running, " touched ", where, "\n");
    if (write(STDERR_FILENO, line.data(), line.size()) < 0) _exit(EXIT_FAILURE);
  }
  sigaction(SIGSEGV, &before, nullptr);
}

/// Until the outermost one ends, memory that operations have touched stays open: opening and closing takes time.
class Running {
 public:
  Running() { ++depth; }
  ~Running() {
    running = before_;
    if (--depth == 0) DeviceMemory::instance().allow(0);
  }
  void begin(const Operation& operation) {
    running = operation.what;
    if (operation.touches != kUnchanged) DeviceMemory::instance().allow(operation.touches);
  }

 private:
  static inline int depth = 0;  // under the big lock
  const char* before_ = running;
};

}  // namespace

const Settings& settings() {
  static const Settings from_environment = [] {
    Settings s;
    s.devices = static_cast<int>(number_from("NTKROB_EMULATOR_DEVICES", 1));
    if (s.devices > kMostDevices) stop(text("there are at most ", kMostDevices, " devices"));
    s.memory = number_from("NTKROB_EMULATOR_MEMORY", s.memory);
    const auto is = [](const char* name, const char* word) {
      const char* value = std::getenv(name);
      return value != nullptr && std::strcmp(value, word) == 0;
    };
    s.backward = is("NTKROB_EMULATOR_ORDER", "backward");
    if (is("NTKROB_EMULATOR_SCHEDULE", "early")) s.schedule = Schedule::early;
    if (is("NTKROB_EMULATOR_SCHEDULE", "latest")) s.schedule = Schedule::latest;
    return s;
  }();
  return from_environment;
}

void watch_faults() {
  struct sigaction now;
  sigaction(SIGSEGV, nullptr, &now);
  if ((now.sa_flags & SA_SIGINFO) != 0 && now.sa_sigaction == &on_fault) return;
  before = now;
  struct sigaction ours {};
  ours.sa_sigaction = &on_fault;
  ours.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK;
  sigaction(SIGSEGV, &ours, nullptr);
}

std::recursive_mutex& big_lock() {
  static auto* mutex = new std::recursive_mutex;
  return *mutex;
}

void stop(const std::string& message) {
  std::fprintf(stderr, "emulated device: %s%s%s\n", message.c_str(), running == nullptr ? "" : ", found in ",
               running == nullptr ? "" : running);
  std::fflush(stderr);
  std::abort();
}

void born(const char* kind) {
  const std::lock_guard<std::recursive_mutex> lock(big_lock());
  ++census().count[kind];
}
void gone(const char* kind) {
  const std::lock_guard<std::recursive_mutex> lock(big_lock());
  if (--census().count[kind] < 0) stop(text("a ", kind, " was given back twice"));
}

bool make_peers(int device, int other, bool yes) { return std::exchange(lines().peer[device][other], yes); }
void make_pool_open(int device, int other, bool yes) { lines().pool[device][other] = yes; }
Devices reach(int device) {
  Devices all = only(device);
  for (int other = 0; other < settings().devices; ++other) {
    if (lines().peer[device][other]) all |= memory_of(other, false);
    if (lines().pool[device][other]) all |= memory_of(other, true);
  }
  return all;
}

Line make_line(int device, bool blocking) {
  auto line = std::make_shared<Queued>();
  line->device = device;
  line->blocking = blocking;
  lines().all.insert(line);
  return line;
}
void drop_line(const Line& line) {
  run_all(line);
  lines().all.erase(line);
}

Line line_of(cudaStream_t stream) {
  if (stream == nullptr || stream == cudaStreamLegacy) return lines().standard[current_device()];
  if (stream == cudaStreamPerThread) stop("the default stream of a thread is not emulated");
  return stream->line;
}

void run_until(const Line& line, std::uint64_t until) {
  if (line->done >= until) return;
  watch_faults();
  Running now;
  while (line->done < until) {
    if (line->queue.empty()) stop("an operation waits for itself");
    const Operation operation = std::move(line->queue.front());
    line->queue.pop_front();
    now.begin(operation);
    operation.run();
    ++line->done;
  }
}

void run_device(int device) {
  run_all(lines().standard[device]);
  const std::vector<Line> all(lines().all.begin(), lines().all.end());
  for (const Line& line : all)
    if (line->device == device) run_all(line);
}

void put(const Line& line, Operation operation) {
  line->queue.push_back(std::move(operation));
  ++line->issued;
  line->asked = false;
  if (settings().schedule == Schedule::early) run_all(line);
}

void depend(const Line& line, const Line& other, std::uint64_t until) {
  if (other->done >= until) return;
  put(line, {"a wait", [other, until] { run_until(other, until); }, kUnchanged});
}

void put_ordered(const Line& line, Operation operation) {
  const Line& standard = lines().standard[line->device];
  if (line == standard) {
    for (const Line& other : lines().all)
      if (other->device == line->device && other->blocking) depend(line, other, other->issued);
  } else if (line->blocking) {
    depend(line, standard, standard->issued);
  }
  put(line, std::move(operation));
}

cudaError_t enqueue(cudaStream_t stream, const char* what, std::function<void()> operation) {
  const std::lock_guard<std::recursive_mutex> lock(big_lock());
  return enqueue(stream, what, std::move(operation), reach(line_of(stream)->device));
}

cudaError_t enqueue(cudaStream_t stream, const char* what, std::function<void()> operation, Devices touches) {
  const std::lock_guard<std::recursive_mutex> lock(big_lock());
  const Line line = line_of(stream);
  if (line->device != current_device()) return remember(cudaErrorInvalidResourceHandle);
  put_ordered(line, {what, std::move(operation), touches});
  return cudaSuccess;
}

}  // namespace ntkrob::emulator
