#include "ntkrob/nn/trainer.hpp"

#include "kit/check.hpp"
#include "nn/fixture.hpp"
#include "ntkrob/model/metrics.hpp"

using namespace ntkrob;
using Catch::Matchers::Contains;
using nn_test::parabola;
using nn_test::random_matrix;
using nn_test::Toy;

namespace {

TrainOptions small_run(const char* loss) {
  TrainOptions options;
  options.loss = loss;
  options.steps = 600;
  options.batch = 32;
  options.lr = 0.1;
  return options;
}

/// Start values of tests/golden/nn_gradient_descent.py.
void set_formula(Net& net) {
  int k = 0;
  for (LayerParameters& layer : net.layers())
    for (Matrix<float>* p : {&layer.weight, &layer.bias}) {
      for (index i = 0; i < p->size(); ++i)
        p->data()[i] = static_cast<float>(0.6 * std::sin(1.7 * static_cast<double>(i + 1) + k));
      ++k;
    }
}

struct Golden {
  const char* loss;
  double losses[3];
  std::vector<double> weight0, bias0, weight1, bias1;
};

}  // namespace

TEST_CASE("three steps of gradient descent equal PyTorch's", "[nn]") {
  // Output of tests/golden/nn_gradient_descent.py: momentum 0.9, weight decay 0.01, lr 0.1, float64.
  const Golden goldens[] = {
      {"mse",
       {0.694277156, 0.561788572, 0.393419782},
       {0.510266915, -0.314089973, -0.545019209, 0.157214488, 0.476406859, -0.417571050, -0.368803398, 0.512607624,
        0.287120816, -0.511326811, -0.097104244, 0.670363779},
       {0.081301326, -0.567760892, -0.033550845},
       {-0.106159778, -0.461059792, 0.464675911, 0.225702797, -0.524858933, -0.225840242},
       {-0.205007273, -0.067207565}},
      {"ce",
       {0.965617326, 0.915375644, 0.838959316},
       {0.534793510, -0.281009363, -0.534852270, 0.189361071, 0.476406859, -0.417571050, -0.368803398, 0.512607624,
        0.261548522, -0.529150585, -0.112337767, 0.643930091},
       {0.128577508, -0.567760892, -0.072294080},
       {-0.188445128, -0.461059792, 0.447135277, 0.221308515, -0.524858933, -0.225938265},
       {-0.434782418, -0.092271120}},
  };
  const auto backend = nn_test::backend();
  Matrix<float> x(5, 4);
  for (index i = 0; i < x.size(); ++i) x.data()[i] = static_cast<float>(0.5 + 0.5 * std::sin(2.3 * i + 0.4));
  Targets targets;
  targets.labels = {0, 1, 0, 1, 0};
  targets.values = centred_one_hot(targets.labels, 2);
  for (const Golden& golden : goldens) {
    INFO(golden.loss);
    Net net("mlp:3", {1, 1, 4}, 2, Initialisation::he, 0, *backend);
    set_formula(net);
    TrainOptions options;
    options.loss = golden.loss;
    options.steps = 3;
    options.batch = 0;
    options.lr = 0.1;
    options.weight_decay = 0.01;
    options.schedule = "constant";
    std::vector<double> losses;

    train(net, x.view(), targets, options, [&](const TrainStep& s) {
      losses.push_back(s.loss);
      return true;
    });

    const double bound = 1e-6;  // 3 steps of float32 sums of a dozen numbers below 1
    const auto expect = [&](const Matrix<float>& got, const std::vector<double>& want) {
      NTKROB_CHECK_SAME(kit::compare(got.view(), ConstView2D<double>(want.data(), got.rows(), got.cols()), bound));
    };
    REQUIRE(losses.size() == 3);
    for (int s = 0; s < 3; ++s) CHECK(losses[s] == Approx(golden.losses[s]).margin(bound));
    expect(net.layers()[0].weight, golden.weight0);
    expect(net.layers()[0].bias, golden.bias0);
    expect(net.layers()[1].weight, golden.weight1);
    expect(net.layers()[1].bias, golden.bias1);
  }
}

TEST_CASE("training separates a set that no linear classifier separates", "[nn]") {
  const auto backend = nn_test::backend(2);
  const Toy toy = parabola(300);
  for (const char* loss : {"mse", "ce"}) {
    INFO(loss);
    Net net("mlp:32,32", {1, 1, 2}, 2, Initialisation::uniform, 1, *backend);
    Net linear("mlp:", {1, 1, 2}, 2, Initialisation::uniform, 1, *backend);

    train(net, toy.x.view(), toy.targets, small_run(loss));
    train(linear, toy.x.view(), toy.targets, small_run(loss));

    CHECK(accuracy(net, toy.x.view(), toy.targets.labels) == 1.0);
    CHECK(accuracy(linear, toy.x.view(), toy.targets.labels) < 0.95);
  }
}

TEST_CASE("training gives the same bits for 1 and 2 workers and on a second run", "[nn]") {
  const auto one = nn_test::backend(1), two = nn_test::backend(2);
  Targets targets;
  const Matrix<float> x = random_matrix<float>(260, 100, 6);
  for (index i = 0; i < x.rows(); ++i) targets.labels.push_back(static_cast<int>(i % 10));
  targets.values = centred_one_hot(targets.labels, 10);
  TrainOptions options;
  options.steps = 6;
  options.batch = 64;
  const auto trained = [&](Backend& backend, std::uint64_t seed) {
    Net net("mlp:300,130", {10, 10, 1}, 10, Initialisation::uniform, 4, backend);
    TrainOptions seeded = options;
    seeded.seed = seed;
    train(net, x.view(), targets, seeded);
    return net;
  };

  const Net a = trained(*one, 0), b = trained(*two, 0), again = trained(*two, 0), other = trained(*one, 1);

  CHECK(nn_test::same_bits(a, b));
  CHECK(nn_test::same_bits(b, again));
  CHECK(!nn_test::same_bits(a, other));
}

TEST_CASE("an epoch visits a fresh permutation without its incomplete last batch", "[nn]") {
  const auto backend = nn_test::backend();
  const index n = 23, batch = 5;
  Matrix<float> x(n, 1);
  Targets targets;
  for (index i = 0; i < n; ++i) {
    x(i, 0) = static_cast<float>(i) / 32;
    targets.labels.push_back(static_cast<int>(i % 2));
  }
  targets.values = centred_one_hot(targets.labels, 2);
  TrainOptions options;
  options.epochs = 3;
  options.steps = 1;  // epochs win
  options.batch = batch;
  std::vector<std::vector<index>> seen;
  const BatchAttack spy = [&](const Net&, ConstView2D<float> rows, const int* labels, index step,
                              View2D<float> adversarial) {
    const index epoch = (step - 1) / (n / batch);
    if (static_cast<index>(seen.size()) <= epoch) seen.emplace_back();
    for (index i = 0; i < rows.rows; ++i) {
      const index image = static_cast<index>(std::lround(rows(i, 0) * 32));
      seen.back().push_back(image);
      CHECK(labels[i] == image % 2);
      adversarial(i, 0) = rows(i, 0);
    }
  };
  Net net("mlp:4", {1, 1, 1}, 2, Initialisation::uniform, 0, *backend);

  train(net, x.view(), targets, options, {}, spy);

  REQUIRE(seen.size() == 3);
  for (auto& epoch : seen) {
    CHECK(epoch.size() == 20);
    CHECK(epoch != seen[(&epoch - seen.data() + 1) % 3]);
  }
  for (auto epoch : seen) {
    std::sort(epoch.begin(), epoch.end());
    CHECK(std::adjacent_find(epoch.begin(), epoch.end()) == epoch.end());
  }
}

TEST_CASE("a batch attack replaces the images that are trained on", "[nn]") {
  const auto backend = nn_test::backend();
  const Toy toy = parabola(60);
  TrainOptions options = small_run("mse");
  options.steps = 8;
  const auto trained = [&](ConstView2D<float> x, const BatchAttack& attack) {
    Net net("mlp:16", {1, 1, 2}, 2, Initialisation::uniform, 3, *backend);
    train(net, x, toy.targets, options, {}, attack);
    return net;
  };
  Matrix<float> halved = toy.x;
  for (index i = 0; i < halved.size(); ++i) halved.data()[i] *= 0.5f;
  const BatchAttack halve = [](const Net& net, ConstView2D<float> x, const int*, index, View2D<float> adversarial) {
    Matrix<float> logits(x.rows, net.classes());
    net.logits(x, logits.view());  // an attack may use the net
    for (index i = 0; i < x.rows; ++i)
      for (index j = 0; j < x.cols; ++j) adversarial(i, j) = 0.5f * x(i, j);
  };

  CHECK(nn_test::same_bits(trained(toy.x.view(), halve), trained(halved.view(), {})));
  CHECK(!nn_test::same_bits(trained(toy.x.view(), {}), trained(halved.view(), {})));
}

TEST_CASE("a batch as large as the set or larger is the full batch", "[nn]") {
  const auto backend = nn_test::backend();
  const Toy toy = parabola(40);
  const auto trained = [&](index batch) {
    Net net("mlp:16", {1, 1, 2}, 2, Initialisation::uniform, 3, *backend);
    TrainOptions options = small_run("ce");
    options.steps = 5;
    options.batch = batch;
    train(net, toy.x.view(), toy.targets, options);
    return net;
  };

  CHECK(nn_test::same_bits(trained(0), trained(40)));
  CHECK(nn_test::same_bits(trained(0), trained(100)));
  CHECK(!nn_test::same_bits(trained(0), trained(39)));
}

TEST_CASE("a full batch of many row blocks of repeated images equals the images once", "[nn]") {
  const auto backend = nn_test::backend();
  const Toy once = parabola(13);
  const index copies = 2 * Net::kRowBlock / 13 + 3;
  Toy many{Matrix<float>(13 * copies, 2), {}};
  for (index i = 0; i < many.x.rows(); ++i) {
    std::copy_n(once.x.row(i % 13), 2, many.x.row(i));
    many.targets.labels.push_back(once.targets.labels[static_cast<std::size_t>(i % 13)]);
  }
  many.targets.values = centred_one_hot(many.targets.labels, 2);
  for (const char* loss : {"mse", "ce"}) {
    TrainOptions options = small_run(loss);
    options.steps = 10;
    options.batch = 0;
    Net a("mlp:16", {1, 1, 2}, 2, Initialisation::uniform, 3, *backend), b = a;

    train(a, once.x.view(), once.targets, options);
    train(b, many.x.view(), many.targets, options);

    // Float32 sums of about 2000 terms, ten steps of lr 0.1.
    for (std::size_t l = 0; l < 2; ++l)
      NTKROB_CHECK_SAME(kit::compare(a.layers()[l].weight.view(), b.layers()[l].weight.view(), 2e-5));
  }
}

TEST_CASE("the schedule scales the learning rate of every step", "[nn]") {
  const auto backend = nn_test::backend();
  const Toy toy = parabola(40);
  const auto trained = [&](const char* schedule, index steps) {
    Net net("mlp:16", {1, 1, 2}, 2, Initialisation::uniform, 3, *backend);
    TrainOptions options = small_run("mse");
    options.schedule = schedule;
    options.steps = steps;
    train(net, toy.x.view(), toy.targets, options);
    return net;
  };

  CHECK(nn_test::same_bits(trained("step(every=0.5,factor=0)", 8), trained("constant", 4)));
  CHECK(!nn_test::same_bits(trained("step(every=0.5,factor=0)", 8), trained("constant", 8)));
}

TEST_CASE("a training that diverges stops with the step, the lr and the remedy", "[nn]") {
  const auto backend = nn_test::backend();
  const Toy toy = parabola(60);
  TrainOptions options = small_run("mse");
  options.lr = 1e6;
  options.schedule = "constant";
  Net net("mlp:16", {1, 1, 2}, 2, Initialisation::uniform, 3, *backend);

  CHECK_THROWS_WITH(train(net, toy.x.view(), toy.targets, options),
                    Contains("at step ") && Contains("of 600") && Contains("1e+06") && Contains("lower lr"));

  TrainOptions decayed = options;
  decayed.lr = 0.01;
  decayed.weight_decay = 1e10;
  Net shrunk("mlp:16", {1, 1, 2}, 2, Initialisation::uniform, 3, *backend);
  CHECK_THROWS_WITH(train(shrunk, toy.x.view(), toy.targets, decayed),
                    Contains("weight decay 1e+10 times lr 0.01") && Contains("lower weight-decay"));

  // Here the loss of the last step is finite and the last update is not.
  TrainOptions last = small_run("mse");
  last.lr = 3e38;
  last.steps = 1;
  Toy far = toy;
  for (index i = 0; i < far.targets.values.size(); ++i) far.targets.values.data()[i] *= 1e4f;
  Net fresh("mlp:16", {1, 1, 2}, 2, Initialisation::uniform, 3, *backend);
  CHECK_THROWS_WITH(train(fresh, far.x.view(), far.targets, last),
                    Contains("a parameter is") && Contains("after step 1") && Contains("lower lr"));

  Matrix<float> bad = toy.x;
  bad(17, 1) = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_AS(train(net, bad.view(), toy.targets, small_run("ce")), NonFinite);
  CHECK_THROWS_WITH(train(net, bad.view(), toy.targets, small_run("ce")), Contains("image 17"));
}

TEST_CASE("on_step sees every step and stops the training", "[nn]") {
  const auto backend = nn_test::backend();
  const Toy toy = parabola(60);
  Net net("mlp:16", {1, 1, 2}, 2, Initialisation::uniform, 3, *backend);
  std::vector<index> steps;

  train(net, toy.x.view(), toy.targets, small_run("ce"), [&](const TrainStep& s) {
    steps.push_back(s.step);
    CHECK(s.steps == 600);
    CHECK(s.loss > 0);
    CHECK(s.accuracy >= 0);
    CHECK(s.accuracy <= 1);
    return s.step < 4;
  });

  CHECK(steps == std::vector<index>{1, 2, 3, 4});
}

TEST_CASE("wrong training options and data are refused by name", "[nn]") {
  const auto backend = nn_test::backend();
  const Toy toy = parabola(20);
  Net net("mlp:4", {1, 1, 2}, 2, Initialisation::uniform, 3, *backend);
  const auto refuses = [&](const char* field, const char* value, const std::function<void(TrainOptions&)>& spoil) {
    TrainOptions options;
    spoil(options);
    INFO(field);
    try {
      options.validate();
      FAIL("not refused");
    } catch (const ConfigError& error) {
      CHECK(error.field() == field);
      CHECK(error.value() == value);
      CHECK(!error.limit().empty());
    }
    CHECK_THROWS_AS(train(net, toy.x.view(), toy.targets, options), ConfigError);
  };
  refuses("loss", "hinge", [](TrainOptions& o) { o.loss = "hinge"; });
  refuses("epochs", "-1", [](TrainOptions& o) { o.epochs = -1; });
  refuses("steps", "0", [](TrainOptions& o) { o.steps = 0; });
  refuses("batch", "-1", [](TrainOptions& o) { o.batch = -1; });
  refuses("lr", "nan", [](TrainOptions& o) { o.lr = std::nan(""); });
  refuses("momentum", "1", [](TrainOptions& o) { o.momentum = 1; });
  refuses("weight-decay", "-1", [](TrainOptions& o) { o.weight_decay = -1; });
  TrainOptions triangle;
  CHECK_THROWS_WITH(triangle.schedule = "triangle", Contains("triangle"));

  Targets short_labels = toy.targets, wrong_label = toy.targets, no_values = toy.targets;
  short_labels.labels.pop_back();
  wrong_label.labels[3] = 2;
  no_values.values = Matrix<float>();
  CHECK_THROWS_WITH(train(net, toy.x.view(), short_labels, {}), Contains("19 labels for 20 images"));
  CHECK_THROWS_WITH(train(net, toy.x.view(), wrong_label, {}), Contains("label 3 is 2"));
  CHECK_THROWS_WITH(train(net, toy.x.view(), no_values, {}), Contains("centred_one_hot"));
  TrainOptions ce;
  ce.loss = "ce";
  CHECK_NOTHROW(train(net, toy.x.view(), no_values, ce));
  CHECK_THROWS_AS(train(net, toy.x.view().middle_cols(0, 1), toy.targets, {}), ShapeError);
}
