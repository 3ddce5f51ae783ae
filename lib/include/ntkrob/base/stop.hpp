/// A request to stop, which long computations look for.
///
/// Somebody who wants an end (the handler of a signal, another thread) calls request(); whoever computes was handed the
/// object (WorkerPool::set_stop, Backend::set_stop) and looks at it between tasks and in long serial passes. What is
/// then begun is abandoned by Interrupted, as by any other error: objects with the strong guarantee (Robustifier,
/// Trainer) are as after their last finished step. Nothing is looked for where nobody was handed one.
#pragma once

#include <atomic>

#include "ntkrob/base/error.hpp"

namespace ntkrob {

class Stop {
 public:
  /// From any thread, or from the handler of a signal.
  void request() noexcept { requested_.store(true, std::memory_order_relaxed); }
  /// Before the object is used again.
  void clear() noexcept { requested_.store(false, std::memory_order_relaxed); }
  bool requested() const noexcept { return requested_.load(std::memory_order_relaxed); }

 private:
  static_assert(std::atomic<bool>::is_always_lock_free, "the handler of a signal sets it");
  std::atomic<bool> requested_{false};
};

/// One look.   stop: null where nobody may ask for an end   throws: Interrupted
inline void look_for_stop(const Stop* stop) {
  if (stop != nullptr && stop->requested()) throw Interrupted("interrupted");
}

}  // namespace ntkrob
