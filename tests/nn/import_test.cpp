// Nets of PyTorch: the golden files that tests/golden/nn_torch_layers.py made, and damaged arrays.
#include "ntkrob/nn/import.hpp"

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
  refuses(changed(good, "1.running_mean", &vector), kGoldenSpec, "\"1.running_mean\" is no parameter");
  refuses(changed(good, "6.bias", &vector), kGoldenSpec,
          "\"6.bias\" has shape [4], layer 5 of the spec, a dense, needs [6]");
  refuses(changed(good, "8.weight", nullptr), kGoldenSpec, "\"8.bias\" has no weight beside it");
  refuses(changed(good, "8.weight", &whole), kGoldenSpec, "\"8.weight\" does not hold floating-point numbers");
  refuses(changed(good, "8.bias", &not_finite), kGoldenSpec, "\"8.bias\" holds nan at position 2");
  refuses(StateDict(), kGoldenSpec, "no array named <module>.weight");
  CHECK_THROWS_AS(import_torch(good, "conv(3,3)-tanh-dense", kGoldenShape), ConfigError);
}
