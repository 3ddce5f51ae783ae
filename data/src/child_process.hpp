/// Work in a copy of this process, for libraries that may crash, loop or write where they must not on what a file
/// holds.
///
/// The child is a fork: it has the memory, the open files and the calling thread alone, not the other threads. It
/// leaves by _exit, so that nothing of the parent is written twice and no function of atexit runs in it; its error
/// output goes nowhere, signals have their default actions, and it ends with its parent. The parent waits and collects
/// it, so that no zombie stays; it can be interrupted by the handler of a signal, which ends the child by
/// end_child_processes(). The callers of this component see one SIGCHLD.
#pragma once

#include <cstddef>
#include <functional>
#include <string>

namespace ntkrob::io {

struct ChildLimits {
  double cpu_seconds = 20, wall_seconds = 60;
  std::size_t memory_bytes = std::size_t{1} << 30;  // beyond what the parent has; not in builds with a sanitizer
  std::size_t answer_bytes = std::size_t{512} << 20;
};

struct ChildAnswer {
  std::string content;    // what the work returned
  std::string error;      // else the message of the exception that it threw
  std::string failure;    // else how it ended: "crashed (signal 11)", "took more than 20 s"
  bool resource = false;  // whether that exception was a ResourceError
};

/// Whether there are child processes here. Without them run_in_child does the work in this process, without limits.
bool has_child_processes();

/// throws: ResourceError where no child can be started, or this process's own limit of memory was too small for it;
/// without child processes what the work throws.
///
/// cost: half a millisecond, and more in a process of many gigabytes
ChildAnswer run_in_child(const std::function<std::string()>& work, const ChildLimits& limits);

/// throws: the error of an answer that has one: ResourceError, or IoError
void rethrow(const ChildAnswer& answer);

}  // namespace ntkrob::io
