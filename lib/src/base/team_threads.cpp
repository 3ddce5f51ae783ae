#include <atomic>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "base/team.hpp"
#include "ntkrob/base/parallel.hpp"

namespace ntkrob::base {
namespace {

/// About 20-50 microseconds: longer than the gap between two loops of one computation, shorter than a time slice.
constexpr int kSpins = 2000;

void pause_briefly() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

[[noreturn]] void refuse_team(int size, std::size_t started, const std::system_error& error) {
  throw ResourceError(text(
      "cannot start ", size, " workers: after ", started + 1, " the system gives no more threads (",
      error.code().message(), "); ",
      advice("use fewer (", field("threads"), "), or raise the limits of threads and address space (ulimit -u, -v)")));
}

/// A run is open while worker 0 still works. A worker joins an open run, and run() waits only for those who joined: a
/// worker that the operating system has not scheduled yet delays nobody.
class ThreadTeam : public Team {
 public:
  explicit ThreadTeam(int size) : spins_(size <= hardware_threads() ? kSpins : 0) {
    try {
      for (int worker = 1; worker < size; ++worker) threads_.emplace_back([this, worker] { serve(worker); });
    } catch (const std::system_error& error) {
      const std::size_t started = threads_.size();
      stop();
      refuse_team(size, started, error);
    } catch (...) {
      stop();
      throw;
    }
  }

  ~ThreadTeam() override { stop(); }

  void run(const std::function<void(int)>& body) override {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      body_ = &body;
      generation_.fetch_add(1, std::memory_order_release);
      if (sleeping_ > 0) wake_.notify_all();
    }
    body(0);
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      body_ = nullptr;
    }
    for (int i = 0; i < spins_ && joined_.load(std::memory_order_acquire) > 0; ++i) pause_briefly();
    std::unique_lock<std::mutex> lock(mutex_);
    left_.wait(lock, [this] { return joined_.load(std::memory_order_acquire) == 0; });
  }

 private:
  void serve(int worker) {
    std::uint64_t seen = 0;
    while (true) {
      for (int i = 0; i < spins_ && generation_.load(std::memory_order_acquire) == seen; ++i) pause_briefly();
      const std::function<void(int)>* body = nullptr;
      {
        std::unique_lock<std::mutex> lock(mutex_);
        ++sleeping_;
        wake_.wait(lock, [&] { return generation_.load(std::memory_order_relaxed) != seen || stopping_; });
        --sleeping_;
        if (stopping_) return;
        seen = generation_.load(std::memory_order_relaxed);
        body = body_;
        if (body == nullptr) continue;
        joined_.fetch_add(1, std::memory_order_relaxed);
      }
      (*body)(worker);
      const std::lock_guard<std::mutex> lock(mutex_);
      if (joined_.fetch_sub(1, std::memory_order_release) == 1) left_.notify_one();
    }
  }

  void stop() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      stopping_ = true;
      generation_.fetch_add(1, std::memory_order_release);
      wake_.notify_all();
    }
    for (std::thread& thread : threads_) thread.join();
  }

  const int spins_;
  std::mutex mutex_;
  std::condition_variable wake_, left_;
  // Changed only under mutex_; atomic because the spinning loops read them without it.
  std::atomic<std::uint64_t> generation_{0};
  std::atomic<int> joined_{0};
  const std::function<void(int)>* body_ = nullptr;
  int sleeping_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace

std::unique_ptr<Team> make_thread_team(int size) { return std::make_unique<ThreadTeam>(size); }

}  // namespace ntkrob::base
