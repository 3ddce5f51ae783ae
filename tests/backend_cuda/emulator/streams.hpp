/// Streams and events of the emulated devices.
#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <set>

#include "emulator.hpp"

namespace ntkrob::emulator {

/// Of an operation that touches no memory and runs no code of others.
constexpr Devices kUnchanged = ~Devices{0};

struct Operation {
  const char* what;
  std::function<void()> run;
  Devices touches;
};

/// Operations [done, issued) wait in the queue.
struct Queued {
  int device = 0;
  bool blocking = true;  // waits for the default stream, which waits for it
  std::deque<Operation> queue;
  std::uint64_t issued = 0, done = 0;
  bool asked = false;  // by cudaStreamQuery, since something ran
};
using Line = std::shared_ptr<Queued>;

struct Recorded {
  Line line;  // null: never recorded
  std::uint64_t at = 0;
  std::chrono::steady_clock::time_point time;
};

/// The stream behind a handle. null: the default stream of the current device.
Line line_of(cudaStream_t stream);
Line make_line(int device, bool blocking);
void drop_line(const Line& line);

/// Runs what was put on it before the count was `until`, and what that waits for.
void run_until(const Line& line, std::uint64_t until);
inline void run_all(const Line& line) { run_until(line, line->issued); }
void run_device(int device);
/// Puts "wait for other" on a stream.
void depend(const Line& line, const Line& other, std::uint64_t until);
void put(const Line& line, Operation operation);
/// On the stream of any device, with the waits of the default stream.
void put_ordered(const Line& line, Operation operation);

/// What waiting for a device does to its memory pool.
void settle_pool(int device);

/// Names the memory in faults from now on. To be called again and again: test frameworks put their handlers in place.
void watch_faults();

/// Whether the device may touch what cudaMalloc gave of the other's memory; returns what was so before.
bool make_peers(int device, int other, bool yes);
/// The same for what the other's pool gave.
void make_pool_open(int device, int other, bool yes);
/// The memory that the device may touch.
Devices reach(int device);

}  // namespace ntkrob::emulator

struct CUstream_st {
  ntkrob::emulator::Line line;
};
struct CUevent_st {
  int device = 0;
  bool timing = true;
  std::shared_ptr<ntkrob::emulator::Recorded> recorded = std::make_shared<ntkrob::emulator::Recorded>();
};
