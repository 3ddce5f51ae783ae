// Nets of PyTorch: the golden files that tests/golden/nn_torch_layers.py made, and damaged arrays.
#include "ntkrob/exchange/import.hpp"

#include <algorithm>
#include <cmath>

#include "kit/check.hpp"
#include "nn/torch_arrays.hpp"
#include "ntkrob/data/format.hpp"

using namespace ntkrob;
using Catch::Matchers::Contains;
using nn_test::images;
using nn_test::matrix;

namespace {

/// The entries that start with prefix, without it.
StateDict below(const StateDict& arrays, const std::string& prefix) {
  StateDict result;
  for (const auto& [name, value] : arrays.entries())
    if (name.rfind(prefix, 0) == 0) result.set(name.substr(prefix.size()), value);
  return result;
}

/// A copy of `state` with one entry replaced, or left out where value is null.
StateDict changed(const StateDict& state, const std::string& name, const StateDict::Value* value) {
  StateDict result;
  for (const auto& [key, stored] : state.entries())
    if (key != name) result.set(key, stored);
  if (value != nullptr) result.set(name, *value);
  return result;
}

constexpr const char* kStateFile = NTKROB_GOLDEN_DIR "/nn_torch_state.npz";
constexpr const char* kGoldenSpec =
    "normalise(mean=0.4:0.6,std=0.25:0.5)-conv(3,3,stride=2,pad=1)-relu-maxpool(3,stride=2,pad=1)-conv(5,2,pad=valid)-"
    "relu-avgpool(2,stride=1,pad=1)-flatten-dense(6)-relu-dense";
constexpr ImageShape kGoldenShape{11, 9, 2};

}  // namespace

TEST_CASE("a net of PyTorch gives its logits and its gradients after the import", "[nn]") {
  const StateDict golden = load_arrays(NTKROB_GOLDEN_DIR "/nn_torch_layers.npz");
  const auto backend = nn_test::backend(2);
  const StateDict state = import_torch(load_arrays(kStateFile), kGoldenSpec, kGoldenShape);
  const Net net(state, *backend);
  const Matrix<float> x = images(golden, "x"), expected_dx = images(golden, "dx");
  const ConstView2D<float> cotangent = matrix(golden, "cotangent");
  Matrix<float> out(x.rows(), 4), dx(x.rows(), x.cols());
  std::vector<LayerParameters> grads;

  net.logits_and_parameter_grad(
      x.view(),
      [&](index first, ConstView2D<float> f, View2D<float> c) { convert(cotangent.middle_rows(first, f.rows), c); },
      out.view(), grads);
  net.input_grad(x.view(), cotangent, dx.view());

  // Sums of at most 100 products of numbers around 1, against float64: 1e-5 is some 80 half ulps.
  NTKROB_CHECK_SAME(kit::compare(out.view(), matrix(golden, "logits"), 1e-5));
  NTKROB_CHECK_SAME(kit::compare(dx.view(), expected_dx.view(), 1e-5));
  // Gradients come as a net's state does: import those of PyTorch and compare element by element.
  const Net expected(import_torch(below(golden, "grad."), kGoldenSpec, kGoldenShape), *backend);
  for (std::size_t l = 0; l < grads.size(); ++l) {
    INFO("layer " << l);
    NTKROB_CHECK_SAME(kit::compare(grads[l].weight.view(), expected.layers()[l].weight.view(), 2e-5));
    NTKROB_CHECK_SAME(kit::compare(grads[l].bias.view(), expected.layers()[l].bias.view(), 2e-5));
  }
}

TEST_CASE("modules are matched in the order of their numbers, or of the file", "[nn]") {
  const auto backend = nn_test::backend();
  StateDict numbered, named;
  const Net net("mlp:5,5,5", {1, 1, 5}, 5, Initialisation::uniform, 1, *backend);
  const char* numbers[] = {"0", "2", "10", "12"};
  const char* names[] = {"module.features.0", "module.features.2", "module.fc", "classifier.0"};
  for (const std::size_t l : {2, 0, 3, 1})  // as HDF5 lists them by name
    numbered.set_matrix(std::string(numbers[l]) + ".weight", net.layers()[l].weight.view());
  for (std::size_t l = 0; l < 4; ++l) {
    const Matrix<float>& b = net.layers()[l].bias;
    numbered.set(std::string(numbers[l]) + ".bias", NdArray<float>{{5}, {b.data(), b.data() + 5}});
    named.set(std::string(names[l]) + ".bias", NdArray<float>{{5}, {b.data(), b.data() + 5}});
    named.set_matrix(std::string(names[l]) + ".weight", net.layers()[l].weight.view());
  }

  CHECK(nn_test::same_bits(Net(import_torch(numbered, "mlp:5,5,5", {1, 1, 5}), *backend), net));
  CHECK(nn_test::same_bits(Net(import_torch(named, "mlp:5,5,5", {1, 1, 5}), *backend), net));

  const Net without(import_torch(changed(named, "module.fc.bias", nullptr), "mlp:5,5,5", {1, 1, 5}), *backend);
  CHECK(without.layers()[2].bias(0, 3) == 0);
}

TEST_CASE("arrays that do not fit the spec are refused by name and expected shape", "[nn]") {
  const StateDict good = load_arrays(kStateFile);
  const auto refuses = [&](const StateDict& arrays, const std::string& spec, const std::string& message) {
    INFO(message);
    CHECK_THROWS_AS(import_torch(arrays, spec, kGoldenShape), IoError);
    CHECK_THROWS_WITH(import_torch(arrays, spec, kGoldenShape), Contains(message));
  };
  refuses(good, "conv(3,4)-relu-conv(5,2)-relu-flatten-dense(6)-relu-dense",
          "\"0.weight\" has shape [3,2,3,3], layer 0 of the spec, a conv, needs [3,2,4,4]");
  refuses(good, "conv(3,3)-relu-conv(5,2)-relu-flatten-dense(6)-relu-dense",
          "\"6.weight\" has shape [6,45], layer 2 of the spec, a dense, needs [6,495]");
  refuses(good, "conv(3,3)-relu-dense", "the spec has 2 layers with weights, the file has 4: 0, 3, 6, 8");
  const StateDict::Value vector = NdArray<float>{{4}, {1, 2, 3, 4}};
  const StateDict::Value whole = NdArray<std::int64_t>{{2}, {1, 2}};
  NdArray<float> nan = good.get<NdArray<float>>("8.bias");
  nan.values[2] = std::numeric_limits<float>::quiet_NaN();
  const StateDict::Value not_finite = nan;
  refuses(changed(good, "1.running_mean", &vector), kGoldenSpec, "\"1.running_mean\" has no running_var beside it");
  refuses(changed(good, "normalize.mean", &vector), kGoldenSpec, "begin the spec with normalise(mean=M,std=S)");
  refuses(changed(good, "0.weight_g", &vector), kGoldenSpec,
          "\"0.weight_g\" is no parameter of a layer: it is part of");
  refuses(changed(good, "8.extra", &vector), kGoldenSpec, "\"8.extra\" is no parameter of a layer: names are");
  refuses(changed(good, "arr_0", &vector), kGoldenSpec, "store them with numpy.savez");
  refuses(changed(good, "1.weight", &vector), kGoldenSpec, "\"1\" is layer, group or instance normalisation");
  refuses(changed(good, "6.bias", &vector), kGoldenSpec,
          "\"6.bias\" has shape [4], layer 5 of the spec, a dense, needs [6]");
  refuses(changed(good, "8.weight", nullptr), kGoldenSpec, "\"8.bias\" has no weight beside it");
  refuses(changed(good, "8.weight", &whole), kGoldenSpec, "\"8.weight\" does not hold floating-point numbers");
  refuses(changed(good, "8.bias", &not_finite), kGoldenSpec, "\"8.bias\" holds nan at position 2");
  refuses(StateDict(), kGoldenSpec, "no array named <module>.weight");
  CHECK_THROWS_AS(import_torch(good, "conv(3,3)-swish-dense", kGoldenShape), ConfigError);
}

namespace {

using Options = TorchImport;

void add(StateDict& arrays, const std::string& name, std::vector<index> shape, std::uint64_t seed) {
  index size = 1;
  for (const index extent : shape) size *= extent;
  const Matrix<float> values = nn_test::random_matrix<float>(1, size, seed, -1, 1);
  arrays.set(name, NdArray<float>{std::move(shape), {values.data(), values.data() + size}});
}

/// A dense layer `width` x `in` with values of its own.
void add_dense(StateDict& arrays, const std::string& name, index width, index in, std::uint64_t seed) {
  add(arrays, name + ".weight", {width, in}, seed);
  add(arrays, name + ".bias", {width}, seed + 1000);
}

StateDict sorted(const StateDict& arrays) {
  auto entries = arrays.entries();
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  StateDict result;
  for (const auto& [name, value] : entries) result.set(name, value);
  return result;
}

/// `names` as dense layers of 4 x 4, the last of them 3 x 4 unless `square`.
StateDict chain(const std::vector<std::string>& names, bool square = false) {
  StateDict arrays;
  for (std::size_t k = 0; k < names.size(); ++k)
    add_dense(arrays, names[k], square || k + 1 < names.size() ? 4 : 3, 4, k + 1);
  return arrays;
}

std::string mlp(std::size_t hidden) {
  std::string spec = "mlp:";
  for (std::size_t k = 0; k < hidden; ++k) spec += k == 0 ? "4" : ",4";
  return spec;
}

bool same_weights(const StateDict& a, const StateDict& b) {
  for (const auto& [name, value] : a.entries()) {
    const auto* array = std::get_if<NdArray<float>>(&value);
    if (array != nullptr && array->values != b.get<NdArray<float>>(name).values) return false;
  }
  return a.entries().size() == b.entries().size();
}

}  // namespace

TEST_CASE("arrays in alphabetical order come in the order of their numbers, not of their letters", "[nn]") {
  const std::vector<std::vector<std::string>> certain = {
      {"fc1", "fc2", "fc3", "fc4", "fc5", "fc6", "fc7", "fc8", "fc9", "fc10", "fc11", "out"},
      {"layers.1.linear", "layers.2.linear", "layers.10.linear", "layers.12.linear"},
      {"module.input", "module.fc2", "module.fc10", "module.head"},
      {"fc08", "fc9", "fc010", "output"},
  };
  for (const auto& names : certain)
    for (const bool square : {false, true}) {
      INFO(names[0] << ", " << names.back() << (square ? ", all of one width" : ""));
      const StateDict arrays = chain(names, square);
      const std::string spec = mlp(names.size() - 1);
      Options order;
      order.order = names;
      const StateDict expected = import_torch(arrays, spec, {1, 1, 4}, order).state;
      const TorchModel found = import_torch(sorted(arrays), spec, {1, 1, 4}, {});
      CHECK(same_weights(found.state, expected));
      CHECK_THAT(found.notes.back(), Contains("keeps no order") && Contains(names[1] + ", " + names[2]));
      // The order of a file that keeps one is taken as it is.
      CHECK_THAT(import_torch(arrays, spec, {1, 1, 4}, {}).notes.back(), Contains("in the order of the file: "));
    }
}

TEST_CASE("an order that only shapes tell is taken where it is the only one, and refused where it is not", "[nn]") {
  StateDict arrays;
  add_dense(arrays, "zeta", 7, 5, 1);
  add_dense(arrays, "beta", 4, 7, 2);
  add_dense(arrays, "alpha", 3, 4, 3);
  const StateDict expected = import_torch(arrays, "mlp:7,4", {1, 1, 5});
  const TorchModel found = import_torch(sorted(arrays), "mlp:7,4", {1, 1, 5}, {});
  CHECK(same_weights(found.state, expected));
  CHECK_THAT(found.notes.back(), Contains("the only order that fits names and shapes: zeta, beta, alpha"));

  // Widths alike: two orders fit, and a guess would be right half of the time.
  const StateDict square = chain({"zeta", "beta", "alpha"});
  const auto refuses = [](const StateDict& bad, const std::string& spec, const std::string& message) {
    INFO(message);
    CHECK_THROWS_AS(import_torch(bad, spec, {1, 1, 4}), IoError);
    CHECK_THROWS_WITH(import_torch(bad, spec, {1, 1, 4}), Contains(message));
  };
  CHECK_NOTHROW(import_torch(square, mlp(2), {1, 1, 4}));
  refuses(sorted(square), mlp(2), "more than one order of the modules fits the spec: alpha, beta, zeta; name them");
  refuses(sorted(square), mlp(2), "with order,");
  refuses(sorted(square), mlp(2), "track_order=True");
  refuses(sorted(chain({"up1", "up2", "down1", "down2"})), mlp(3), "more than one order");
  // Without biases nothing tells that names were sorted but the names.
  StateDict bare;
  for (const char* name : {"a", "b", "c"}) add(bare, std::string(name) + ".weight", {4, 4}, 1);
  refuses(bare, mlp(2), "more than one order");
  // Numbers that descend: no order that ascends fits.
  StateDict down;
  add_dense(down, "up1", 3, 7, 1);
  add_dense(down, "up2", 7, 4, 2);
  refuses(down, "mlp:7", "\"up1.weight\" has shape [3,7], layer 0 of the spec, a dense, needs [7,4]");
  refuses(sorted(down), "mlp:7", "none fits the spec; compared in the order up1, up2; order names another");

  Options order;
  order.order = {"zeta", "beta", "alpha"};
  const TorchModel given = import_torch(sorted(square), mlp(2), {1, 1, 4}, order);
  CHECK(same_weights(given.state, import_torch(square, mlp(2), {1, 1, 4})));
  CHECK(given.notes.back() == "layers in the order given: zeta, beta, alpha");
  const auto refuses_order = [&](const std::vector<std::string>& names, const std::string& message) {
    Options bad;
    bad.order = names;
    INFO(message);
    CHECK_THROWS_AS(import_torch(square, mlp(2), {1, 1, 4}, bad), ConfigError);
    CHECK_THROWS_WITH(import_torch(square, mlp(2), {1, 1, 4}, bad), Contains(message));
  };
  refuses_order({"zeta", "beta"}, "leaves out alpha");
  refuses_order({"zeta", "beta", "gamma"}, "names \"gamma\", the file has alpha");
  refuses_order({"zeta", "beta", "beta"}, "names \"beta\" twice");
}

TEST_CASE("a prefix of all modules may be left out of the order", "[nn]") {
  const StateDict arrays = chain({"module.b", "module.a"});
  Options order;
  order.order = {"b", "a"};
  CHECK(same_weights(import_torch(sorted(arrays), mlp(1), {1, 1, 4}, order).state,
                     import_torch(arrays, mlp(1), {1, 1, 4})));
}

TEST_CASE("batch normalisation comes with its statistics", "[nn]") {
  const auto backend = nn_test::backend();
  StateDict plain, arrays;
  add(plain, "conv.weight", {3, 2, 3, 3}, 1);
  add_dense(plain, "out", 4, 3 * 5 * 4, 2);
  NdArray<float> variance{{3}, {0.5f, 2.0f, 0.01f}};
  arrays.set("conv.weight", plain.at("conv.weight"));
  add(arrays, "bn.weight", {3}, 5);
  add(arrays, "bn.bias", {3}, 6);
  add(arrays, "bn.running_mean", {3}, 7);
  arrays.set("bn.running_var", variance);
  arrays.set("bn.num_batches_tracked", NdArray<std::int64_t>{{}, {17}});
  for (const char* name : {"out.weight", "out.bias"}) arrays.set(name, plain.at(name));
  constexpr ImageShape shape{5, 4, 2};

  const TorchModel model = import_torch(arrays, "conv(3,3)-batchnorm(eps=0.25)-relu-flatten-dense", shape, {});

  CHECK(model.state.get<std::string>("spec") == "conv(3,3)-batchnorm(eps=0.25)-relu-flatten-dense");
  REQUIRE(model.notes.size() == 3);
  CHECK(model.notes[1] == "no bias, taken for 0: conv");
  CHECK(model.notes[0] == "ignored 1 num_batches_tracked, counters");
  // The convolution alone, then the formula of PyTorch's documentation on each of its channels.
  const auto channel = [&](const char* name, std::size_t c) {
    return static_cast<double>(arrays.get<NdArray<float>>(name).values[c]);
  };
  StateDict only;
  only.set("conv.weight", plain.at("conv.weight"));
  const Net conv(import_torch(only, "conv(3,3)-gap", shape), *backend);
  StateDict with;
  for (const auto& [name, value] : arrays.entries())
    if (name.rfind("out", 0) != 0) with.set(name, value);
  const Net both(import_torch(with, "conv(3,3)-batchnorm(eps=0.25)-gap", shape), *backend);
  const Matrix<float> x = nn_test::random_matrix<float>(6, shape.size(), 9);
  Matrix<float> before(6, 3), after(6, 3), expected(6, 3);
  conv.logits(x.view(), before.view());
  both.logits(x.view(), after.view());
  for (index i = 0; i < 6; ++i)
    for (index c = 0; c < 3; ++c) {
      const auto k = static_cast<std::size_t>(c);
      expected(i, c) = static_cast<float>((static_cast<double>(before(i, c)) - channel("bn.running_mean", k)) /
                                              std::sqrt(channel("bn.running_var", k) + 0.25) * channel("bn.weight", k) +
                                          channel("bn.bias", k));
    }
  // Means of sums of 18 products, scaled by at most 2: 1e-5 is some hundred half ulps.
  NTKROB_CHECK_SAME(kit::compare(after.view(), expected.view(), 1e-5));

  const auto refuses = [&](const StateDict& bad, const std::string& spec, const std::string& message) {
    INFO(message);
    CHECK_THROWS_WITH(import_torch(bad, spec, shape), Contains(message));
  };
  refuses(arrays, "conv(3,3)-relu-flatten-dense",
          "\"bn\" is batch normalisation, for which the spec has no place: write");
  refuses(arrays, "batchnorm-conv(3,3)-relu-flatten-dense",
          "module \"conv\" is a layer with weights, the spec has batchnorm at its place, layer 0");
  refuses(arrays, "conv(3,3)-batchnorm(eps=x)-relu-flatten-dense", "eps");
  refuses(plain, "conv(3,3)-batchnorm-relu-flatten-dense", "the spec has 1 times batchnorm, the file has 0");
  refuses(arrays, "cnn:small-batchnorm", "cnn is a whole net and stands alone");
  const StateDict::Value negative = NdArray<float>{{3}, {1, -1, 1}}, wide = NdArray<float>{{4}, {1, 1, 1, 1}};
  refuses(changed(arrays, "bn.running_var", &negative), "conv(3,3)-batchnorm-relu-flatten-dense",
          "\"bn.running_var\" holds -1");
  refuses(changed(arrays, "bn.bias", &wide), "conv(3,3)-batchnorm-relu-flatten-dense",
          "\"bn.bias\" has shape [4], \"bn.running_mean\" has [3]");
}

TEST_CASE("a net of PyTorch with batch normalisation, in half precision and wrapped, gives its logits", "[nn]") {
  const StateDict golden = load_arrays(NTKROB_GOLDEN_DIR "/nn_torch_batchnorm.npz");
  const auto backend = nn_test::backend();
  const TorchModel model =
      import_torch(load_arrays(NTKROB_GOLDEN_DIR "/nn_torch_batchnorm_state.npz"),
                   "conv(3,3,pad=1)-batchnorm(eps=1e-3)-relu-flatten-dense(7)-batchnorm-relu-dense", {6, 5, 1}, {});
  CHECK(model.notes[0] == "ignored 2 num_batches_tracked, counters");
  CHECK(model.notes[1] == "no bias, taken for 0: module.conv, module.bn2");
  CHECK(model.notes[2] == "no scale, taken for 1: module.bn2");
  CHECK(model.notes[3] ==
        "layers in the order of the file: module.conv, module.bn1, module.fc, module.bn2, module.out");
  const Net net(model.state, *backend);
  const Matrix<float> x = images(golden, "x");
  Matrix<float> out(x.rows(), 3);
  net.logits(x.view(), out.view());
  // Weights are rounded to float32 once more, relative 6e-8, in sums of at most 90 products of numbers around 1.
  NTKROB_CHECK_SAME(kit::compare(out.view(), matrix(golden, "logits"), 1e-5));
}

TEST_CASE("one output is explained, and on request its two-class twin decides alike", "[nn]") {
  const auto backend = nn_test::backend();
  StateDict arrays;
  add_dense(arrays, "0", 6, 5, 1);
  add_dense(arrays, "2", 1, 6, 2);
  CHECK_THROWS_AS(import_torch(arrays, "mlp:6", {1, 1, 5}), ConfigError);
  CHECK_THROWS_WITH(import_torch(arrays, "mlp:6", {1, 1, 5}), Contains("sigmoid") && Contains("two-class=true makes"));

  Options twin;
  twin.two_class = true;
  const TorchModel model = import_torch(arrays, "mlp:6", {1, 1, 5}, twin);
  CHECK_THAT(model.notes.back(), Contains("0 and z"));
  const Net net(model.state, *backend);
  REQUIRE(net.classes() == 2);
  const Matrix<float> x = nn_test::random_matrix<float>(50, 5, 3, -3, 3);
  Matrix<float> out(50, 2);
  net.logits(x.view(), out.view());
  index above = 0;
  for (index i = 0; i < 50; ++i) {
    CHECK(out(i, 0) == 0);
    double z = arrays.get<NdArray<float>>("2.bias").values[0];
    for (std::size_t h = 0; h < 6; ++h) {
      double sum = arrays.get<NdArray<float>>("0.bias").values[h];
      for (std::size_t k = 0; k < 5; ++k)
        sum += static_cast<double>(arrays.get<NdArray<float>>("0.weight").values[h * 5 + k]) *
               static_cast<double>(x(i, static_cast<index>(k)));
      z += std::max(sum, 0.0) * static_cast<double>(arrays.get<NdArray<float>>("2.weight").values[h]);
    }
    // Sums of at most 6 products around 3.
    CHECK(std::abs(static_cast<double>(out(i, 1)) - z) < 1e-5);
    if (z > 0) ++above;
  }
  CHECK(above > 0);
  CHECK(above < 50);

  StateDict three;
  add_dense(three, "0", 3, 5, 1);
  CHECK_THROWS_WITH(import_torch(three, "mlp:", {1, 1, 5}, twin), Contains("this one has 3"));
}

TEST_CASE("a model keeps the names of its classes, all or none", "[nn]") {
  const auto backend = nn_test::backend();
  StateDict state = Net("mlp:", {1, 1, 2}, 3, Initialisation::uniform, 1, *backend).state();
  CHECK(stored_class_names(state).empty());
  CHECK_THROWS_WITH(store_class_names(state, {"a", "b"}), Contains("2 names") && Contains("3 classes"));
  store_class_names(state, {"a", "b", "c d"});
  CHECK(stored_class_names(state) == std::vector<std::string>{"a", "b", "c d"});
  CHECK_NOTHROW(Net(state, *backend));
  CHECK_THROWS_WITH(stored_class_names(changed(state, "class_names/1", nullptr)),
                    Contains("\"class_names/1\" is missing"));
  const StateDict::Value more = std::string("d");
  CHECK_THROWS_WITH(stored_class_names(changed(state, "class_names/3", &more)), Contains("\"class_names/3\" exists"));
}
