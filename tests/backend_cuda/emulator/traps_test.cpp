// What the emulated device stops, and what it lets pass.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <string>

#include "backend_cuda/launch.cuh"
#include "emulator.hpp"
#include "kit/check.hpp"

namespace ntkrob {
namespace {

using cuda::DeviceView;

/// to(i) = from(i) + 1, and `over` numbers more than there are.
struct Increment {
  static constexpr int kThreads = 32;
  using Shared = cuda::None;
  using Own = cuda::None;
  DeviceView<const float> from;
  DeviceView<float> to;
  index over = 0;

  long long blocks() const { return (to.cols + over + kThreads - 1) / kThreads; }
  int phases() const { return 1; }
  void run(int, long long block, int thread, Own&, Shared&) const {
    const index j = block * kThreads + thread;
    if (j < to.cols + over) to.data[j] = from.data[j < to.cols ? j : 0] + 1;
  }
};

/// Every thread reads its neighbour's number in the phase that writes it.
struct Race {
  static constexpr int kThreads = 32;
  struct Shared {
    float number[kThreads];
  };
  using Own = cuda::None;
  DeviceView<float> to;

  long long blocks() const { return 1; }
  int phases() const { return 1; }
  void run(int, long long, int thread, Own&, Shared& shared) const {
    shared.number[thread] = static_cast<float>(thread);
    to.data[thread] = shared.number[(thread + 1) % kThreads];
  }
};

struct Left {
  bool aborted = false;
  std::string said;
};

/// Runs `act` and the end of the process in a process of its own.
Left in_child(const std::function<void()>& act) {
  int channel[2];
  REQUIRE(pipe(channel) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const rlimit none{0, 0};
    setrlimit(RLIMIT_CORE, &none);
    dup2(channel[1], STDERR_FILENO);
    close(STDOUT_FILENO);
    close(channel[0]);
    for (const int number : {SIGSEGV, SIGABRT}) std::signal(number, SIG_DFL);
    act();
    std::exit(0);
  }
  close(channel[1]);
  Left left;
  char part[4096];
  for (ssize_t n; (n = read(channel[0], part, sizeof(part))) > 0;) left.said.append(part, static_cast<std::size_t>(n));
  close(channel[0]);
  int status = 0;
  waitpid(child, &status, 0);
  left.aborted = !WIFEXITED(status) || WEXITSTATUS(status) != 0;
  return left;
}

void check_stopped(const std::string& message, const std::function<void()>& act) {
  const Left left = in_child(act);
  INFO("expected: " << message << "\nsaid: " << left.said);
  CHECK(left.aborted);
  CHECK(left.said.find("emulated device: ") != std::string::npos);
  CHECK(left.said.find(message) != std::string::npos);
}

void check_passes(const std::function<void()>& act) {
  const Left left = in_child(act);
  INFO("said: " << left.said);
  CHECK(!left.aborted);
}

constexpr index kNumbers = 100;
constexpr std::size_t kBytes = sizeof(float) * kNumbers;

/// A stream, and numbers here.
struct Bench {
  float here[kNumbers] = {};
  cudaStream_t stream = nullptr;

  Bench() { cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking); }
  ~Bench() { cudaStreamDestroy(stream); }
  /// Room for numbers there, of the pool.
  DeviceView<float> room(index n = kNumbers) const {
    void* data = nullptr;
    if (cudaMallocAsync(&data, sizeof(float) * static_cast<std::size_t>(n), stream) != cudaSuccess) return {};
    return {static_cast<float*>(data), 1, n, n};
  }
  void free(DeviceView<float> there) const { cudaFreeAsync(there.data, stream); }
  void send(DeviceView<float> there) const {
    cudaMemcpyAsync(there.data, here, kBytes, cudaMemcpyHostToDevice, stream);
  }
  void fetch(DeviceView<float> there) { cudaMemcpyAsync(here, there.data, kBytes, cudaMemcpyDeviceToHost, stream); }
  void wait() const { cudaStreamSynchronize(stream); }
};

/// In a process that is to end well.
void require(bool holds) {
  if (!holds) std::exit(1);
}

}  // namespace

TEST_CASE("what is waited for is there, and nothing is left", "[emulator]") {
  check_passes([] {
    Bench b;
    b.here[3] = 2;
    const DeviceView<float> from = b.room(), to = b.room();
    b.send(from);
    cuda::launch_program(Increment{from, to}, b.stream);
    b.fetch(to);
    b.free(from);
    b.free(to);
    b.wait();
    require(b.here[3] == 3 && b.here[4] == 1);
  });
}

TEST_CASE("a result that is not waited for is not a number", "[emulator]") {
  check_passes([] {
    Bench b;
    const DeviceView<float> there = b.room();
    b.send(there);
    b.fetch(there);
    require(std::isnan(b.here[3]));
    b.free(there);
    b.wait();
    require(b.here[3] == 0);
  });
}

TEST_CASE("a copy from pageable memory reads it early, or late, or at once, as asked", "[emulator]") {
  for (const char* schedule : {"late", "latest", "early"})
    check_passes([schedule] {
      setenv("NTKROB_EMULATOR_SCHEDULE", schedule, 1);
      Bench b;
      const DeviceView<float> there = b.room();
      b.send(there);
      b.here[3] = 5;
      b.fetch(there);
      b.free(there);
      b.wait();
      require(b.here[3] == (std::string(schedule) == "latest" ? 5 : 0));
    });
}

TEST_CASE("another stream sees a result only behind an event", "[emulator]") {
  for (const bool waits : {true, false})
    check_passes([waits] {
      Bench first, second;
      void *data = nullptr, *result = nullptr;
      cudaMalloc(&data, kBytes);
      cudaMalloc(&result, kBytes);
      const DeviceView<float> from{static_cast<float*>(data), 1, kNumbers, kNumbers},
          to{static_cast<float*>(result), 1, kNumbers, kNumbers};
      first.send(from);
      cuda::launch_program(Increment{from, from}, first.stream);
      cudaEvent_t event = nullptr;
      cudaEventCreateWithFlags(&event, cudaEventDisableTiming);
      cudaEventRecord(event, first.stream);
      if (waits) cudaStreamWaitEvent(second.stream, event, 0);
      cuda::launch_program(Increment{from, to}, second.stream);
      second.fetch(to);
      second.wait();
      require((cudaEventQuery(event) == cudaSuccess) == waits);
      require(waits ? second.here[3] == 2 : std::isnan(second.here[3]));
      cudaEventDestroy(event);
      cudaFree(from.data);
      cudaFree(to.data);
    });
}

TEST_CASE("host code cannot touch device memory", "[emulator]") {
  check_stopped("host code touched byte 8 of allocation 1 of 400 bytes on device 0", [] {
    Bench b;
    const DeviceView<float> there = b.room();
    b.wait();
    require(there.data[2] == 0);
  });
}

TEST_CASE("a program cannot write past the end of its memory", "[emulator]") {
  const auto run_over = [](index over) {
    Bench b;
    const DeviceView<float> from = b.room(), to = b.room();
    b.send(from);
    cuda::launch_program(Increment{from, to, over}, b.stream);
    b.free(from);
    b.free(to);
    b.wait();
  };
  check_stopped("a program wrote 1 bytes behind the end of allocation 2 of 400 bytes", [&] { run_over(1); });
  check_stopped("Increment; cudaStream_t = CUstream_st*] touched 112 bytes behind the end of allocation 2 of 400 bytes",
                [&] { run_over(kNumbers); });
}

TEST_CASE("freed memory cannot be used", "[emulator]") {
  check_stopped("touched byte 0 of allocation 1 of 400 bytes on device 0, which was freed", [] {
    Bench b;
    const DeviceView<float> there = b.room();
    b.free(there);
    cuda::launch_program(Increment{there, there}, b.stream);
    b.wait();
  });
  check_stopped("is allocation 1, which was freed", [] {
    Bench b;
    const DeviceView<float> there = b.room();
    b.free(there);
    b.wait();
    b.send(there);
  });
}

TEST_CASE("memory begins in its stream", "[emulator]") {
  check_stopped("which has not begun in its stream", [] {
    Bench first, second;
    const DeviceView<float> there = first.room();
    second.send(there);
    second.wait();
  });
}

TEST_CASE("a device touches another's pool where it was opened, peers or not", "[emulator]") {
  const auto touch = [](bool open) {
    setenv("NTKROB_EMULATOR_DEVICES", "2", 1);
    Bench zero;
    const DeviceView<float> there = zero.room();
    zero.send(there);
    zero.wait();
    cudaSetDevice(1);
    Bench one;
    require(cudaDeviceEnablePeerAccess(0, 0) == cudaSuccess);
    cudaMemPool_t pool = nullptr;
    cudaDeviceGetDefaultMemPool(&pool, 0);
    cudaMemAccessDesc access{};
    access.location.type = cudaMemLocationTypeDevice;
    access.location.id = 1;
    access.flags = cudaMemAccessFlagsProtReadWrite;
    if (open) require(cudaMemPoolSetAccess(pool, &access, 1) == cudaSuccess);
    cuda::launch_program(Increment{there, there}, one.stream);
    one.wait();
    cudaSetDevice(0);
    zero.free(there);
  };
  check_stopped("touched byte 0 of allocation 1 of 400 bytes on device 0", [&] { touch(false); });
  check_passes([&] { touch(true); });
}

TEST_CASE("copies stay inside", "[emulator]") {
  check_stopped("the target of a copy of 400 bytes leaves its memory", [] {
    Bench b;
    b.send(b.room(kNumbers - 1));
  });
}

TEST_CASE("what is left at the end is named", "[emulator]") {
  check_stopped("not given back at the end of the process: allocation 1 of 400 bytes on device 0, 1 events, 1 streams",
                [] {
                  void* data = nullptr;
                  cudaStream_t stream = nullptr;
                  cudaEvent_t event = nullptr;
                  cudaMalloc(&data, kBytes);
                  cudaStreamCreate(&stream);
                  cudaEventCreate(&event);
                });
}

TEST_CASE("memory ends where the environment says, and a stream has what it freed", "[emulator]") {
  check_passes([] {
    setenv("NTKROB_EMULATOR_MEMORY", "1000", 1);
    Bench b;
    const DeviceView<float> most = b.room(200);
    require(!most.empty() && b.room(51).empty());
    require(cudaGetLastError() == cudaErrorMemoryAllocation && cudaGetLastError() == cudaSuccess);
    std::size_t free = 0, total = 0;
    cudaMemGetInfo(&free, &total);
    require(free == 200 && total == 1000);
    b.free(most);
    const DeviceView<float> again = b.room(240);
    require(!again.empty());
    b.free(again);
  });
}

TEST_CASE("the other order of threads shows a race", "[emulator]") {
  for (const bool backward : {false, true})
    check_passes([backward] {
      setenv("NTKROB_EMULATOR_ORDER", backward ? "backward" : "forward", 1);
      Bench b;
      const DeviceView<float> to = b.room();
      cuda::launch_program(Race{to}, b.stream);
      b.fetch(to);
      b.free(to);
      b.wait();
      require(std::isnan(b.here[5]) == !backward);  // forwards the neighbour has not written yet
    });
}

}  // namespace ntkrob
