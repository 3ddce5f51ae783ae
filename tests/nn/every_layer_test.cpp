// What holds for every layer of nn/layers/layers.def, on the example that its row brings.
#include <algorithm>

#include "kit/check.hpp"
#include "kit/check_model.hpp"
#include "nn/examples.hpp"
#include "nn/fixture.hpp"
#include "nn/stack.hpp"
#include "ntkrob/base/spec_text.hpp"

using namespace ntkrob;
using nn_test::NetExample;
using nn_test::random_matrix;

namespace {

Net net_of(const NetExample& example, Backend& backend) {
  return Net(example.spec, example.shape, example.classes, Initialisation::uniform, 5, backend);
}

}  // namespace

TEST_CASE("the example of every layer has the layer in it, and its help begins with its name", "[nn]") {
  const auto backend = nn_test::backend();
  const std::vector<std::string> help = net::net_help();
  for (const NetExample& example : nn_test::kNetExamples) {
    INFO("layer " << example.layer << " of layers.def: " << example.spec);
    const std::vector<SpecItem> items = parse_spec(example.spec);
    CHECK(std::any_of(items.begin(), items.end(), [&](const SpecItem& item) { return item.name == example.layer; }));
    CHECK(std::any_of(help.begin(), help.end(), [&](const std::string& line) {
      return line.compare(2, std::string(example.layer).size(), example.layer) == 0;
    }));
    CHECK(net_of(example, *backend).classes() == example.classes);
  }
}

TEST_CASE("every layer fulfils the contract of Model", "[nn]") {
  const auto backend = nn_test::backend(2);
  kit::CheckModelOptions options;
  options.step = 1.0 / 1024;      // small against the distance of most of these inputs to the kinks ...
  options.gradient_bound = 0.05;  // ... and one that is crossed changes one term of a sum
  for (const NetExample& example : nn_test::kNetExamples) {
    INFO("layer " << example.layer << " of layers.def: " << example.spec);
    const Net net = net_of(example, *backend);
    NTKROB_CHECK_MODEL(net, random_matrix<float>(7, example.shape.size(), 3).view(), options);
  }
}

TEST_CASE("every layer comes back from a stored model with the same bits", "[nn]") {
  const auto backend = nn_test::backend();
  for (const NetExample& example : nn_test::kNetExamples) {
    INFO("layer " << example.layer << " of layers.def: " << example.spec);
    const Net net = net_of(example, *backend);
    const Net back(net.state(), *backend);
    CHECK(nn_test::same_bits(net, back));
    const Matrix<float> x = random_matrix<float>(9, example.shape.size(), 4);
    Matrix<float> expected(9, example.classes), found(9, example.classes);
    net.logits(x.view(), expected.view());
    back.logits(x.view(), found.view());
    NTKROB_CHECK_SAME(kit::compare(found.view(), expected.view(), 0));
  }
}
