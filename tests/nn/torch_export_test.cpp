// Weights for PyTorch: what export_torch writes, import_torch reads back to the same bits, in any order of the file.
// That they are the same net in PyTorch is for torch_check.py.
#include "ntkrob/exchange/torch_export.hpp"

#include "kit/check.hpp"
#include "nn/examples.hpp"
#include "ntkrob/data/format.hpp"
#include "ntkrob/exchange/import.hpp"
#include "ntkrob/model/metrics.hpp"

using namespace ntkrob;
using Catch::Matchers::Contains;

namespace {

struct Case {
  std::string spec;
  ImageShape shape;
  index classes;
};

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const auto& [name, shape] : nn_test::preset_examples()) all.push_back({name, shape, 10});
  for (const nn_test::NetExample& example : nn_test::kNetExamples)
    all.push_back({example.spec, example.shape, example.classes});
  // Between a flatten and the next dense, groups that are one or single channels, signals, branches in branches,
  // two-way windows of a signal, and images behind vectors.
  all.push_back(
      {"conv(4,3)-flatten-batchnorm-leaky-layernorm-groupnorm(1)-instancenorm-relu-depthwise(1)-dense(5)-relu-dense",
       {4, 6, 2},
       3});
  all.push_back({"flatten-normalise(mean=0.5,std=0.25)-conv(6,1)-relu-dense", {4, 3, 2}, 3});
  all.push_back(
      {"conv1d(4,5)-relu-depthwise1d(3)-sum(conv1d(3,3) | conv(3,3))-relu-maxpool1d(2)-dense", {12, 1, 3}, 4});
  all.push_back({"residual(sum(conv(2,3) | residual(batchnorm) | ))-gap-batchnorm-dense(4)-relu-conv(5,1)-gap-dense",
                 {5, 4, 2},
                 3});
  all.push_back({"kernel:conv(3,5,width=4)-relu-gap-dense", {6, 5, 2}, 3});
  all.push_back({"dense(3)-relu-residual(dense(3)-relu)-dense", {1, 1, 7}, 2});
  return all;
}

bool same(const Matrix<float>& a, const Matrix<float>& b) {
  const auto bytes = [](const Matrix<float>& m) { return reinterpret_cast<const unsigned char*>(m.data()); };
  const auto size = static_cast<std::size_t>(a.size()) * sizeof(float);
  return a.rows() == b.rows() && a.cols() == b.cols() && std::equal(bytes(a), bytes(a) + size, bytes(b));
}

/// As a file that keeps no order lists them.
StateDict sorted(const StateDict& arrays) {
  std::vector<std::string> names;
  for (const auto& [name, value] : arrays.entries()) names.push_back(name);
  std::sort(names.begin(), names.end());
  StateDict result;
  for (const std::string& name : names) result.set(name, arrays.at(name));
  return result;
}

std::vector<std::string> names_of(const StateDict& arrays) {
  std::vector<std::string> names;
  for (const auto& [name, value] : arrays.entries()) names.push_back(name);
  return names;
}

}  // namespace

TEST_CASE("every net that goes out to PyTorch comes back with the same bits", "[nn]") {
  const auto backend = nn_test::backend(2);
  std::uint64_t seed = 0;
  for (const Case& c : cases()) {
    INFO(c.spec << " on " << c.shape.height << " x " << c.shape.width << " x " << c.shape.channels);
    Net net(c.spec, c.shape, c.classes, Initialisation::uniform, ++seed, *backend);
    nn_test::randomise_normalisations(net, seed);
    const StateDict arrays = export_torch(net);
    const Matrix<float> x = nn_test::random_matrix<float>(2, c.shape.size(), seed);
    const Matrix<float> expected = all_logits(net, x.view());
    for (const StateDict& read : {arrays, sorted(arrays)}) {
      const Net back(import_torch(read, c.spec, c.shape), *backend);
      REQUIRE(back.layers().size() == net.layers().size());
      for (std::size_t l = 0; l < net.layers().size(); ++l) {
        INFO("layer " << l);
        const LayerParameters &a = net.layers()[l], &b = back.layers()[l];
        CHECK((same(a.weight, b.weight) && same(a.bias, b.bias) && same(a.statistics, b.statistics)));
      }
      CHECK(same(all_logits(back, x.view()), expected));
    }
  }
}

TEST_CASE("every layer that weights of PyTorch come in for goes out too", "[nn]") {
  const auto backend = nn_test::backend();
  index layers = 0;
  for (const net::Coverage& row : net::coverage()) {
    if (std::string(row.torch) != "yes") continue;
    ++layers;
    const auto* example = std::find_if(std::begin(nn_test::kNetExamples), std::end(nn_test::kNetExamples),
                                       [&](const auto& e) { return std::string(e.layer) == row.layer; });
    REQUIRE(example != std::end(nn_test::kNetExamples));
    const Net net(example->spec, example->shape, example->classes, Initialisation::he, 1, *backend);
    CHECK(!export_torch(net).entries().empty());
  }
  CHECK(layers >= 16);
}

TEST_CASE("modules are numbered as nn.Sequential counts the words of the text", "[nn]") {
  const auto backend = nn_test::backend();
  const auto names = [&](const std::string& spec, ImageShape shape) {
    return names_of(export_torch(Net(spec, shape, 3, Initialisation::he, 1, *backend)));
  };
  using Names = std::vector<std::string>;
  const auto both = [](const Names& modules) {
    Names all;
    for (const std::string& m : modules) all.insert(all.end(), {m + ".weight", m + ".bias"});
    return all;
  };
  CHECK(names("mlp:5", {1, 1, 4}) == both({"0", "2"}));
  CHECK(names("mlp:5", {2, 2, 1}) == both({"1", "3"}));  // Flatten, Linear, ReLU, Linear
  CHECK(names("conv(2,3)-relu-flatten-dense", {4, 4, 1}) == both({"0", "3"}));
  CHECK(names("conv(2,3)-relu-dense", {4, 4, 1}) == both({"0", "3"}));  // the flatten that is left out counts
  CHECK(names("conv(2,3)-gap-dense", {4, 4, 1}) == both({"0", "3"}));
  CHECK(names("dense(4)-relu-conv(2,1)-dense", {1, 1, 4}) == both({"0", "3", "5"}));
  CHECK(names("conv(2,3)-residual(relu-conv(2,3))-sum(conv(3,1) | relu-conv(3,1))-gap-dense", {4, 4, 1}) ==
        both({"0", "1.0.1", "2.0.0", "2.1.1", "5"}));
  CHECK(names("batchnorm-dense", {1, 1, 2}) ==
        Names{"0.weight", "0.bias", "0.running_mean", "0.running_var", "1.weight", "1.bias"});
  const StateDict signals = export_torch(Net("conv1d(4,5)-dense", {8, 1, 2}, 3, Initialisation::he, 1, *backend));
  CHECK(signals.get<NdArray<float>>("0.weight").shape == std::vector<index>{4, 2, 5});
}

TEST_CASE("nets that PyTorch has in no order are not written", "[nn]") {
  const auto backend = nn_test::backend();
  const auto refuses = [&](const std::string& spec, ImageShape shape, index classes, const std::string& message) {
    INFO(spec);
    const Net net(spec, shape, classes, Initialisation::he, 1, *backend);
    CHECK_THROWS_AS(export_torch(net), ConfigError);
    CHECK_THROWS_WITH(export_torch(net), Contains(message));
  };
  refuses("conv(3,3)-relu-maxpool(2)", {4, 6, 2}, 18, "the logits are a flattened image of 2 x 3 x 3");
  refuses("sum(dense(24) | flatten)-dense", {4, 3, 2}, 3, "layer 1, sum, reads a flattened image of 4 x 3 x 2");
  refuses("conv(4,3)-flatten-groupnorm(2)-dense", {2, 3, 1}, 3, "its groups are of other numbers there");
}
