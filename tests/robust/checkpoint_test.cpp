#include "kit/check.hpp"
#include "ntkrob/robust/robustifier.hpp"
#include "robust/blobs.hpp"
#include "robust/states.hpp"

namespace ntkrob {
TEST_CASE("a run cut at any step and restored ends with the same bytes", "[robust]") {
  const Blobs blobs;
  RobustifyOptions options = small_options();
  SECTION("mixed, adam") {}
  SECTION("float64, adam") { options.precision = "float64"; }
  SECTION("mixed, refined factors") { options.factor = "refined"; }
  SECTION("mixed, signed") { options.optimizer = "signed"; }
  SECTION("mixed, learned labels, without validation") {
    options.learn_labels = true;
    options.validation = 0;
  }
  SECTION("float64, signed, learned labels") {
    options.precision = "float64";
    options.optimizer = "signed";
    options.learn_labels = true;
  }
  Robustifier straight(options, blobs.data(), test_backend());
  std::vector<StateDict> cuts;
  while (!straight.done()) {
    cuts.push_back(straight.state());
    straight.step();
  }
  const StateDict end = straight.state();

  for (const std::size_t cut : {0, 1, 5, 8, 19}) {
    CAPTURE(cut);
    Robustifier resumed(options, blobs.data(), test_backend());
    resumed.restore(cuts[cut]);
    REQUIRE(resumed.steps_done() == static_cast<index>(cut));
    CHECK(difference(resumed.state(), cuts[cut]) == "");
    while (!resumed.done()) resumed.step();
    CHECK(difference(resumed.state(), end) == "");
    CHECK(resumed.result().best_step == straight.result().best_step);
  }
  Robustifier finished(options, blobs.data(), test_backend());
  finished.restore(end);
  CHECK(finished.done());
  NTKROB_CHECK_SAME(kit::compare(finished.result().images.view(), straight.result().images.view(), 0));
}

TEST_CASE("a run that is rewound to an earlier checkpoint repeats itself", "[robust]") {
  const Blobs blobs;
  Robustifier robustifier(small_options(), blobs.data(), test_backend());
  robustifier.step();
  const StateDict early = robustifier.state();
  while (!robustifier.done()) robustifier.step();
  const StateDict end = robustifier.state();

  robustifier.restore(early);
  while (!robustifier.done()) robustifier.step();

  CHECK(difference(robustifier.state(), end) == "");
}

TEST_CASE("another seed gives other bytes", "[robust]") {
  const Blobs blobs;
  RobustifyOptions options = small_options();
  Robustifier a(options, blobs.data(), test_backend());
  options.seed = 4;
  Robustifier b(options, blobs.data(), test_backend());
  CHECK(difference(a.state(), b.state()).find("support") != std::string::npos);
}

TEST_CASE("a checkpoint of other options is refused with the first that differs", "[robust]") {
  const Blobs blobs;
  Robustifier source(small_options(), blobs.data(), test_backend());
  source.step();
  const StateDict state = source.state();
  const auto refusal = [&](const std::function<void(RobustifyOptions&)>& change) {
    RobustifyOptions options = small_options();
    change(options);
    Robustifier other(options, blobs.data(), test_backend());
    return message_of([&] { other.restore(state); });
  };
  CHECK_THAT(refusal([](auto& o) { o.lr = 0.5; }), Catch::Contains("lr=0.02") && Catch::Contains("lr=0.5"));
  CHECK_THAT(refusal([](auto& o) { o.steps = 21, o.seed = 9; }), Catch::Contains("steps=20"));
  CHECK_THAT(refusal([](auto& o) { o.precision = "float64"; }), Catch::Contains("precision=mixed"));
  CHECK_THAT(refusal([](auto& o) { o.learn_labels = true; }), Catch::Contains("learn-labels=false"));
  CHECK(refusal([](auto& o) { o.checkpoint_every = 7; }) == "no error");
}

TEST_CASE("a checkpoint of other data is refused", "[robust]") {
  Blobs blobs;
  Robustifier source(small_options(), blobs.data(), test_backend());
  const StateDict state = source.state();
  const auto refusal = [&](const Blobs& other) {
    Robustifier target(small_options(), other.data(), test_backend());
    return message_of([&] { target.restore(state); });
  };
  CHECK(refusal(Blobs()) == "no error");
  Blobs pixel;
  pixel.x(59, 15) = 1 - pixel.x(59, 15);
  CHECK_THAT(refusal(pixel), Catch::Contains("other training data"));
  Blobs label;
  label.labels[59] = 0;
  CHECK_THAT(refusal(label), Catch::Contains("other training data"));
  CHECK_THAT(refusal(Blobs(63)), Catch::Contains("60 x 16") && Catch::Contains("63 x 16"));
}

TEST_CASE("a damaged checkpoint is refused and changes nothing", "[robust]") {
  const Blobs blobs;
  Robustifier source(small_options(), blobs.data(), test_backend());
  for (int i = 0; i < 3; ++i) source.step();
  const StateDict state = source.state();
  Robustifier target(small_options(), blobs.data(), test_backend());
  const StateDict before = target.state();
  for (const auto& entry : state.entries()) {
    if (entry.first == "options/checkpoint-every") continue;
    CAPTURE(entry.first);
    CHECK_THAT(message_of([&] { target.restore(without(state, entry.first)); }), Catch::Contains(entry.first));
    CHECK(difference(target.state(), before) == "");
  }
  StateDict other_format = state;
  other_format.set("format", std::string("ntkrob.net/1"));
  CHECK_THAT(message_of([&] { target.restore(other_format); }), Catch::Contains("ntkrob.net/1"));
  StateDict beyond = state;
  beyond.set("step", std::int64_t(21));
  CHECK_THAT(message_of([&] { target.restore(beyond); }),
             Catch::Contains("entry \"step\" is 21, must be from 0 to 20"));
  CHECK(difference(target.state(), before) == "");
}

}  // namespace ntkrob
