/// What a training may be asked for beyond plain gradient descent: each option against its formula, written down
/// plainly.
#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

#include "kit/check.hpp"
#include "nn/fixture.hpp"
#include "ntkrob/model/metrics.hpp"
#include "ntkrob/nn/trainer.hpp"

using namespace ntkrob;
using nn_test::parabola;
using nn_test::same_bits;
using nn_test::Toy;

namespace {

Net fresh(Backend& backend, const std::string& spec = "mlp:7,5", Initialisation init = Initialisation::he) {
  return Net(spec, {1, 1, 2}, 2, init, 3, backend);
}

/// One step of gradient descent over all images, whose gradient is what the parameters have moved by.
TrainOptions one_step(const std::string& loss) {
  TrainOptions options;
  options.loss = loss;
  options.steps = 1;
  options.batch = 0;
  options.momentum = 0;
  options.schedule = "constant";
  options.lr = 0.5;
  return options;
}

/// (before - after) / lr of all parameters, weights and biases of a layer after another.
std::vector<double> moved(const Net& before, const Net& after, double lr) {
  std::vector<double> all;
  for (std::size_t l = 0; l < before.layers().size(); ++l)
    for (const auto part : {&LayerParameters::weight, &LayerParameters::bias}) {
      const Matrix<float>&a = before.layers()[l].*part, &b = after.layers()[l].*part;
      for (index i = 0; i < a.size(); ++i)
        all.push_back((static_cast<double>(a.data()[i]) - static_cast<double>(b.data()[i])) / lr);
    }
  return all;
}

void check_close(const std::vector<double>& a, const std::vector<double>& b, double bound) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    INFO("parameter " << i << ": " << a[i] << " and " << b[i] << ", bound " << bound);
    CHECK(std::abs(a[i] - b[i]) <= bound);
  }
}

double length(const std::vector<double>& values) {
  double square = 0;
  for (const double value : values) square += value * value;
  return std::sqrt(square);
}

/// The image that `how` makes of this one, by its definition: where each pixel comes from.
std::set<std::vector<float>> every_shift(ImageShape shape, const float* image, index most) {
  std::set<std::vector<float>> all;
  for (index down = -most; down <= most; ++down)
    for (index right = -most; right <= most; ++right) {
      std::vector<float> moved(static_cast<std::size_t>(shape.size()), 0.0f);
      for (index y = 0; y < shape.height; ++y)
        for (index x = 0; x < shape.width; ++x)
          for (index c = 0; c < shape.channels; ++c) {
            const index from_y = y - down, from_x = x - right;
            if (from_y < 0 || from_y >= shape.height || from_x < 0 || from_x >= shape.width) continue;
            moved[static_cast<std::size_t>((y * shape.width + x) * shape.channels + c)] =
                image[(from_y * shape.width + from_x) * shape.channels + c];
          }
      all.insert(moved);
    }
  return all;
}

std::vector<float> row_of(const Matrix<float>& x, index i) { return {x.row(i), x.row(i) + x.cols()}; }

}  // namespace

TEST_CASE("shifted images are those of the definition, each shift comes, and neighbours do not matter", "[nn]") {
  const auto backend = nn_test::backend(2);
  for (const ImageShape shape : {ImageShape{5, 4, 3}, ImageShape{1, 9, 2}, ImageShape{9, 1, 2}}) {
    constexpr index kImages = 600;
    const bool signal = shape.height == 1 || shape.width == 1;
    const Matrix<float> one = nn_test::random_matrix<float>(1, shape.size(), 1, 0.1, 1);
    Matrix<float> x(kImages, shape.size());
    for (index i = 0; i < kImages; ++i) std::copy_n(one.data(), one.size(), x.row(i));
    Augmentation how;
    how.shift = 2;
    const Rng rng(3, "test");
    augment(how, shape, rng, *backend, x.view());
    const std::set<std::vector<float>> expected = every_shift(shape, one.data(), 2);
    std::map<std::vector<float>, int> found;
    for (index i = 0; i < kImages; ++i) ++found[row_of(x, i)];
    CHECK(found.size() == (signal ? 5u : 25u));
    for (const auto& [image, times] : found) {
      CHECK((expected.count(image) == 1));
      // 24 +- 5 of 600, or 120 +- 10: six standard errors.
      CHECK(times < (signal ? 180 : 54));
    }
    Matrix<float> alone(1, shape.size());
    std::copy_n(one.data(), one.size(), alone.data());
    augment(how, shape, rng, *backend, alone.view());
    CHECK(row_of(alone, 0) == row_of(x, 0));
  }
}

TEST_CASE("half of the images are mirrored, and a square of zeros lies anywhere", "[nn]") {
  const auto backend = nn_test::backend();
  const ImageShape shape{6, 5, 2};
  constexpr index kImages = 400;
  const Matrix<float> one = nn_test::random_matrix<float>(1, shape.size(), 1, 0.1, 1);
  Matrix<float> x(kImages, shape.size());
  for (index i = 0; i < kImages; ++i) std::copy_n(one.data(), one.size(), x.row(i));
  Matrix<float> cut = x;
  Augmentation how;
  how.flip = true;
  augment(how, shape, Rng(3, "test"), *backend, x.view());
  std::vector<float> mirrored(static_cast<std::size_t>(shape.size()));
  for (index y = 0; y < shape.height; ++y)
    for (index k = 0; k < shape.width; ++k)
      for (index c = 0; c < 2; ++c)
        mirrored[static_cast<std::size_t>((y * 5 + k) * 2 + c)] = one.data()[(y * 5 + 4 - k) * 2 + c];
  int flipped = 0;
  for (index i = 0; i < kImages; ++i) {
    const bool is = row_of(x, i) == mirrored;
    CHECK((is || row_of(x, i) == row_of(one, 0)));
    flipped += is;
  }
  CHECK(std::abs(flipped - 200) < 60);  // six standard errors

  how = {};
  how.cutout = 3;
  augment(how, shape, Rng(4, "test"), *backend, cut.view());
  std::set<std::pair<index, index>> centres;
  for (index i = 0; i < kImages; ++i) {
    index top = 6, bottom = -1, left = 5, right = -1, zeros = 0;
    for (index y = 0; y < 6; ++y)
      for (index k = 0; k < 5; ++k) {
        const float a = cut(i, (y * 5 + k) * 2), b = cut(i, (y * 5 + k) * 2 + 1);
        CHECK(((a == 0) == (b == 0)));
        if (a != 0) {
          CHECK(a == one.data()[(y * 5 + k) * 2]);
          continue;
        }
        ++zeros;
        top = std::min(top, y), bottom = std::max(bottom, y), left = std::min(left, k), right = std::max(right, k);
      }
    CHECK(zeros == (bottom - top + 1) * (right - left + 1));
    CHECK((bottom - top + 1 == 3 || ((top == 0 || bottom == 5) && bottom - top + 1 == 2)));
    CHECK((right - left + 1 == 3 || ((left == 0 || right == 4) && right - left + 1 == 2)));
    centres.insert({top + bottom, left + right});
  }
  CHECK(centres.size() == 30);  // every pixel has been the centre
}

TEST_CASE("label smoothing is cross-entropy with smoothed targets", "[nn]") {
  const auto backend = nn_test::backend();
  const Toy toy = parabola(40);
  TrainOptions options = one_step("ce");
  options.label_smoothing = 0.3;
  const Net before = fresh(*backend);
  Net net = before;
  Trainer trainer(net, toy.x.view(), toy.targets, options);
  const TrainStep step = trainer.step();
  // Written down from the definition: sum_j q_j (log sum exp f - f_j), q = 0.7 one-hot + 0.15.
  const index n = toy.x.rows();
  Matrix<float> logits(n, 2);
  std::vector<LayerParameters> grads;
  double loss = 0;
  before.logits_and_parameter_grad(
      toy.x.view(),
      [&](index first, ConstView2D<float> f, View2D<float> cotangent) {
        for (index i = 0; i < f.rows; ++i) {
          const double a = f(i, 0), b = f(i, 1), all = std::log(std::exp(a) + std::exp(b));
          const bool second = toy.targets.labels[static_cast<std::size_t>(first + i)] == 1;
          const double q[2] = {second ? 0.15 : 0.85, second ? 0.85 : 0.15};
          loss += (q[0] * (all - a) + q[1] * (all - b)) / static_cast<double>(n);
          cotangent(i, 0) = static_cast<float>((std::exp(a - all) - q[0]) / static_cast<double>(n));
          cotangent(i, 1) = static_cast<float>((std::exp(b - all) - q[1]) / static_cast<double>(n));
        }
      },
      logits.view(), grads);
  INFO(step.loss << " and " << loss);
  CHECK(std::abs(step.loss - loss) < 1e-6);
  std::vector<double> expected;
  for (const LayerParameters& layer : grads)
    for (const Matrix<float>* part : {&layer.weight, &layer.bias})
      expected.insert(expected.end(), part->data(), part->data() + part->size());
  check_close(moved(before, net, options.lr), expected, 1e-6);
}

TEST_CASE("gradients are clipped to their length together, and shorter ones keep their bits", "[nn]") {
  const auto backend = nn_test::backend();
  const Toy toy = parabola(40);
  TrainOptions options = one_step("mse");
  const Net before = fresh(*backend);
  Net plain = before, clipped = before, loose = before;
  train(plain, toy.x.view(), toy.targets, options);
  const std::vector<double> whole = moved(before, plain, options.lr);
  options.clip_norm = 0.5 * length(whole);
  train(clipped, toy.x.view(), toy.targets, options);
  std::vector<double> expected = whole;
  for (double& one : expected) one *= 0.5;
  check_close(moved(before, clipped, options.lr), expected, 1e-6);
  options.clip_norm = 1.01 * length(whole);
  train(loose, toy.x.view(), toy.targets, options);
  CHECK(same_bits(loose, plain));
}

TEST_CASE("the average of weights is that of its formula, and the training goes on from the weights themselves",
          "[nn]") {
  const auto backend = nn_test::backend();
  const Toy toy = parabola(60);
  TrainOptions options;
  options.steps = 25;
  options.batch = 9;
  options.lr = 0.2;
  Net plain = fresh(*backend);
  std::vector<double> average;
  const auto numbers = [&] {
    const Net zero = [&] {
      Net net = plain;
      for (LayerParameters& layer : net.layers()) {
        std::fill_n(layer.weight.data(), layer.weight.size(), 0.0f);
        std::fill_n(layer.bias.data(), layer.bias.size(), 0.0f);
      }
      return net;
    }();
    return moved(plain, zero, 1);
  };
  average = numbers();
  train(plain, toy.x.view(), toy.targets, options, [&](const TrainStep& step) {
    const double t = static_cast<double>(step.step), d = std::min(0.9, (1 + t) / (10 + t));
    const std::vector<double> now = numbers();
    for (std::size_t i = 0; i < now.size(); ++i) average[i] = d * average[i] + (1 - d) * now[i];
    return true;
  });
  options.ema = 0.9;
  Net averaged = fresh(*backend);
  train(averaged, toy.x.view(), toy.targets, options);
  plain = averaged;
  check_close(numbers(), average, 1e-5);
}

TEST_CASE("images held out are in no batch, and choose the net", "[nn]") {
  const auto backend = nn_test::backend();
  const Toy toy = parabola(120);
  TrainOptions options;
  options.steps = 60;
  options.batch = 20;
  options.lr = 1.5;  // bold: accuracies go up and down
  options.momentum = 0.5;
  options.schedule = "constant";
  options.validation = 40;
  options.validate_every = 4;
  const std::vector<index> order = Rng(options.seed, "validation").permutation(120);
  const std::set<index> held_out(order.end() - 40, order.end());

  Net net = fresh(*backend);
  Trainer trainer(net, toy.x.view(), toy.targets, options);
  double best = -1;
  index best_step = 0;
  while (!trainer.done()) {
    const TrainStep step = trainer.step();
    CHECK(step.validation.has_value() == (step.step % 4 == 0));
    if (!step.validation) continue;
    Matrix<float> x(40, 2);
    std::vector<int> labels;
    for (const index row : held_out) {
      std::copy_n(toy.x.row(row), 2, x.row(static_cast<index>(labels.size())));
      labels.push_back(toy.targets.labels[static_cast<std::size_t>(row)]);
    }
    CHECK(*step.validation == accuracy(net, x.view(), labels));
    if (*step.validation > best) best = *step.validation, best_step = step.step;
  }
  const Net last = net;
  trainer.finish();
  CHECK(trainer.selection().accuracy == best);
  CHECK(trainer.selection().step >= best_step);  // of equal accuracies, that of the lower loss
  CHECK(trainer.selection().step < 60);
  CHECK(!same_bits(net, last));

  // Other numbers in the images held out change the choice, never the training.
  Toy other = toy;
  for (const index row : held_out) other.x(row, 0) = 1 - other.x(row, 0);
  Net elsewhere = fresh(*backend);
  Trainer with_other(elsewhere, other.x.view(), other.targets, options);
  while (!with_other.done()) with_other.step();
  CHECK(same_bits(elsewhere, last));
}

TEST_CASE("a training ends when patience does", "[nn]") {
  const auto backend = nn_test::backend();
  const Toy toy = parabola(120);
  TrainOptions options;
  options.steps = 1000;
  options.batch = 20;
  options.lr = 1e-7;  // nothing gets better but by the last bits of the loss
  options.validation = 40;
  options.validate_every = 3;
  options.patience = 2;
  options.momentum = 0;
  Net net = fresh(*backend);
  for (LayerParameters& layer : net.layers()) std::fill_n(layer.weight.data(), layer.weight.size(), 0.0f);
  Trainer trainer(net, toy.x.view(), toy.targets, options);
  while (!trainer.done()) trainer.step();
  CHECK(trainer.steps_done() == trainer.selection().step + 6);
  CHECK(trainer.steps() == trainer.steps_done());
  CHECK(trainer.selection().ended);
  CHECK_THROWS_AS(trainer.step(), ConfigError);
  const StateDict state = trainer.state();
  Trainer again(net, toy.x.view(), toy.targets, options);
  CHECK(!again.done());
  again.restore(state);
  CHECK(again.done());
}

TEST_CASE("in NTK parameterisation the weights move by c times the step of omega", "[nn]") {
  const auto backend = nn_test::backend();
  const Toy toy = parabola(40);
  TrainOptions options = one_step("mse");
  options.lr = 4;
  const std::string spec = "dense(width=7,w=1.2,b=0.5)-relu-dense(w=0.8,b=0.3)";
  const Net before = fresh(*backend, spec, Initialisation::ntk);
  Net standard = before, ntk = before;
  train(standard, toy.x.view(), toy.targets, options);
  options.parameterisation = "ntk";
  train(ntk, toy.x.view(), toy.targets, options);
  std::vector<double> expected = moved(before, standard, options.lr);
  const std::pair<int, double> squares[] = {{14, 1.44 / 2}, {7, 0.25}, {14, 0.64 / 7}, {2, 0.09}};
  std::size_t at = 0;
  for (const auto& [count, square] : squares)
    for (int k = 0; k < count; ++k) expected[at++] *= square;
  REQUIRE(at == expected.size());
  check_close(moved(before, ntk, options.lr), expected, 1e-6);
}

TEST_CASE("a training with every option, cut after any step, ends with the same bytes", "[nn]") {
  const auto backend = nn_test::backend();
  const Toy toy = parabola(60);
  for (const bool full : {false, true}) {
    TrainOptions options;
    options.loss = "ce";
    options.steps = 14;
    options.batch = full ? 0 : 9;
    options.lr = 0.4;
    options.label_smoothing = 0.1;
    options.clip_norm = 0.2;
    options.ema = 0.8;
    options.validation = 11;
    options.validate_every = 3;
    options.patience = 4;
    options.parameterisation = "ntk";
    const auto net_of = [&](std::uint64_t seed) {
      return Net("dense(width=9)-batchnorm-relu-dropout(rate=0.2)-dense", {1, 1, 2}, 2, Initialisation::ntk, seed,
                 *backend);
    };
    Net whole = net_of(1);
    train(whole, toy.x.view(), toy.targets, options);
    Net net = net_of(1);
    Trainer cut(net, toy.x.view(), toy.targets, options);
    while (!cut.done()) {
      INFO("after step " << cut.steps_done());
      Net other = net_of(77);
      Trainer restored(other, toy.x.view(), toy.targets, options);
      restored.step();
      restored.restore(cut.state());
      while (!restored.done()) restored.step();
      restored.finish();
      CHECK(same_bits(other, whole));
      CHECK(other.layers()[1].statistics(0, 0) == whole.layers()[1].statistics(0, 0));
      cut.step();
    }
    cut.finish();
    CHECK(same_bits(net, whole));
  }
}

TEST_CASE("a net whose last layer begins at zero says nothing, and learns", "[nn]") {
  const auto backend = nn_test::backend();
  const Toy toy = parabola(200);
  Net net = fresh(*backend, "mlp:40");
  net.zero_last_layer();
  const Matrix<float> logits = all_logits(net, toy.x.view());
  CHECK(std::all_of(logits.data(), logits.data() + logits.size(), [](float f) { return f == 0; }));
  CHECK(std::any_of(net.layers()[0].weight.data(), net.layers()[0].weight.data() + 80, [](float w) { return w != 0; }));
  TrainOptions options;
  options.lr = 0.5;
  train(net, toy.x.view(), toy.targets, options);
  CHECK(accuracy(net, toy.x.view(), toy.targets.labels) > 0.95);
}

TEST_CASE("options of a training that fit neither each other nor the data are refused by name", "[nn]") {
  const auto backend = nn_test::backend();
  const Toy toy = parabola(30);
  const auto error = [&](const std::function<void(TrainOptions&)>& change, ImageShape shape = {1, 1, 2}) {
    TrainOptions options;
    change(options);
    Net net("mlp:3", shape, 2, Initialisation::he, 3, *backend);
    try {
      Trainer(net, toy.x.view(), toy.targets, options);
    } catch (const ConfigError& e) {
      return std::string(e.what());
    }
    return std::string("no error");
  };
  using Catch::Contains;
  CHECK_THAT(error([](auto& o) { o.label_smoothing = 0.1; }), Contains("label-smoothing") && Contains("loss is mse"));
  CHECK_THAT(error([](auto& o) { o.patience = 2; }), Contains("patience is 2") && Contains("validation"));
  CHECK_THAT(error([](auto& o) { o.validate_every = 2; }), Contains("validate-every is 2"));
  CHECK_THAT(error([](auto& o) { o.validation = 30; }), Contains("validation is 30") && Contains("at most 29"));
  CHECK_THAT(error([](auto& o) { o.ema = 1; }), Contains("ema is 1"));
  CHECK_THAT(error([](auto& o) { o.clip_norm = -1; }), Contains("clip-norm is -1"));
  CHECK_THAT(error([](auto& o) { o.parameterisation = "mup"; }), Contains("mup") && Contains("standard"));
  CHECK_THAT(error([](auto& o) { o.augmentation.flip = true; }), Contains("images are 1 x 1"));
  CHECK_THAT(error([](auto& o) { o.augmentation.shift = 2; }, {1, 2, 1}),
             Contains("shift is 2") && Contains("at most 1"));
  CHECK_THAT(error([](auto& o) { o.augmentation.cutout = 2; }, {1, 2, 1}), Contains("cutout is 2"));
  CHECK(error([](auto& o) { o.augmentation.shift = 1; }, {1, 2, 1}) == "no error");
}
