#include "ntkrob/base/parallel.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>

#include "base/team.hpp"

namespace ntkrob {
namespace {

/// The worker number of the task that this thread is running, -1 outside of tasks.
thread_local int current_worker = -1;

/// Marks this thread as running tasks, and restores the mark on every way out.
class Inside {
 public:
  explicit Inside(int worker) : before_(current_worker) { current_worker = worker; }
  ~Inside() { current_worker = before_; }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;

 private:
  int before_;
};

}  // namespace

int hardware_threads() { return std::max(1, static_cast<int>(std::thread::hardware_concurrency())); }

struct WorkerPool::State {
  explicit State(int size_) : size(size_), team(base::make_team(size_)) {}
  int size;
  std::unique_ptr<base::Team> team;
  std::mutex one_at_a_time;
  const Stop* stop = nullptr;
};

WorkerPool::WorkerPool(int workers) {
  constexpr int kMost = 1024;
  NTKROB_CHECK_RANGE("number of workers", workers, 0, kMost);
  state_ = std::make_unique<State>(workers == 0 ? hardware_threads() : workers);
}

WorkerPool::~WorkerPool() = default;

int WorkerPool::size() const { return state_->size; }

void WorkerPool::set_stop(const Stop* stop) { state_->stop = stop; }

void WorkerPool::for_each(index n_tasks, const std::function<void(index, int)>& task) {
  const Stop* const stop = state_->stop;
  const bool nested = current_worker >= 0;
  if (nested || state_->size == 1 || n_tasks <= 1) {
    // A nested loop keeps its worker number: scratch indexed by worker stays private to this thread.
    const int worker = nested && current_worker < state_->size ? current_worker : 0;
    const Inside inside(worker);
    for (index i = 0; i < n_tasks; ++i) {
      look_for_stop(stop);
      task(i, worker);
    }
    return;
  }

  const std::lock_guard<std::mutex> lock(state_->one_at_a_time);
  std::atomic<index> next{0};
  std::atomic<bool> failed{false};
  std::mutex error_mutex;
  std::exception_ptr error;
  index error_task = n_tasks;
  state_->team->run([&](int worker) {
    const Inside inside(worker);
    while (!failed.load(std::memory_order_relaxed)) {
      const index i = next.fetch_add(1, std::memory_order_relaxed);
      if (i >= n_tasks) return;
      try {
        look_for_stop(stop);
        task(i, worker);
      } catch (...) {
        failed.store(true, std::memory_order_relaxed);
        const std::lock_guard<std::mutex> error_lock(error_mutex);
        // Tasks are handed out in order, so the lowest failing task always runs: which error is reported does not
        // depend on the number of workers.
        if (i < error_task) {
          error_task = i;
          error = std::current_exception();
        }
      }
    }
  });
  if (error) std::rethrow_exception(error);
}

}  // namespace ntkrob
