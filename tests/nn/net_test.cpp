#include "kit/check.hpp"
#include "kit/check_model.hpp"
#include "nn/fixture.hpp"

using namespace ntkrob;
using Catch::Matchers::Contains;
using nn_test::random_matrix;

namespace {

std::vector<index> widths(const std::string& spec, index classes = 10) {
  const auto backend = nn_test::backend();
  const Net net(spec, {1, 1, 4}, classes, Initialisation::he, 0, *backend);
  std::vector<index> result;
  for (const LayerParameters& layer : net.layers()) result.push_back(layer.weight.rows());
  return result;
}

/// Mean and variance of an array, and its largest magnitude.
struct Moments {
  double mean = 0, variance = 0, largest = 0;
  explicit Moments(const Matrix<float>& values) {
    for (index i = 0; i < values.size(); ++i) {
      const double v = values.data()[i];
      mean += v / values.size();
      variance += v * v / values.size();
      largest = std::max(largest, std::abs(v));
    }
    variance -= mean * mean;
  }
};

/// A copy of `state` with one entry replaced, or left out where value is null.
StateDict changed(const StateDict& state, const std::string& name, const StateDict::Value* value) {
  StateDict result;
  for (const auto& [key, stored] : state.entries())
    if (key != name) result.set(key, stored);
  if (value != nullptr) result.set(name, *value);
  return result;
}

}  // namespace

TEST_CASE("both grammars of a net give the same layers", "[nn]") {
  CHECK(widths("mlp:") == std::vector<index>{10});
  CHECK(widths("dense") == std::vector<index>{10});
  CHECK(widths("mlp:256,128") == std::vector<index>{256, 128, 10});
  CHECK(widths(" mlp: 256 , 128 ") == std::vector<index>{256, 128, 10});
  CHECK(widths("dense(256)-relu-dense(128)-relu-dense") == std::vector<index>{256, 128, 10});
  CHECK(widths("dense(width=256) - relu - dense(10)") == std::vector<index>{256, 10});
}

TEST_CASE("a wrong net spec is refused with the position of the mistake", "[nn]") {
  struct Case {
    const char* spec;
    const char* message;
    std::size_t position;  // counted from 1
  };
  const Case cases[] = {
      {"mlp:256,x", "width", 9},
      {"mlp:256,,3", "width", 9},
      {"mlp:0", "width", 5},
      {"mlp:256,-3", "width", 9},
      {"mlp", "mlp:256,128", 1},
      {"dense(8)-swish-dense",
       "no layer \"swish\" of nets; layers: avgpool, batchnorm, conv, dense, depthwise, dropout", 10},
      {"relu-dense", "needs a layer before it", 1},
      {"dense(8)-relu-relu-dense", "does nothing", 15},
      {"dense(8)-relu", "no relu after it", 10},
      {"dense(8)-flatten(2)-dense", "flatten takes no argument", 18},
      {"dense(8)-relu-dense(7)", "7 outputs, the data 10 classes", 15},
      {"dense(8)-relu(1)-dense", "relu takes no argument", 15},
      {"dense(v=1.4)-relu-dense", "no parameter \"v\"", 9},
      {"dense(8,9)-relu-dense", "no parameter \"9\"; it has width", 9},
      {"cnn:huge", "there are: mlp:256,128, alexnet-s, cnn:small", 1},
      {"cnn:small-relu-dense", "stands alone", 1},
  };
  for (const Case& c : cases) {
    INFO(c.spec);
    CHECK_THROWS_WITH(widths(c.spec), Contains(c.message) && Contains(text("position ", c.position, " ")));
    CHECK_THROWS_AS(widths(c.spec), ConfigError);
  }
  CHECK_THROWS_AS(widths(""), ConfigError);
  CHECK_THROWS_WITH(widths("flatten-relu"), Contains("\"flatten-relu\" has no layer"));
  CHECK_THROWS_WITH(widths("mlp:8", 0), Contains("0 classes"));
}

TEST_CASE("a wrong layer on images is refused with the position and what arrives there", "[nn]") {
  struct Case {
    const char* spec;
    const char* message;
    std::size_t position;  // counted from 1
  };
  const Case cases[] = {
      {"conv-relu-dense", "needs the size of its window: conv(16,3), width and window", 1},
      {"conv(width=8)-relu-dense", "needs the size of its window", 1},
      {"conv(8,3,pad=3)-dense", "pad is \"3\", must be a whole number in [0, 2]", 14},
      {"conv(8,3,pad=circular)-dense", "no circular padding; pad is same, valid or a number", 14},
      {"conv(8,3,stride=0)-dense", "stride is \"0\"", 17},
      {"maxpool(3)-maxpool(3)-dense", "window of 3 x 3 does not fit what arrives there, 2 x 2 positions of 2 channels",
       12},
      {"flatten-conv(4,3,pad=valid)-dense", "1 x 1 positions of 84 channels", 9},
      {"avgpool(2,edges=outside)-dense", "must be one of window, inside", 17},
      {"gap(2)-dense", "gap has no parameter \"2\"; it has none", 5},
      {"conv(8,3)", "the net ends with 336 numbers, the data have 10 classes", 1},
      {"normalise(mean=0.5)-dense", "normalise needs both", 1},
      {"normalise(mean=0.5,std=0)-dense", "must be positive", 24},
      {"normalise(mean=0.5:0.4:0.3,std=1)-dense", "3 numbers for 2 channels", 16},
      {"normalise(mean=0.5:x,std=1)-dense", "finite number", 16},
  };
  const auto backend = nn_test::backend();
  for (const Case& c : cases) {
    INFO(c.spec);
    const auto make = [&] { Net(c.spec, {6, 7, 2}, 10, Initialisation::he, 0, *backend); };
    CHECK_THROWS_WITH(make(), Contains(c.message) && Contains(text("position ", c.position, " ")));
    CHECK_THROWS_AS(make(), ConfigError);
  }
  CHECK_THROWS_WITH(Net("cnn:small", {1, 1, 784}, 10, Initialisation::he, 0, *backend),
                    Contains("1 x 1 positions of 784"));
}

TEST_CASE("a net that does not fit is refused at once, and the width or the images are blamed", "[nn]") {
  const ImageShape mnist{28, 28, 1};
  // The machine: 4e11 bytes of parameters.
  CHECK_THROWS_AS(Net("mlp:1000000,100000", mnist, 10, Initialisation::uniform, 0, *nn_test::backend()), ResourceError);
  CHECK_THROWS_WITH(check_net_memory("mlp:1000000,100000", mnist, 10, 0, 0),
                    Contains("memory of this machine") && Contains("layer 2 (1000000 inputs, width 100000)") &&
                        Contains("choose a smaller width"));
  // A limit: 784 x 1000 parameters in five copies are 15.6 MB, the images between layers 1 MB.
  CHECK_NOTHROW(check_net_memory("mlp:1000", mnist, 10, 100, 20'000'000));
  CHECK_THROWS_WITH(check_net_memory("mlp:1000", mnist, 10, 100, 10'000'000),
                    Contains("to train mlp:1000 takes 16 MiB, more than the memory limit, 10 MiB") &&
                        Contains("layer 1 (784 inputs, width 1000)") && !Contains("batch"));
  // Images between layers: 30 x 30 x 64 numbers for each of 1024 rows, three times.
  // Images go through in blocks, unless their statistics are those of the batch.
  CHECK_NOTHROW(check_net_memory("conv(64,3,pad=2)-relu-gap-dense", mnist, 10, 5000, 100'000'000));
  CHECK_THROWS_WITH(check_net_memory("conv(64,3,pad=2)-batchnorm-relu-gap-dense", mnist, 10, 5000, 100'000'000),
                    Contains("numbers between layers for each of 5000 images") && Contains("width or batch"));
}

TEST_CASE("initialisations have the stated range and moments", "[nn]") {
  const auto backend = nn_test::backend(2);
  const index fan_in = 400, width = 300;
  const ImageShape shape{20, 20, 1};

  const Net uniform("mlp:300", shape, 10, Initialisation::uniform, 3, *backend);
  const Net he("mlp:300", shape, 10, Initialisation::he, 3, *backend);
  const Net ntk("mlp:300", shape, 10, Initialisation::ntk, 3, *backend);

  // Standard errors: of the mean sd / sqrt(n), of the variance of n normals sqrt(2 / n) times it; 5 of them.
  const double n = static_cast<double>(fan_in * width), bound = 1 / std::sqrt(static_cast<double>(fan_in));
  const Moments w(uniform.layers()[0].weight), b(uniform.layers()[0].bias);
  CHECK(w.largest <= bound);
  CHECK(w.largest > 0.99 * bound);
  CHECK(b.largest <= bound);
  CHECK(b.largest > 0.9 * bound);
  CHECK(std::abs(w.mean) < 5 * bound / std::sqrt(3 * n));
  CHECK(w.variance == Approx(bound * bound / 3).epsilon(5 * std::sqrt(2 / n)));
  CHECK(Moments(uniform.layers()[1].weight).largest <= 1 / std::sqrt(300.0));
  for (const Net* net : {&he, &ntk}) {
    const Moments m(net->layers()[0].weight);
    CHECK(std::abs(m.mean) < 5 * std::sqrt(2.0 / fan_in / n));
    CHECK(m.variance == Approx(2.0 / fan_in).epsilon(5 * std::sqrt(2 / n)));
  }
  CHECK(Moments(he.layers()[0].bias).largest == 0);
  CHECK(Moments(ntk.layers()[0].bias).variance == Approx(0.01).epsilon(5 * std::sqrt(2.0 / width)));
  CHECK(parse_initialisation("he") == Initialisation::he);
  CHECK(to_string(Initialisation::ntk) == "ntk");
  CHECK_THROWS_WITH(parse_initialisation("xavier"), Contains("uniform, he, ntk"));
}

TEST_CASE("initial parameters depend on seed, layer and element alone", "[nn]") {
  const auto one = nn_test::backend(1), two = nn_test::backend(2);
  const ImageShape shape{8, 8, 3};
  const Net a("mlp:200,100", shape, 10, Initialisation::he, 11, *one);
  const Net b("dense(200)-relu-dense(100)-relu-dense", shape, 10, Initialisation::he, 11, *two);
  const Net other("mlp:200,100", shape, 10, Initialisation::he, 12, *one);
  const Net wider("mlp:200,150,100", shape, 10, Initialisation::he, 11, *one);

  CHECK(nn_test::same_bits(a, b));
  CHECK(!nn_test::same_bits(a, other));
  CHECK(std::equal(a.layers()[0].weight.data(), a.layers()[0].weight.data() + a.layers()[0].weight.size(),
                   wider.layers()[0].weight.data()));
  const Net square("mlp:192", shape, 192, Initialisation::uniform, 11, *one);
  CHECK(square.layers()[0].weight(0, 0) != square.layers()[0].bias(0, 0));
  CHECK(square.layers()[0].weight(0, 0) != square.layers()[1].weight(0, 0));
  CHECK(a.parameter_count() == 192 * 200 + 200 + 200 * 100 + 100 + 100 * 10 + 10);
}

TEST_CASE("a net worked out by hand gives the logits and gradients of the formulas", "[nn]") {
  const auto backend = nn_test::backend();
  Net net("mlp:2", {1, 1, 2}, 1, Initialisation::he, 0, *backend);
  float w0[] = {1, -1, 2, 0.5f}, w1[] = {3, -2};
  std::copy_n(w0, 4, net.layers()[0].weight.data());
  std::copy_n(w1, 2, net.layers()[1].weight.data());
  net.layers()[0].bias(0, 1) = -1;
  net.layers()[1].bias(0, 0) = 0.25f;
  // Row 0: h = (relu(0.5 - 1), relu(1 + 0.5 - 1)) = (0, 0.5), f = 0.25 - 1. Row 1: h = (1, 1), f = 3 - 2 + 0.25.
  Matrix<float> x(2, 2), out(2, 1), dx(2, 2), cotangent(2, 1);
  x(0, 0) = 0.5f, x(0, 1) = 1, x(1, 0) = 1, x(1, 1) = 0;
  cotangent(0, 0) = 1, cotangent(1, 0) = 2;

  net.logits(x.view(), out.view());
  net.input_grad(x.view(), cotangent.view(), dx.view());

  CHECK(out(0, 0) == -0.75f);
  CHECK(out(1, 0) == 1.25f);
  CHECK(dx(0, 0) == -4);  // -2 (2, 0.5): only the second unit is open
  CHECK(dx(0, 1) == -1);
  CHECK(dx(1, 0) == -2);  // 2 (3 (1, -1) - 2 (2, 0.5))
  CHECK(dx(1, 1) == -8);
}

TEST_CASE("logits and gradients have the same bits for 1 and 2 workers, and in one pass or two", "[nn]") {
  const auto one = nn_test::backend(1), two = nn_test::backend(2);
  const index n = 700, d = 300;  // several blocks in every elementwise pass
  const Net a("mlp:513,260", {1, 1, d}, 10, Initialisation::uniform, 1, *one);
  const Net b("mlp:513,260", {1, 1, d}, 10, Initialisation::uniform, 1, *two);
  const Matrix<float> x = random_matrix<float>(n, d, 8);
  const CotangentFn square = [](index, ConstView2D<float> f, View2D<float> c) { convert(f, c); };
  Matrix<float> fa(n, 10), fb(n, 10), plain(n, 10), da(n, d), db(n, d), apart(n, d);
  std::vector<LayerParameters> ga, gb;

  a.logits_and_grad(x.view(), square, fa.view(), da.view());
  b.logits_and_grad(x.view(), square, fb.view(), db.view());
  a.logits(x.view(), plain.view());
  a.input_grad(x.view(), plain.view(), apart.view());

  NTKROB_CHECK_SAME(kit::compare(fa.view(), fb.view(), 0));
  NTKROB_CHECK_SAME(kit::compare(da.view(), db.view(), 0));
  NTKROB_CHECK_SAME(kit::compare(fa.view(), plain.view(), 0));
  NTKROB_CHECK_SAME(kit::compare(da.view(), apart.view(), 0));
  a.logits_and_parameter_grad(x.view(), square, fa.view(), ga);
  b.logits_and_parameter_grad(x.view(), square, fb.view(), gb);
  NTKROB_CHECK_SAME(kit::compare(fa.view(), plain.view(), 0));
  for (std::size_t l = 0; l < ga.size(); ++l) {
    NTKROB_CHECK_SAME(kit::compare(ga[l].weight.view(), gb[l].weight.view(), 0));
    NTKROB_CHECK_SAME(kit::compare(ga[l].bias.view(), gb[l].bias.view(), 0));
  }
}

TEST_CASE("logits and input gradient of a row have the same bits in any batch", "[nn]") {
  const auto backend = nn_test::backend(2);
  const ImageShape shape{28, 28, 1};
  const index n = 260, d = shape.size();
  const Matrix<float> x = random_matrix<float>(n, d, 8);
  const CotangentFn square = [](index, ConstView2D<float> f, View2D<float> c) { convert(f, c); };
  for (const char* spec : {"mlp:256,130", "mlp:", "cnn:small"}) {
    const Net net(spec, shape, 10, Initialisation::he, 1, *backend);
    Matrix<float> all(n, 10), all_dx(n, d);
    net.logits_and_grad(x.view(), square, all.view(), all_dx.view());
    for (const auto& [first, rows] : {std::pair<index, index>{0, 1}, {77, 1}, {40, 7}, {196, 64}, {5, 250}}) {
      INFO(spec << ", " << rows << " rows from " << first);
      Matrix<float> some(rows, 10), dx(rows, d);
      net.logits_and_grad(x.view().middle_rows(first, rows), square, some.view(), dx.view());
      NTKROB_CHECK_SAME(kit::compare(all.view().middle_rows(first, rows), some.view(), 0));
      NTKROB_CHECK_SAME(kit::compare(all_dx.view().middle_rows(first, rows), dx.view(), 0));
    }
  }
}

TEST_CASE("a net fulfils the contract of Model", "[nn]") {
  const auto backend = nn_test::backend(2);
  kit::CheckModelOptions options;
  options.step = 1.0 / 1024;  // small against the distance of these inputs to the kinks
  for (const char* spec : {"mlp:", "mlp:16", "mlp:10,8"}) {
    INFO(spec);
    const Net net(spec, {3, 2, 2}, 4, Initialisation::uniform, 5, *backend);
    NTKROB_CHECK_MODEL(net, random_matrix<float>(7, 12, 3).view(), options);
  }
  for (const char* spec : {"conv(5,2)-relu-maxpool(2)-flatten-dense(9)-relu-dense",
                           "normalise(mean=0.4:0.5,std=0.2:0.3)-conv(4,3)-relu-avgpool(2)-dense", "conv(4,3)-gap"}) {
    INFO(spec);
    const Net net(spec, {4, 5, 2}, 4, Initialisation::uniform, 5, *backend);
    NTKROB_CHECK_MODEL(net, random_matrix<float>(7, 40, 3).view(), options);
  }
}

TEST_CASE("a NaN pixel reaches the logits and does not vanish in a ReLU", "[nn]") {
  const auto backend = nn_test::backend();
  const Net net("mlp:40,30", {1, 1, 9}, 3, Initialisation::uniform, 2, *backend);
  Matrix<float> x = random_matrix<float>(2, 9, 1), out(2, 3);
  x(1, 4) = std::numeric_limits<float>::quiet_NaN();

  net.logits(x.view(), out.view());

  CHECK(std::isfinite(out(0, 0)));
  CHECK(std::isnan(out(1, 0)));
  CHECK_THROWS_AS(net.logits(x.view().middle_cols(0, 8), out.view()), ShapeError);
}

TEST_CASE("a stored net gives back the same bits, and a damaged one names its entry", "[nn]") {
  const auto backend = nn_test::backend();
  const Net net("mlp:7,5", {2, 3, 2}, 4, Initialisation::ntk, 9, *backend);
  const StateDict state = net.state();

  const Net back(state, *backend);

  CHECK(nn_test::same_bits(net, back));
  CHECK(back.spec() == "mlp:7,5");
  CHECK(back.input_shape() == net.input_shape());
  CHECK(back.classes() == 4);
  CHECK(state.get<std::string>("layers/1/type") == "dense");
  CHECK(state.get<std::string>("layers/1/activation") == "relu");
  CHECK(state.get<std::string>("layers/2/activation") == "none");
  CHECK(state.get<NdArray<float>>("layers/1/weight").shape == std::vector<index>{5, 7});
  CHECK(state.get<NdArray<float>>("layers/1/bias").shape == std::vector<index>{5});
  CHECK(state.get<NdArray<std::int64_t>>("input_shape").values == std::vector<std::int64_t>{2, 3, 2});
  CHECK_NOTHROW(Net(changed(state, "layers/0/activation", nullptr), *backend));

  NdArray<float> nan = state.get<NdArray<float>>("layers/1/bias");
  nan.values[3] = std::numeric_limits<float>::quiet_NaN();
  NdArray<float> transposed = state.get<NdArray<float>>("layers/0/weight");
  std::swap(transposed.shape[0], transposed.shape[1]);
  const std::pair<const char*, StateDict::Value> damages[] = {
      {"layers/1/bias", nan},
      {"layers/0/weight", transposed},
      {"layers/2/type", std::string("conv")},
      {"layers/0/activation", std::string("none")},
      {"layers/3/type", std::string("dense")},
      {"spec", std::string("mlp:7,x")},
      {"input_shape", NdArray<std::int64_t>{{2}, {3, 4}}},
      {"input_shape", NdArray<std::int64_t>{{3}, {3, -4, 1}}},
      {"input_shape", NdArray<std::int64_t>{{3}, {1 << 24, 1 << 24, 1 << 24}}},
      {"classes", std::int64_t{0}},
  };
  for (const auto& [name, value] : damages) {
    INFO(name);
    CHECK_THROWS_AS(Net(changed(state, name, &value), *backend), IoError);
    CHECK_THROWS_WITH(Net(changed(state, name, &value), *backend), Contains(name));
  }
  for (const char* name : {"spec", "input_shape", "classes", "layers/0/type", "layers/0/weight", "layers/2/bias"}) {
    INFO(name);
    CHECK_THROWS_AS(Net(changed(state, name, nullptr), *backend), IoError);
    CHECK_THROWS_WITH(Net(changed(state, name, nullptr), *backend), Contains(name));
  }
}
