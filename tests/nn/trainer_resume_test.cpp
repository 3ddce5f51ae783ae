/// Trainings that are left and taken up again.
#include <chrono>
#include <thread>

#include "kit/check.hpp"
#include "nn/fixture.hpp"
#include "ntkrob/attack/attack.hpp"
#include "ntkrob/nn/trainer.hpp"

using namespace ntkrob;
using nn_test::parabola;
using nn_test::same_bits;
using nn_test::Toy;

namespace {

TrainOptions some_steps() {
  TrainOptions options;
  options.epochs = 3;  // of 6 steps; the last rows of an epoch are dropped
  options.batch = 9;
  options.lr = 0.2;
  options.weight_decay = 0.01;
  options.schedule = "cosine";
  return options;
}

Net fresh(Backend& backend) { return Net("mlp:7,5", {1, 1, 2}, 2, Initialisation::he, 3, backend); }

}  // namespace

TEST_CASE("a training cut after any step and restored into another net ends with the same bytes", "[nn]") {
  const auto backend = nn_test::backend();
  const Toy toy = parabola(60);
  const TrainOptions options = some_steps();
  Net whole = fresh(*backend);
  train(whole, toy.x.view(), toy.targets, options);

  Net net = fresh(*backend);
  Trainer cut(net, toy.x.view(), toy.targets, options);
  REQUIRE(cut.steps() == 18);
  for (index step = 0; step <= cut.steps(); ++step) {
    INFO("after step " << step);
    const StateDict state = cut.state();
    Net other("mlp:7,5", {1, 1, 2}, 2, Initialisation::uniform, 99, *backend);
    Trainer restored(other, toy.x.view(), toy.targets, options);
    restored.step();  // what it has done before does not count
    restored.restore(state);
    CHECK(restored.steps_done() == step);
    CHECK(same_bits(other, net));
    while (!restored.done()) restored.step();
    CHECK(same_bits(other, whole));
    if (!cut.done()) cut.step();
  }
  CHECK(same_bits(net, whole));
  CHECK_THROWS_AS(cut.step(), ConfigError);
}

TEST_CASE("a training step that is stopped at any moment leaves net and trainer as they were", "[nn]") {
  const auto backend = make_backend("cpu", 2);
  const Toy toy = parabola(4000);
  TrainOptions options = some_steps();
  options.batch = 0;
  options.epochs = 0;
  options.steps = 6;
  const auto wide = [&] { return Net("mlp:300,200", {1, 1, 2}, 2, Initialisation::he, 3, *backend); };
  Net whole = wide();
  const auto start = std::chrono::steady_clock::now();
  train(whole, toy.x.view(), toy.targets, options);
  const double step_us =
      std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count() / 6;

  const Rng rng(7, "stops");
  Net net = wide();
  Trainer trainer(net, toy.x.view(), toy.targets, options);
  Stop stop;
  index stops = 0;
  for (std::uint64_t tries = 0; !trainer.done() && tries < 500; ++tries) {
    const index done = trainer.steps_done();
    const Net before = net;
    stop.clear();
    std::thread other([&] {
      std::this_thread::sleep_for(std::chrono::microseconds(static_cast<long>(rng.uniform(tries) * 1.5 * step_us)));
      stop.request();
    });
    backend->set_stop(&stop);
    try {
      trainer.step();
    } catch (const Interrupted&) {
      ++stops;
      CHECK(trainer.steps_done() == done);
      CHECK(same_bits(net, before));
    }
    other.join();
    backend->set_stop(nullptr);
  }
  CHECK(stops > 0);
  CHECK(same_bits(net, whole));
}
