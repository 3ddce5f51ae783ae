// Nets as devices have them: blocks of float32 and int8, and the model of what int8 computes.
#include "ntkrob/exchange/device.hpp"

#include <catch2/catch.hpp>
#include <cstring>

#include "examples.hpp"
#include "fixture.hpp"
#include "kit/check.hpp"
#include "ntkrob/data/strokes.hpp"
#include "ntkrob/micro/weights.hpp"
#include "ntkrob/model/metrics.hpp"
#include "ntkrob/nn/trainer.hpp"

namespace ntkrob::nn_test {
namespace {

struct Trained {
  Dataset data;
  Net net;
};

/// A net that has learned 600 drawn digits.
Trained trained(const std::string& spec, Backend& backend) {
  Dataset data = make_strokes(600, 400, 3);
  Net net(spec, data.shape, data.classes, Initialisation::uniform, 1, backend);
  TrainOptions options;
  options.loss = "ce";
  options.epochs = 12;
  options.batch = 20;
  options.lr = 0.1;
  options.momentum = 0.9;
  Targets targets;
  targets.labels = data.train.labels;
  targets.values = centred_one_hot(data.train.labels, data.classes);
  const Matrix<float> x = data.images("train");
  train(net, x.view(), targets, options);
  return {std::move(data), std::move(net)};
}

float largest_difference(const Matrix<float>& a, const Matrix<float>& b) {
  float largest = 0;
  for (index k = 0; k < a.size(); ++k) largest = std::max(largest, std::abs(a.data()[k] - b.data()[k]));
  return largest;
}

}  // namespace

TEST_CASE("int8 keeps logits within 3 % of their range and accuracy within 1 % of float32", "[nn]") {
  const auto backend = nn_test::backend(2);
  for (const char* spec :
       {"mlp:64,32", "conv(6,5,stride=2,pad=2)-relu-maxpool(2)-conv(8,3,pad=1)-relu-avgpool(2)-dense", "mlp:"}) {
    INFO(spec);
    const Trained t = trained(spec, *backend);
    const Matrix<float> calibration = t.data.images("train"), x = t.data.images("test");
    const Int8Model model(t.net, calibration.view());
    const Matrix<float> exact = all_logits(t.net, x.view()), rounded = all_logits(model, x.view());
    float range = 0;
    for (index k = 0; k < exact.size(); ++k) range = std::max(range, std::abs(exact.data()[k]));
    INFO("largest logit " << range << ", largest difference " << largest_difference(exact, rounded));
    CHECK(largest_difference(exact, rounded) < 0.03f * range);
    CHECK(largest_difference(exact, rounded) > 0);
    const double before = accuracy(t.net, x.view(), t.data.test.labels),
                 after = accuracy(model, x.view(), t.data.test.labels);
    INFO("float32 " << before << ", int8 " << after);
    CHECK(before > 0.75);
    CHECK(std::abs(after - before) <= 0.01);

    // Any number of workers, any cut of the batch; the gradient is that of float32.
    const auto one = nn_test::backend(1);
    Net alone(t.net.state(), *one);
    const Int8Model serial(alone, calibration.view());
    CHECK(serial.block() == model.block());
    CHECK(largest_difference(all_logits(serial, x.view(), 7), rounded) == 0);
    const Matrix<float> cotangent = random_matrix<float>(x.rows(), 10, 1, -1, 1);
    Matrix<float> dx(x.rows(), x.cols()), expected(x.rows(), x.cols());
    model.input_grad(x.view(), cotangent.view(), dx.view());
    t.net.input_grad(x.view(), cotangent.view(), expected.view());
    CHECK(largest_difference(dx, expected) == 0);
  }
}

TEST_CASE("a block of weights holds the net's layers and parameters", "[nn]") {
  const auto backend = nn_test::backend();
  const Net net("conv(3,3,stride=2,pad=1)-relu-maxpool(2,stride=1)-avgpool(2)-flatten-dense(5)-relu-dense", {12, 9, 2},
                4, Initialisation::uniform, 2, *backend);
  const DeviceNet device = device_net(net);
  CHECK(device.expression() ==
        "ntkrob::micro::net({12, 9, 2}, ntkrob::micro::conv(3, 3, 2, 1), ntkrob::micro::relu(), "
        "ntkrob::micro::max_pool(2, 1), "
        "ntkrob::micro::avg_pool(2, 2), ntkrob::micro::dense(5), ntkrob::micro::relu(), ntkrob::micro::dense(4))");
  const std::string block = weights_block(device);
  micro::WeightsFile file;
  REQUIRE(micro::open(file, block.data(), block.size()) == micro::Status::ok);
  CHECK(static_cast<index>(file.parameters) == net.parameter_count());
  CHECK(file.count == 7);

  // From the block itself, as from flash, micro computes the net's logits.
  std::vector<std::uint32_t> flash((block.size() + 3) / 4);
  std::memcpy(flash.data(), block.data(), block.size());
  REQUIRE(micro::open(file, flash.data(), block.size()) == micro::Status::ok);
  micro::Options options;
  options.train = false;
  std::vector<float> arena(micro::bytes_needed(device.view(), options) / sizeof(float));
  micro::Session session;
  REQUIRE(micro::open(session, file, options, arena.data(), arena.size() * sizeof(float)) == micro::Status::ok);
  CHECK(reinterpret_cast<const std::uint8_t*>(session.weights) == file.numbers);
  const Matrix<float> x = random_matrix<float>(5, 12 * 9 * 2, 4), expected = all_logits(net, x.view());
  for (index i = 0; i < 5; ++i) {
    std::copy_n(x.row(i), x.cols(), session.input());
    const float* logits;
    REQUIRE(micro::forward(session, logits) == micro::Status::ok);
    for (index j = 0; j < 4; ++j) CHECK(logits[j] == Approx(expected(i, j)).margin(1e-6));
  }
}

namespace {

/// Logits of a device in float32.
Matrix<float> on_device(const DeviceNet& net, const Matrix<float>& x) {
  micro::Options options;
  options.train = false;
  std::vector<float> arena(micro::bytes_needed(net.view(), options) / sizeof(float));
  micro::Session session;
  REQUIRE(micro::open(session, net.view(), options, net.parameters.data(), arena.data(),
                      arena.size() * sizeof(float)) == micro::Status::ok);
  Matrix<float> out(x.rows(), micro::plan(net.view()).classes);
  for (index i = 0; i < x.rows(); ++i) {
    std::copy_n(x.row(i), x.cols(), session.input());
    const float* logits;
    REQUIRE(micro::forward(session, logits) == micro::Status::ok);
    std::copy_n(logits, out.cols(), out.row(i));
  }
  return out;
}

/// A net in the forms of a layer that devices have; more than one where there is more to it.
struct DeviceExample {
  const char *layer, *spec;
  ImageShape shape{8, 6, 2};
};
const DeviceExample kDeviceExamples[] = {
    {"avgpool", "conv(3,3)-relu-avgpool(2)-dense"},
    {"avgpool", "conv1d(3,3)-relu-avgpool1d(3,stride=2)-dense", {20, 1, 3}},
    {"batchnorm", "conv(3,3)-batchnorm-relu-depthwise(3)-batchnorm-leaky-dense(6)-batchnorm-relu-dense"},
    {"conv", "conv(4,3,stride=2,pad=1)-relu-conv(3,2,pad=valid)-dense"},
    {"conv", "conv1d(4,5,stride=2,pad=2)-relu-conv1d(3,4,pad=valid)-dense", {20, 1, 3}},
    {"dense", "dense(7)-relu-dense"},
    {"depthwise", "depthwise(3)-relu-depthwise(3,stride=2,pad=1)-dense"},
    {"depthwise", "conv1d(4,3)-depthwise1d(5)-relu-dense", {20, 1, 3}},
    {"dropout", "dense(8)-relu-dropout(p=0.3)-dense"},
    {"gap", "conv(4,3)-relu-gap-dense", {6, 6, 2}},
    {"gap", "conv1d(4,3)-relu-gap-dense", {20, 1, 3}},
    {"leaky", "conv(4,3)-leaky(0.1)-dense(6)-leaky(0.3)-dense"},
    {"maxpool", "conv(4,3)-relu-maxpool(2,stride=1)-dense"},
    {"maxpool", "conv1d(4,3)-relu-maxpool1d(3)-dense", {20, 1, 3}},
    {"relu", "conv(4,3)-maxpool(2)-relu-dense"},
};

}  // namespace

TEST_CASE("what layers.def says about devices is so: every layer goes there with its logits, or is refused by name",
          "[nn]") {
  const auto backend = nn_test::backend();
  const std::vector<net::Coverage>& rows = net::coverage();
  for (std::size_t k = 0; k < rows.size(); ++k) {
    const net::Coverage& row = rows[k];
    INFO(row.layer << ": micro " << row.micro << ", int8 " << row.int8);
    const std::string micro = row.micro;
    CHECK(micro == row.int8);
    int tried = 0;
    for (const DeviceExample& example : kDeviceExamples) {
      if (std::string(example.layer) != row.layer) continue;
      ++tried;
      INFO(example.spec);
      Net net(example.spec, example.shape, 3, Initialisation::he, 5, *backend);
      for (LayerParameters& layer : net.layers())  // gains, offsets and statistics that show
        for (Matrix<float>* part : {&layer.bias, &layer.statistics})
          for (index i = 0; i < part->size(); ++i) part->data()[i] += 0.1f * static_cast<float>(i % 5);
      const Matrix<float> x = random_matrix<float>(40, example.shape.size(), 6), logits = all_logits(net, x.view());
      const DeviceNet device = device_net(net);
      NTKROB_CHECK_SAME(kit::compare(on_device(device, x).view(), logits.view(), 2e-5));
      CHECK(weights_block(device).size() > 0);
      float range = 0;
      for (index i = 0; i < logits.size(); ++i) range = std::max(range, std::abs(logits.data()[i]));
      const Int8Model int8(net, x.view());
      NTKROB_CHECK_SAME(kit::compare(all_logits(int8, x.view()).view(), logits.view(), 0.05 * range));
    }
    CHECK((tried > 0) == (micro == "yes" || micro == "folded into the layer before"));
    if (tried > 0) continue;
    const Net net(kNetExamples[k].spec, kNetExamples[k].shape, 3, Initialisation::he, 5, *backend);
    CHECK_THROWS_WITH(device_net(net), Catch::Contains(text(", ", row.layer, ":")) && Catch::Contains("is on cpu") &&
                                           Catch::Contains("depthwise"));
  }
  const Net loose("conv(3,3)-relu-batchnorm-dense", {8, 6, 2}, 3, Initialisation::he, 5, *backend);
  CHECK_THROWS_WITH(device_net(loose), Catch::Contains("layer 1, batchnorm") && Catch::Contains("none is there"));
  const Net steep("dense(4)-leaky(1.5)-dense", {8, 6, 2}, 3, Initialisation::he, 5, *backend);
  CHECK_THROWS_WITH(device_net(steep), Catch::Contains("alpha is 1.5") && Catch::Contains("below 1"));
}

TEST_CASE("nets that devices do not have are refused by the layer's name", "[nn]") {
  const auto backend = nn_test::backend();
  const auto message = [&](const std::string& spec, ImageShape shape = {8, 8, 1}) {
    const Net net(spec, shape, 3, Initialisation::uniform, 1, *backend);
    try {
      device_net(net);
    } catch (const ConfigError& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  CHECK_THAT(message("normalise(mean=0.5,std=0.5)-dense"), Catch::Contains("layer 0, normalise"));
  CHECK_THAT(message("conv(2,kh=3,kw=1)-dense"), Catch::Contains("square windows"));
  CHECK_THAT(message("conv(2,2)-dense"), Catch::Contains("pad all sides alike"));
  CHECK_THAT(message("conv(2,3,stride=2)-dense"), Catch::Contains("pad all sides alike"));
  CHECK_THAT(message("maxpool(3,stride=1,pad=1)-dense"), Catch::Contains("no padding"));
  CHECK_THAT(message("conv(2,3)-gap-dense", {8, 6, 1}), Catch::Contains("8 x 6 positions"));
  CHECK_THAT(message("conv(3,3)-gap"), Catch::Contains("last layer must be dense"));
  CHECK(message("conv(2,3)-relu-dense").empty());
  const Net pooled("conv(2,3)-relu-gap-dense", {8, 8, 1}, 3, Initialisation::uniform, 1, *backend);
  CHECK_THAT(device_net(pooled).expression(), Catch::Contains("avg_pool(8, 8)"));
}

TEST_CASE("calibration and quantisation refuse what is not finite", "[nn]") {
  const auto backend = nn_test::backend();
  Net net("mlp:4", {2, 1, 1}, 2, Initialisation::uniform, 1, *backend);
  Matrix<float> x = random_matrix<float>(3, 2, 1);
  CHECK_THROWS_AS(Int8Model(net, Matrix<float>(0, 2).view()), ConfigError);
  const Int8Model model(net, x.view());
  Matrix<float> out(3, 2);
  x(1, 0) = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_AS(model.logits(x.view(), out.view()), NonFinite);
  CHECK_THROWS_AS(Int8Model(net, x.view()), NonFinite);
  x(1, 0) = 0;
  net.layers()[0].weight(0, 0) = 1e30f;
  CHECK_THROWS_AS(Int8Model(net, x.view()), NonFinite);
}

}  // namespace ntkrob::nn_test
