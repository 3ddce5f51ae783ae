#include "ntkrob/base/parallel.hpp"

#include <atomic>
#include <set>
#include <thread>

#include "base/team.hpp"
#include "kit/check.hpp"

using namespace ntkrob;

TEST_CASE("for_each runs every task exactly once for any number of workers", "[base]") {
  for (const int workers : {1, 2, 3, 8}) {
    WorkerPool pool(workers);
    REQUIRE(pool.size() == workers);
    for (const index n : {0, 1, 2, 7, 1000}) {
      std::vector<std::atomic<int>> calls(static_cast<std::size_t>(n));
      std::atomic<int> outside{0};
      pool.for_each(n, [&](index i, int worker) {
        ++calls[static_cast<std::size_t>(i)];
        if (worker < 0 || worker >= workers) ++outside;
      });
      INFO(workers << " workers, " << n << " tasks");
      CHECK(outside == 0);
      int wrong = 0;
      for (const auto& c : calls) wrong += c != 1;
      CHECK(wrong == 0);
    }
  }
}

TEST_CASE("two tasks with the same worker number never run at the same time", "[base]") {
  WorkerPool pool(4);
  std::vector<std::atomic<int>> busy(4);
  std::atomic<int> collisions{0};
  for (int repeat = 0; repeat < 50; ++repeat)
    pool.for_each(64, [&](index, int worker) {
      if (busy[static_cast<std::size_t>(worker)].fetch_add(1) != 0) ++collisions;
      std::this_thread::yield();
      busy[static_cast<std::size_t>(worker)].fetch_sub(1);
    });
  CHECK(collisions == 0);
}

TEST_CASE("the exception of the lowest failing task is rethrown and the pool stays usable", "[base]") {
  for (const int workers : {1, 2, 5}) {
    WorkerPool pool(workers);
    for (int repeat = 0; repeat < 20; ++repeat) {
      std::string message;
      try {
        pool.for_each(100, [](index i, int) { NTKROB_CHECK(i < 10, IoError, "task ", i); });
      } catch (const IoError& error) {
        message = error.what();
      }
      CHECK(message == "task 10");
    }
    std::atomic<index> sum{0};
    pool.for_each(10, [&](index i, int) { sum += i; });
    CHECK(sum == 45);
  }
}

TEST_CASE("a for_each inside a task runs serially on the same worker", "[base]") {
  WorkerPool pool(3);
  std::atomic<int> wrong{0}, inner{0};
  pool.for_each(12, [&](index, int worker) {
    const std::thread::id here = std::this_thread::get_id();
    index expected = 0;
    pool.for_each(5, [&](index i, int inner_worker) {
      ++inner;
      if (i != expected++ || inner_worker != worker || std::this_thread::get_id() != here) ++wrong;
    });
  });
  CHECK(inner == 60);
  CHECK(wrong == 0);
}

TEST_CASE("a nested exception reaches the outer caller", "[base]") {
  WorkerPool pool(2);
  CHECK_THROWS_AS(
      pool.for_each(4, [&](index, int) { pool.for_each(2, [](index, int) { throw NonFinite("inside"); }); }),
      NonFinite);
}

TEST_CASE("the number of workers is checked and 0 means the hardware", "[base]") {
  CHECK(WorkerPool(0).size() == hardware_threads());
  CHECK_THROWS_AS(WorkerPool(-1), ConfigError);
  CHECK_THROWS_AS(WorkerPool(1 << 20), ConfigError);
}

TEST_CASE("a thread team survives thousands of short runs and calls nobody twice", "[base]") {
  for (const int size : {1, 2, 4}) {
    const std::unique_ptr<base::Team> team = base::make_thread_team(size);
    int wrong = 0;
    index total = 0;
    for (int run = 0; run < 3000; ++run) {
      std::vector<std::atomic<int>> calls(static_cast<std::size_t>(size));
      std::atomic<index> next{0}, sum{0};
      team->run([&](int worker) {
        ++calls[static_cast<std::size_t>(worker)];
        for (index i = next++; i < 8; i = next++) sum += i;
      });
      wrong += calls[0] != 1;
      for (const auto& c : calls) wrong += c > 1;
      total += sum;
    }
    CHECK(wrong == 0);
    CHECK(total == 3000 * 28);
  }
}

TEST_CASE("the other members of a thread team wake up from sleep and take part", "[base]") {
  const std::unique_ptr<base::Team> team = base::make_thread_team(2);
  for (int run = 0; run < 3; ++run) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    std::atomic<bool> joined{false};
    team->run([&](int worker) {
      if (worker == 1) joined = true;
      // Worker 0 waits, so the run can only end when worker 1 really came; ctest's time limit catches the failure.
      while (!joined) std::this_thread::yield();
    });
    CHECK(joined);
  }
}
