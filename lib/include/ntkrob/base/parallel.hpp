/// The one parallel loop of the library.
///
/// A WorkerPool runs numbered tasks on a fixed number of workers. Determinism is the caller's part of the contract: a
/// task writes only what it owns, and the partition into tasks does not depend on the number of workers; then every
/// result is the same bit for bit for any pool. The first exception of a task is rethrown from for_each after all
/// workers stopped.
#pragma once

#include <functional>
#include <memory>

#include "ntkrob/base/stop.hpp"
#include "ntkrob/base/view.hpp"

namespace ntkrob {

/// Number of hardware threads of this machine, at least 1.
int hardware_threads();

/// A fixed set of workers. Not copyable; one for_each at a time; for_each inside a task runs serially on that worker.
class WorkerPool {
 public:
  /// workers = 0 means hardware_threads().   throws: ResourceError where the system gives fewer threads
  explicit WorkerPool(int workers = 0);
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  int size() const;
  /// Whom loops ask before each task whether to go on; null: nobody. Not during a loop. It must outlive the pool, or
  /// the next call of this function.
  void set_stop(const Stop* stop);
  /// Calls task(i, worker) for every i in [0, n_tasks), worker in [0, size()). Tasks are handed out in order.
  ///   throws: what a task throws; Interrupted where tasks were left out because a stop was asked for
  void for_each(index n_tasks, const std::function<void(index task, int worker)>& task);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace ntkrob
