// Trainings in the memory of a device, on the backends of nets_test.cpp, against the same trainings on the cpu backend.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <utility>

#include "backend/nets_kit.hpp"
#include "ntkrob/nn/trainer.hpp"

using namespace ntkrob;
using Catch::Matchers::Contains;
using nn_test::for_each_device;
using nn_test::kQuarterNets;
using nn_test::quarter_net;
using nn_test::quarters;
using nn_test::same_bits;
using nn_test::Toy;

namespace {

double largest_difference(const Net& a, const Net& b) {
  double worst = 0;
  for (std::size_t l = 0; l < a.layers().size(); ++l)
    for (const auto part : {&LayerParameters::weight, &LayerParameters::bias})
      worst = std::max(worst, kit::compare((a.layers()[l].*part).view(), (b.layers()[l].*part).view(), 0).worst);
  return worst;
}

TrainOptions short_run(const char* loss) {
  TrainOptions options;
  options.loss = loss;
  options.steps = 15;
  options.lr = 0.2;
  options.batch = 24;
  options.weight_decay = 1e-3;
  return options;
}

}  // namespace

TEST_CASE("a training on a device follows that on the cpu backend", "[backend]") {
  const Toy toy = quarters(150);
  for_each_device([&](Backend& device, Backend& cpu) {
    for (const char* spec : kQuarterNets)
      for (const char* loss : {"mse", "ce"})
        for (const index batch : {24, 0}) {
          INFO(spec << ", " << loss << ", batch " << batch);
          Net there = quarter_net(spec, device), here = quarter_net(spec, cpu);
          TrainOptions options = short_run(loss);
          options.batch = batch;
          const auto curve = [&](Net& net) {
            std::vector<double> losses;
            train(net, toy.x.view(), toy.targets, options, [&](const TrainStep& s) {
              losses.push_back(s.loss);
              return true;
            });
            return losses;
          };
          const std::vector<double> found = curve(there), expected = curve(here);
          REQUIRE(found.size() == expected.size());
          CHECK(expected.back() < 0.99 * expected.front());
          // Roundings of float32 in 15 steps that forget slowly.
          for (std::size_t s = 0; s < found.size(); ++s) CHECK(found[s] == Approx(expected[s]).margin(2e-5));
          CHECK(largest_difference(there, quarter_net(spec, cpu)) > 1e-3);
        }
  });
}

TEST_CASE("every option of a training does on a device what it does on the cpu backend", "[backend]") {
  const Toy toy = quarters(150);
  using Change = std::function<void(TrainOptions&)>;
  const std::pair<const char*, Change> changes[] = {
      {"average", [](TrainOptions& o) { o.ema = 0.8; }},
      {"clipping", [](TrainOptions& o) { o.clip_norm = 0.3; }},
      {"NTK parameterisation", [](TrainOptions& o) { o.parameterisation = "ntk"; }},
      {"smoothing", [](TrainOptions& o) { o.label_smoothing = 0.2; }},
      {"shifts", [](TrainOptions& o) { o.augmentation.shift = 1; }},
      {"shifts of all images", [](TrainOptions& o) { o.augmentation.shift = 1, o.batch = 0; }},
      {"images held out", [](TrainOptions& o) { o.validation = 30, o.validate_every = 4; }},
      {"images held out of a whole set", [](TrainOptions& o) { o.validation = 30, o.validate_every = 4, o.batch = 0; }},
  };
  for_each_device([&](Backend& device, Backend& cpu) {
    for (const char* spec : kQuarterNets)
      for (const auto& [what, change] : changes) {
        INFO(spec << ", " << what);
        TrainOptions options = short_run("ce");
        change(options);
        const auto curve = [&](Net& net) {
          std::vector<double> numbers;
          train(net, toy.x.view(), toy.targets, options, [&](const TrainStep& s) {
            numbers.push_back(s.loss);
            if (s.validation) numbers.push_back(*s.validation);
            return true;
          });
          return numbers;
        };
        Net there = quarter_net(spec, device), here = quarter_net(spec, cpu);
        const std::vector<double> found = curve(there), expected = curve(here);
        REQUIRE(found.size() == expected.size());
        CHECK(found.size() == (options.validation > 0 ? 19u : 15u));
        for (std::size_t k = 0; k < found.size(); ++k) CHECK(found[k] == Approx(expected[k]).margin(2e-5));
        CHECK(largest_difference(there, here) < 1e-4);
        CHECK(largest_difference(there, quarter_net(spec, cpu)) > 1e-4);
      }
  });
}

TEST_CASE("a training on a device has the same bits in every run, and with batches from the host", "[backend]") {
  const Toy toy = quarters(150);
  const BatchAttack copies = [](const Net&, ConstView2D<float> x, const int*, index, View2D<float> adversarial) {
    convert(x, adversarial);
  };
  for_each_device([&](Backend& device, Backend&) {
    for (const char* spec : kQuarterNets) {
      INFO(spec);
      const auto trained = [&](const BatchAttack& attack) {
        Net net = quarter_net(spec, device);
        train(net, toy.x.view(), toy.targets, short_run("ce"), {}, attack);
        return net;
      };
      const Net once = trained({});
      CHECK(same_bits(once, trained({})));
      CHECK(same_bits(once, trained(copies)));
      const auto other = make_backend(device.info().name, 1);
      Net net = quarter_net(spec, *other);
      train(net, toy.x.view(), toy.targets, short_run("ce"));
      CHECK(same_bits(once, net));
    }
  });
}

TEST_CASE("a training on a device that is cut after any step and restored ends with the same bits", "[backend]") {
  const Toy toy = quarters(150);
  const BatchAttack copies = [](const Net&, ConstView2D<float> x, const int*, index, View2D<float> adversarial) {
    convert(x, adversarial);
  };
  for_each_device([&](Backend& device, Backend& cpu) {
    for (const char* spec : kQuarterNets)
      for (const BatchAttack& attack : {BatchAttack(), copies}) {
        INFO(spec << (attack ? ", batches from the host" : ", batches on the device"));
        const TrainOptions options = short_run("ce");
        REQUIRE(options.momentum > 0);
        Net whole = quarter_net(spec, device);
        train(whole, toy.x.view(), toy.targets, options, {}, attack);

        Net net = quarter_net(spec, device);
        Trainer cut(net, toy.x.view(), toy.targets, options, attack);
        for (index step = 0; step <= cut.steps(); ++step) {
          INFO("after step " << step);
          const StateDict state = cut.state();
          const std::vector<float>& velocity = state.get<NdArray<float>>("velocity/0/weight").values;
          CHECK(std::any_of(velocity.begin(), velocity.end(), [](float v) { return v != 0; }) == (step > 0));
          Net other(spec, {6, 6, 1}, 4, Initialisation::he, 99, device);
          Trainer restored(other, toy.x.view(), toy.targets, options, attack);
          restored.step();  // what it has done before does not count
          restored.restore(state);
          CHECK(same_bits(other, net));
          while (!restored.done()) restored.step();
          CHECK(same_bits(other, whole));
          if (!cut.done()) cut.step();
        }
        CHECK(same_bits(net, whole));
        // What a device has left is taken up by the processor, and the other way about.
        Net here = quarter_net(spec, cpu);
        Trainer on_cpu(here, toy.x.view(), toy.targets, options, attack);
        while (on_cpu.steps_done() < 7) on_cpu.step();
        Net there = quarter_net(spec, device);
        Trainer resumed(there, toy.x.view(), toy.targets, options, attack);
        resumed.restore(on_cpu.state());
        while (!resumed.done()) resumed.step();
        CHECK(largest_difference(there, whole) < 1e-4);
      }
  });
}

TEST_CASE("a training step on a device moves numbers of images, logits and cotangents", "[backend]") {
  const Toy toy = quarters(150);
  for_each_device([&](Backend& device, Backend&) {
    Net net = quarter_net(kQuarterNets[1], device);
    const auto moved = [&](index steps) {
      unsigned long long before[2] = {}, after[2] = {};
      const char* form = "copied %llu bytes to the device and %llu back";
      REQUIRE(std::sscanf(device.account().c_str(), form, &before[0], &before[1]) == 2);
      TrainOptions options = short_run("ce");
      options.steps = steps;
      train(net, toy.x.view(), toy.targets, options);
      REQUIRE(std::sscanf(device.account().c_str(), form, &after[0], &after[1]) == 2);
      return std::pair<index, index>(after[0] - before[0], after[1] - before[1]);
    };
    moved(1);
    const auto few = moved(2), many = moved(6);
    const index logits = 24 * 4 * 4;  // bytes
    CHECK(many.first - few.first == 4 * (logits + 24 * 4));
    CHECK(many.second - few.second == 4 * logits);
  });
}

TEST_CASE("parameters of a net on a device are seen and set through layers() at any time", "[backend]") {
  const Toy toy = quarters(60);
  for_each_device([&](Backend& device, Backend& cpu) {
    Net there = quarter_net("mlp:9", device), here = quarter_net("mlp:9", cpu);
    Matrix<float> found(60, 4), expected(60, 4);
    const auto check_logits = [&](const Net& net) {
      net.logits(toy.x.view(), found.view());
      here.logits(toy.x.view(), expected.view());
      NTKROB_CHECK_SAME(kit::compare(found.view(), expected.view(), 1e-5));
    };
    check_logits(there);
    std::vector<LayerParameters>& held = there.layers();
    for (const float value : {0.25f, -1.5f}) {  // through one reference, between passes
      held[0].weight(3, 7) = here.layers()[0].weight(3, 7) = value;
      held[1].bias(0, 2) = here.layers()[1].bias(0, 2) = value;
      check_logits(there);
    }

    // In the middle of a training: what is read is the step's, what is written is trained on.
    TrainOptions options = short_run("mse");
    Net plain = there;
    const auto spoil = [&](Net& net) {
      return [&net](const TrainStep& s) {
        if (s.step == 5) net.layers()[0].weight(2, 2) = 0.5f;
        if (s.step == 6) CHECK(std::abs(net.layers()[0].weight(2, 2) - 0.5f) < 0.05f);
        return true;
      };
    };
    train(plain, toy.x.view(), toy.targets, options, [&](const TrainStep& s) {
      const Net copy = plain;
      if (s.step % 8 == 1) CHECK(same_bits(copy, plain));
      return true;
    });
    train(there, toy.x.view(), toy.targets, options, spoil(there));
    train(here, toy.x.view(), toy.targets, options, spoil(here));
    CHECK(largest_difference(there, here) < 2e-6);
    CHECK(largest_difference(there, plain) > 1e-2);
    CHECK(held[0].weight(2, 2) == std::as_const(there).layers()[0].weight(2, 2));
    check_logits(there);
    held[1].weight(1, 1) = here.layers()[1].weight(1, 1) = 2;
    check_logits(there);
    const Net copy = there, moved = std::move(there);
    check_logits(copy);
    check_logits(moved);
  });
}

TEST_CASE("a training on a device that fails or is stopped keeps the parameters of the step before", "[backend]") {
  const Toy toy = quarters(60);
  for_each_device([&](Backend& device, Backend&) {
    for (const bool diverges : {true, false}) {
      Net net = quarter_net("mlp:9", device), last = net;
      index steps = 0;
      TrainOptions options = short_run("mse");
      options.schedule = "constant";
      if (diverges) options.lr = 1e6;
      const auto on_step = [&](const TrainStep& s) {
        steps = s.step;
        last = net;
        NTKROB_CHECK(diverges || s.step < 5, Interrupted, "stopped");
        return true;
      };
      if (diverges)
        CHECK_THROWS_WITH(train(net, toy.x.view(), toy.targets, options, on_step),
                          Contains("at step ") && Contains("of 15") && Contains("lower lr"));
      else
        CHECK_THROWS_AS(train(net, toy.x.view(), toy.targets, options, on_step), Interrupted);
      CHECK(steps > 0);
      CHECK(same_bits(net, last));
      CHECK(largest_difference(net, quarter_net("mlp:9", device)) > 0);
    }
    // The loss of the last step is finite and the last update is not.
    Net net = quarter_net("mlp:9", device);
    TrainOptions last = short_run("mse");
    last.lr = 3e38;
    last.steps = 1;
    Toy far = toy;  // whose derivatives are large
    for (index i = 0; i < far.targets.values.size(); ++i) far.targets.values.data()[i] *= 1e4f;
    CHECK_THROWS_WITH(train(net, far.x.view(), far.targets, last), Contains("a parameter is"));
  });
}
