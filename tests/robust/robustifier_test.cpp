#include "ntkrob/robust/robustifier.hpp"

#include <cstring>
#include <numeric>

#include "kit/check.hpp"
#include "ntkrob/krr/machine.hpp"
#include "ntkrob/model/loss.hpp"
#include "ntkrob/model/metrics.hpp"
#include "robust/blobs.hpp"

namespace ntkrob {
namespace {

double mean_loss(const std::vector<StepRecord>& history, std::size_t begin, std::size_t end) {
  double sum = 0;
  for (std::size_t i = begin; i < end; ++i) sum += history[i].loss;
  return sum / static_cast<double>(end - begin);
}

}  // namespace

TEST_CASE("the outer loss falls for every optimiser, precision, loss, norm and start", "[robust]") {
  struct Case {
    const char* name;
    std::function<void(RobustifyOptions&)> change;
  };
  const std::vector<Case> cases{
      {"adam", [](auto&) {}},
      {"float64", [](auto& o) { o.precision = "float64"; }},
      {"signed", [](auto& o) { o.optimizer = "signed", o.lr = 1e-2; }},
      {"KIP", [](auto& o) { o.eps = 0; }},
      {"noise", [](auto& o) { o.init = "noise"; }},
      {"ce", [](auto& o) { o.outer_loss = "ce", o.temperature = 4; }},
      {"l2", [](auto& o) { o.norm = "l2", o.eps = 0.2; }},
      {"labels", [](auto& o) { o.learn_labels = true; }},
  };
  const Blobs blobs;
  for (const Case& c : cases) {
    CAPTURE(c.name);
    RobustifyOptions options = small_options();
    options.batch = 45;  // the whole pool, so that losses of different steps can be compared
    c.change(options);
    Robustifier robustifier(options, blobs.data(), test_backend());
    while (!robustifier.done()) robustifier.step();

    REQUIRE(robustifier.history().size() == 20);
    CHECK(mean_loss(robustifier.history(), 17, 20) < 0.8 * mean_loss(robustifier.history(), 0, 3));
  }
}

TEST_CASE("with eps 0 (KIP) robust equals clean in every validation", "[robust]") {
  const Blobs blobs;
  RobustifyOptions options = small_options();
  options.eps = 0;
  Robustifier robustifier(options, blobs.data(), test_backend());
  while (!robustifier.done()) {
    const StepRecord record = robustifier.step();
    CHECK(record.eps == 0);
    if (record.validated) CHECK(record.validation_robust == record.validation_clean);
  }
  CHECK(robustifier.initial().validated);
}

TEST_CASE("with eps 0 the first loss and accuracy are those of the clean data", "[robust]") {
  const Blobs blobs;
  RobustifyOptions options = small_options();
  options.eps = 0;
  options.validation = 0;
  options.batch = 60;  // one epoch: every image once
  Robustifier robustifier(options, blobs.data(), test_backend());
  const auto machine = robustifier.machine();
  const Matrix<float> logits = all_logits(*machine, blobs.x.view());
  std::vector<double> losses(60);
  make_loss("mse")->evaluate(logits.view(), blobs.labels.data(), centred_one_hot(blobs.labels, 3).view(), losses.data(),
                             {});

  const StepRecord first = robustifier.step();

  // The step sums its logits in strips of another shape than logits() does: equal to float32 rounding.
  CHECK(first.loss == Approx(std::accumulate(losses.begin(), losses.end(), 0.0) / 60).epsilon(2e-6));
  CHECK(first.adversarial == Approx(accuracy(*machine, blobs.x.view(), blobs.labels)));
}

TEST_CASE("the outer gradient is that of the mean loss over the batch", "[robust]") {
  const Blobs blobs;
  RobustifyOptions options = small_options();
  options.precision = "float64";
  options.eps = 0;
  options.validation = 0;
  options.batch = 60;
  Robustifier robustifier(options, blobs.data(), test_backend());
  const RobustSet set = robustifier.result();
  const Matrix<float> targets = centred_one_hot(blobs.labels, 3);
  Matrix<double> support(12, Blobs::kD), labels(12, 3), x(60, Blobs::kD), g(60, 3), gradient(12, Blobs::kD);
  convert(set.images.view(), support.view());
  convert(set.targets.view(), labels.view());
  convert(blobs.x.view(), x.view());
  const BasicKernelMachine<double> machine(Kernel(options.kernel->all[0], test_backend()),
                                           {Blobs::kSide, Blobs::kSide, 1}, support.view(), labels.view(),
                                           Ridge{options.ridge});
  const Matrix<float> logits = all_logits(machine, blobs.x.view());
  for (index i = 0; i < 60; ++i)
    for (index j = 0; j < 3; ++j)
      g(i, j) = (static_cast<double>(logits(i, j)) - static_cast<double>(targets(i, j))) / 60;
  machine.support_grad(x.view(), g.view(), gradient.view(), {});
  double squares = 0;
  for (index i = 0; i < gradient.size(); ++i) squares += gradient.data()[i] * gradient.data()[i];

  // Float32 rounding of the loss derivative inside the loop: 6e-8 of each entry, far below the bound.
  CHECK(robustifier.step().gradient_norm == Approx(std::sqrt(squares)).epsilon(1e-5));
}

TEST_CASE("the same bytes for one and for two workers", "[robust]") {
  const Blobs blobs;
  RobustifyOptions options = small_options();
  options.precision = GENERATE(as<std::string>{}, "mixed", "float64");
  options.learn_labels = true;
  RobustSet sets[2];
  std::vector<StepRecord> histories[2];
  for (int workers = 1; workers <= 2; ++workers) {
    const auto backend = make_backend("cpu", workers);
    Robustifier robustifier(options, blobs.data(), *backend);
    while (!robustifier.done()) robustifier.step();
    sets[workers - 1] = robustifier.result();
    histories[workers - 1] = robustifier.history();
  }
  CHECK(sets[0].best_step == sets[1].best_step);
  CHECK(std::memcmp(sets[0].images.data(), sets[1].images.data(), sizeof(float) * 12 * Blobs::kD) == 0);
  CHECK(std::memcmp(sets[0].targets.data(), sets[1].targets.data(), sizeof(float) * 12 * 3) == 0);
  for (std::size_t i = 0; i < 20; ++i) {
    CHECK(histories[0][i].loss == histories[1][i].loss);
    CHECK(histories[0][i].gradient_norm == histories[1][i].gradient_norm);
    CHECK(histories[0][i].validation_robust == histories[1][i].validation_robust);
  }
}

TEST_CASE("the result is the iterate that validation liked best, the later one of equals", "[robust]") {
  const Blobs blobs;
  RobustifyOptions options = small_options();
  options.validate_every = 2;
  options.lr = 0.3;  // so large that later iterates are not simply better
  options.schedule = "constant";
  Robustifier robustifier(options, blobs.data(), test_backend());
  std::vector<Matrix<float>> iterates(1, Matrix<float>(12, Blobs::kD));
  robustifier.state().get_matrix("support", iterates[0].view());
  while (!robustifier.done()) {
    robustifier.step();
    iterates.emplace_back(12, Blobs::kD);
    robustifier.state().get_matrix("support", iterates.back().view());
  }

  REQUIRE(robustifier.initial().validated);
  StepRecord best = robustifier.initial();
  int validations = 1;
  for (const StepRecord& record : robustifier.history()) {
    CHECK(record.validated == (record.step % 2 == 0));
    if (!record.validated) continue;
    ++validations;
    CHECK(record.validation_robust <= record.validation_clean);
    if (std::make_pair(record.validation_robust, record.validation_clean) >=
        std::make_pair(best.validation_robust, best.validation_clean))
      best = record;
  }
  const RobustSet set = robustifier.result();
  CHECK(validations == 11);
  CHECK(set.best_step == best.step);
  CHECK(best.step < 20);  // else the test shows nothing
  NTKROB_CHECK_SAME(kit::compare(set.images.view(), iterates[static_cast<std::size_t>(best.step)].view(), 0));
}

TEST_CASE("without validation the last iterate is the result", "[robust]") {
  const Blobs blobs;
  RobustifyOptions options = small_options();
  options.validation = 0;
  options.steps = 3;
  Robustifier robustifier(options, blobs.data(), test_backend());
  CHECK(robustifier.result().best_step == 0);
  while (!robustifier.done()) CHECK(!robustifier.step().validated);
  Matrix<float> support(12, Blobs::kD);
  robustifier.state().get_matrix("support", support.view());
  CHECK(robustifier.result().best_step == 3);
  NTKROB_CHECK_SAME(kit::compare(robustifier.result().images.view(), support.view(), 0));
  CHECK(!robustifier.initial().validated);
  CHECK_THROWS_WITH(robustifier.step(), Catch::Contains("all 3 steps are done"));
}

TEST_CASE("pixels stay in the box and, for signed steps, in the ball around the initial images", "[robust]") {
  const Blobs blobs;
  RobustifyOptions options = small_options();
  options.optimizer = GENERATE(as<std::string>{}, "adam", "signed");
  options.lr = 0.05;
  options.radius = 0.1;
  options.schedule = "constant";
  options.validation = 0;
  Robustifier robustifier(options, blobs.data(), test_backend());
  while (!robustifier.done()) robustifier.step();
  const RobustSet set = robustifier.result();
  float furthest = 0;
  for (index i = 0; i < set.images.size(); ++i) {
    const float v = set.images.data()[i];
    REQUIRE((v >= 0 && v <= 1));
    furthest = std::max(furthest, std::abs(v - set.initial_images.data()[i]));
  }
  if (options.optimizer == "signed") {
    CHECK(furthest <= 0.1f + 1e-7f);
    CHECK(furthest > 0.09f);
  } else {
    CHECK(furthest > 0.1f);
  }
}

TEST_CASE("signed steps move each pixel by the step against the sign of the gradient", "[robust]") {
  const Blobs blobs;
  RobustifyOptions options = small_options();
  options.optimizer = "signed";
  options.lr = 0.01;
  options.clip = false;
  options.validation = 0;
  options.schedule = "constant";
  Robustifier robustifier(options, blobs.data(), test_backend());
  robustifier.step();
  const RobustSet set = robustifier.result();
  for (index i = 0; i < set.images.size(); ++i)
    CHECK(std::abs(set.images.data()[i] - set.initial_images.data()[i]) == Approx(0.01f).epsilon(1e-4));
}

TEST_CASE("eps grows over the ramp and the step size follows the schedule", "[robust]") {
  const Blobs blobs;
  RobustifyOptions options = small_options();
  options.eps_ramp = 0.5;
  Robustifier robustifier(options, blobs.data(), test_backend());
  while (!robustifier.done()) robustifier.step();
  const auto& history = robustifier.history();
  for (std::size_t t = 0; t < 20; ++t) {
    CHECK(history[t].step == static_cast<index>(t) + 1);
    CHECK(history[t].eps == Approx(0.05 * std::min(1.0, (static_cast<double>(t) + 1) / 10)));
    CHECK(history[t].lr == Approx(2e-2 * 0.5 * (1 + std::cos(M_PI * static_cast<double>(t) / 20))));
    CHECK(history[t].lambda > 0);
    CHECK(history[t].gradient_norm > 0);
    CHECK(history[t].seconds > 0);
  }
}

TEST_CASE("labels move only when they are learned", "[robust]") {
  const Blobs blobs;
  RobustifyOptions options = small_options();
  options.steps = 3;
  options.validation = 0;
  for (const bool learn : {false, true}) {
    options.learn_labels = learn;
    Robustifier robustifier(options, blobs.data(), test_backend());
    while (!robustifier.done()) robustifier.step();
    const RobustSet set = robustifier.result();
    const Matrix<float> centred = centred_one_hot(set.labels, 3);
    CHECK((kit::compare(set.targets.view(), centred.view(), 0).worst > 0) == learn);
  }
}

TEST_CASE("a step that leaves the numbers throws, names itself and keeps the last whole step", "[robust]") {
  const Blobs blobs;
  RobustifyOptions options = small_options();
  options.clip = false;
  options.lr = 1e30;
  options.schedule = "constant";
  Robustifier robustifier(options, blobs.data(), test_backend());
  robustifier.step();  // leads to images of size 1e30, whose kernel is not finite
  Matrix<float> before(12, Blobs::kD), after(12, Blobs::kD);
  robustifier.state().get_matrix("support", before.view());

  CHECK_THROWS_AS(robustifier.step(), NumericalError);
  CHECK_THROWS_WITH(robustifier.step(), Catch::StartsWith("outer step 2: "));

  robustifier.state().get_matrix("support", after.view());
  CHECK(robustifier.steps_done() == 1);
  NTKROB_CHECK_SAME(kit::compare(before.view(), after.view(), 0));
}

TEST_CASE("a step whose validation fails is not taken", "[robust]") {
  const Blobs blobs;
  RobustifyOptions options = small_options();
  options.clip = false;
  options.lr = 1e30;
  options.validate_every = 1;
  Robustifier robustifier(options, blobs.data(), test_backend());
  CHECK_THROWS_AS(robustifier.step(), NumericalError);
  CHECK(robustifier.steps_done() == 0);
  const RobustSet set = robustifier.result();
  NTKROB_CHECK_SAME(kit::compare(set.images.view(), set.initial_images.view(), 0));
}

TEST_CASE("training data that cannot be used are refused with place and value", "[robust]") {
  const auto attempt = [](const std::function<void(Blobs&, RobustifyOptions&)>& spoil) {
    Blobs blobs;
    RobustifyOptions options = small_options();
    spoil(blobs, options);
    Robustifier(options, blobs.data(), test_backend());
  };
  CHECK_THROWS_AS(attempt([](auto& b, auto&) { b.x(7, 2) = std::nanf(""); }), NonFinite);
  CHECK_THROWS_WITH(attempt([](auto& b, auto&) { b.x(7, 2) = 255; }),
                    Catch::Contains("image 7") && Catch::Contains("255"));
  CHECK_THROWS_WITH(attempt([](auto& b, auto&) { b.labels[9] = 3; }),
                    Catch::Contains("image 9") && Catch::Contains("3"));
  CHECK_THROWS_AS(attempt([](auto& b, auto&) { b.labels.pop_back(); }), ShapeError);
  CHECK_THROWS_WITH(attempt([](auto& b, auto&) { std::fill(b.labels.begin(), b.labels.end(), 2); }),
                    Catch::Contains("all 60 training images are of one class, 2"));
  CHECK_THROWS_WITH(attempt([](auto&, auto& o) { o.batch = 46; }),
                    Catch::Contains("batch is 46") && Catch::Contains("45"));
  CHECK_THROWS_WITH(attempt([](auto&, auto& o) { o.validation = 60; }), Catch::Contains("validation is 60"));
  CHECK_THROWS_WITH(attempt([](auto&, auto& o) { o.lr = -1; }), Catch::Contains("lr is -1"));
}

}  // namespace ntkrob
