/// A team of threads that run one function together: what WorkerPool is built on. Private.
///
/// Two implementations: std::thread (always compiled, the default) and OpenMP (team_openmp.cpp, with
/// NTKROB_WITH_OPENMP). Threads are the default because a run waits only for those who joined: on a machine with other
/// load, libgomp, whose barrier waits for every thread, took 2-5 ms for a loop of 0.4 ms. make_team() is defined by
/// exactly one source file, chosen by CMake, so no code asks which one it got.
#pragma once

#include <functional>
#include <memory>

namespace ntkrob::base {

class Team {
 public:
  virtual ~Team() = default;
  /// Calls body(worker) once on the calling thread with worker 0 and at most once for each other worker in [1, size).
  /// Workers that are not scheduled in time may be left out: body has to hand out its work dynamically.
  /// Returns when every call has returned. body must not throw. One run at a time.
  virtual void run(const std::function<void(int worker)>& body) = 0;
};

/// size >= 1.   throws: ResourceError where the system gives fewer threads
std::unique_ptr<Team> make_thread_team(int size);
/// OpenMP where the build asked for it, else make_thread_team.
std::unique_ptr<Team> make_team(int size);

}  // namespace ntkrob::base
