#include <atomic>
#include <thread>

#include "kit/check.hpp"
#include "ntkrob/base/parallel.hpp"

using namespace ntkrob;

TEST_CASE("a stop ends a loop between two tasks, and the pool serves again once it is cleared", "[base]") {
  for (const int workers : {1, 2, 5}) {
    INFO(workers << " workers");
    WorkerPool pool(workers);
    Stop stop;
    pool.set_stop(&stop);
    std::atomic<index> run{0};
    CHECK_THROWS_AS(pool.for_each(1000,
                                  [&](index i, int) {
                                    ++run;
                                    if (i == 20) stop.request();
                                  }),
                    Interrupted);
    CHECK(run >= 21);
    CHECK(run < 1000);
    CHECK_THROWS_AS(pool.for_each(1, [&](index, int) { FAIL("a task of a stopped loop"); }), Interrupted);

    stop.clear();
    run = 0;
    pool.for_each(100, [&](index, int) { ++run; });
    CHECK(run == 100);
    pool.set_stop(nullptr);
    stop.request();
    pool.for_each(100, [&](index, int) { ++run; });
    CHECK(run == 200);
  }
}

TEST_CASE("a loop whose tasks had all begun when the stop came is not interrupted", "[base]") {
  WorkerPool pool(1);
  Stop stop;
  pool.set_stop(&stop);
  index run = 0;
  pool.for_each(10, [&](index i, int) {
    ++run;
    if (i == 9) stop.request();
  });
  CHECK(run == 10);
  pool.for_each(0, [](index, int) {});
}

TEST_CASE("a loop inside a task is stopped too", "[base]") {
  WorkerPool pool(2);
  Stop stop;
  pool.set_stop(&stop);
  std::atomic<index> inner{0};
  CHECK_THROWS_AS(pool.for_each(2,
                                [&](index, int) {
                                  pool.for_each(1000, [&](index i, int) {
                                    ++inner;
                                    if (i == 5) stop.request();
                                  });
                                }),
                  Interrupted);
  CHECK(inner < 1000);
}
