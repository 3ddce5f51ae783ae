// Nets with branches, normalisations and signals: logits and input gradients of PyTorch, with its weights.
#include "kit/check.hpp"
#include "nn/fixture.hpp"
#include "ntkrob/data/format.hpp"
#include "ntkrob/exchange/import.hpp"

using namespace ntkrob;
using Catch::Matchers::Contains;

namespace {

struct Case {
  const char* spec;
  ImageShape shape;
};
const Case kCases[] = {
    {"conv(4,3,pad=1)-batchnorm-relu-residual(conv(4,3,pad=1)-batchnorm-relu-conv(4,3,pad=1)-batchnorm)-relu-"
     "sum(conv(8,3,stride=2,pad=1)-batchnorm-relu-conv(8,3,pad=1)-batchnorm | conv(8,1,stride=2,pad=0)-batchnorm)-relu-"
     "gap-dense",
     {8, 6, 3}},
    {"conv(4,3)-groupnorm(2)-gelu-depthwise(3,stride=2,pad=1)-leaky(0.2)-conv(6,3)-instancenorm-relu-avgpool(2)-"
     "flatten-"
     "dense(7)-layernorm-tanh-dropout(p=0.4)-dense",
     {8, 6, 2}},
    {"conv1d(4,5,stride=2,pad=2)-relu-maxpool1d(2)-depthwise1d(3,pad=1)-batchnorm-relu-avgpool1d(3)-flatten-dense",
     {37, 1, 3}},
    // Behind a flatten PyTorch has the numbers in another order, up to the next dense layer.
    {"conv(4,3,stride=2,pad=1)-flatten-batchnorm-gelu-dropout(p=0.4)-layernorm-dense(7)-tanh-dense", {8, 6, 2}},
};

/// The arrays of net k below a prefix, without it.
StateDict part(const StateDict& all, std::size_t k, const std::string& prefix) {
  const std::string begin = text(k, "/", prefix);
  StateDict result;
  for (const auto& [name, value] : all.entries())
    if (name.compare(0, begin.size(), begin) == 0) result.set(name.substr(begin.size()), value);
  return result;
}

/// n x C x H x W as rows in the order H W C.
Matrix<float> rows(const NdArray<float>& planes, ImageShape shape) {
  const index n = planes.shape[0], positions = shape.height * shape.width;
  Matrix<float> result(n, shape.size());
  for (index i = 0; i < n; ++i)
    for (index c = 0; c < shape.channels; ++c)
      for (index p = 0; p < positions; ++p)
        result(i, p * shape.channels + c) =
            planes.values[static_cast<std::size_t>((i * shape.channels + c) * positions + p)];
  return result;
}

Matrix<float> matrix(const NdArray<float>& values) {
  Matrix<float> result(values.shape[0], values.shape[1]);
  std::copy(values.values.begin(), values.values.end(), result.data());
  return result;
}

}  // namespace

TEST_CASE("nets with branches, normalisations and signals give the logits and gradients of PyTorch", "[nn]") {
  const StateDict golden = load_arrays(NTKROB_GOLDEN_DIR "/nn_torch_branches.npz");
  const auto backend = nn_test::backend(2);
  for (std::size_t k = 0; k < std::size(kCases); ++k) {
    const Case& c = kCases[k];
    INFO(c.spec);
    const Net net(import_torch(part(golden, k, "state/"), c.spec, c.shape), *backend);
    const StateDict own = part(golden, k, "");
    const auto array = [&](const char* name) -> const NdArray<float>& { return own.get<NdArray<float>>(name); };
    const Matrix<float> x = rows(array("x"), c.shape), cotangent = matrix(array("cotangent")),
                        expected = matrix(array("logits")), dx = rows(array("dx"), c.shape);
    Matrix<float> logits(x.rows(), 5), found(x.rows(), x.cols());
    net.logits(x.view(), logits.view());
    net.input_grad(x.view(), cotangent.view(), found.view());
    // Sums of at most 72 products in up to eight layers, values up to 10: 1e-5 is some hundred half ulps of 1.
    NTKROB_CHECK_SAME(kit::compare(logits.view(), expected.view(), 2e-5));
    NTKROB_CHECK_SAME(kit::compare(found.view(), dx.view(), 2e-5));
  }
}

TEST_CASE("nets whose flattened numbers PyTorch has in another order for good are refused", "[nn]") {
  const auto refuses = [](const std::string& spec, ImageShape input, index classes, const std::string& message) {
    INFO(spec);
    const auto backend = nn_test::backend();
    StateDict arrays;
    const StateDict state = Net(spec, input, classes, Initialisation::he, 1, *backend).state();
    for (const auto& [name, value] : state.entries())
      if (name.size() > 7 && (name.rfind("weight") == name.size() - 6 || name.rfind("bias") == name.size() - 4))
        arrays.set(name, value);
    CHECK_THROWS_AS(import_torch(arrays, spec, input), ConfigError);
    CHECK_THROWS_WITH(import_torch(arrays, spec, input), Contains(message));
  };
  refuses("conv(4,3)-flatten-groupnorm(2)-dense", {2, 3, 1}, 3,
          "layer 1, groupnorm, reads a flattened image of 2 x 3 x 4, whose numbers PyTorch has in the order C H W");
  refuses("sum(dense(24) | flatten)-dense", {4, 3, 2}, 3, "layer 1, sum, reads a flattened image of 4 x 3 x 2");
  refuses("conv(3,3)-flatten-layernorm", {2, 2, 1}, 12, "the logits are a flattened image of 2 x 2 x 3");
}

TEST_CASE("what PyTorch has and the spec has not is named, and the other way round", "[nn]") {
  const StateDict golden = load_arrays(NTKROB_GOLDEN_DIR "/nn_torch_branches.npz");
  const auto refuses = [&](std::size_t k, const std::string& spec, const std::string& message) {
    INFO(spec);
    CHECK_THROWS_WITH(import_torch(part(golden, k, "state/"), spec, kCases[k].shape), Contains(message));
  };
  refuses(1,
          "conv(4,3)-gelu-depthwise(3,stride=2,pad=1)-leaky(0.2)-conv(6,3)-relu-avgpool(2)-flatten-dense(7)-tanh-dense",
          "module \"1\" is layer, group or instance normalisation, for which the spec has no place");
  refuses(
      1,
      "conv(4,3)-groupnorm(2)-gelu-conv(4,3,stride=2,pad=1)-leaky(0.2)-conv(6,3)-instancenorm-relu-avgpool(2)-flatten-"
      "dense(7)-layernorm-tanh-dense",
      "array \"3.weight\" has shape [4,1,3,3], layer 3 of the spec, a conv, needs [4,4,3,3]");
  refuses(2,
          "conv1d(4,3,stride=2,pad=1)-relu-maxpool1d(2)-depthwise1d(3,pad=1)-batchnorm-relu-avgpool1d(3)-flatten-dense",
          "array \"0.weight\" has shape [4,3,5], layer 0 of the spec, a conv, needs [4,3,3,1]");
}

TEST_CASE("a LayerNorm over channels and positions is refused with what there is in its place", "[nn]") {
  const auto numbers = [](const std::vector<index>& shape) {
    index n = 1;
    for (const index extent : shape) n *= extent;
    const Matrix<float> values = nn_test::random_matrix<float>(1, n, 7, 0.5, 1.5);
    return NdArray<float>{shape, {values.data(), values.data() + n}};
  };
  const auto net = [&](const std::vector<index>& scales, bool shifts) {
    StateDict arrays;
    arrays.set("conv.weight", numbers({4, 2, 3, 3}));
    arrays.set("norm.weight", numbers(scales));
    if (shifts) arrays.set("norm.bias", numbers(scales));
    arrays.set("fc.weight", numbers({3, 4 * 5 * 6}));
    return arrays;
  };
  constexpr ImageShape kShape{5, 6, 2};
  const auto refuses = [&](const StateDict& arrays, const std::string& spec) {
    INFO(spec);
    CHECK_THROWS_AS(import_torch(arrays, spec, kShape), IoError);
    CHECK_THROWS_WITH(
        import_torch(arrays, spec, kShape),
        Contains("array \"norm.weight\" has shape [4,5,6]: LayerNorm over [4,5,6] has a scale for every number") &&
            Contains("nn.GroupNorm(1, 4), which is layernorm(axes=all)") && Contains("flatten-layernorm"));
  };
  for (const char* spec :
       {"conv(4,3)-layernorm(axes=all)-relu-dense", "conv(4,3)-layernorm-relu-dense",
        "conv(4,3)-groupnorm(2)-relu-dense", "conv(4,3)-relu-dense", "conv(4,3)-batchnorm-relu-dense"}) {
    refuses(net({4, 5, 6}, true), spec);
  }
  refuses(net({4, 5, 6}, false), "conv(4,3)-layernorm(axes=all)-relu-dense");
  // What the message offers: the same numbers behind a flatten, in either shape.
  const StateDict whole = import_torch(net({4, 5, 6}, true), "conv(4,3)-flatten-layernorm-relu-dense", kShape);
  const StateDict flat = import_torch(net({4 * 5 * 6}, true), "conv(4,3)-flatten-layernorm-relu-dense", kShape);
  const auto &a = whole.get<NdArray<float>>("layers/1/weight"), &b = flat.get<NdArray<float>>("layers/1/weight");
  CHECK(a.shape == std::vector<index>{120});
  CHECK(a.values == b.values);
  const auto scales = numbers({4, 5, 6});
  CHECK(a.values[1] == scales.values[5 * 6]);  // channel 1 of the first position
  // GroupNorm(1, C) is layernorm(axes=all).
  CHECK_NOTHROW(import_torch(net({4}, true), "conv(4,3)-layernorm(axes=all)-relu-dense", kShape));
}

TEST_CASE("modules that are left over and layers without arrays are named", "[nn]") {
  StateDict arrays = part(load_arrays(NTKROB_GOLDEN_DIR "/nn_torch_branches.npz"), 1, "state/");
  const std::string spec =
      "conv(4,3)-groupnorm(2)-gelu-depthwise(3,stride=2,pad=1)-leaky(0.2)-conv(6,3)-instancenorm-relu-avgpool(2)-"
      "flatten-dense(7)-layernorm-tanh-dense";
  const auto refuses = [](const StateDict& bad, const std::string& text, const std::string& message) {
    INFO(text);
    CHECK_THROWS_AS(import_torch(bad, text, {8, 6, 2}), IoError);
    CHECK_THROWS_WITH(import_torch(bad, text, {8, 6, 2}), Contains(message));
  };
  const auto without = [&](const std::string& module) {
    StateDict rest;
    for (const auto& [name, value] : arrays.entries())
      if (name.rfind(module + ".", 0) != 0) rest.set(name, value);
    return rest;
  };
  REQUIRE_NOTHROW(import_torch(arrays, spec, {8, 6, 2}));
  refuses(without("3"), spec, "; nothing for layer 3, depthwise [4,1,3,3]");
  refuses(without("10"), spec, "; nothing for layer 8, dense [7,12]");
  refuses(arrays,
          "conv(4,3)-groupnorm(2)-gelu-conv(6,3)-instancenorm-relu-maxpool(2)-avgpool(2)-flatten-dense(7)-layernorm-"
          "tanh-dense",
          "left over: \"3\" [4,1,3,3]");
  StateDict more;
  for (const auto& [name, value] : arrays.entries()) {
    if (name == "10.weight") {
      more.set("aux.weight", NdArray<float>{{2, 9}, std::vector<float>(18, 1)});
      more.set("aux.bias", NdArray<float>{{2}, {1, 1}});
    }
    more.set(name, value);
  }
  refuses(more, spec, "left over: \"aux\" [2,9]");
  // Behind the last layer, and where the spec has its outputs from a convolution.
  StateDict head;
  head.set("z.weight", NdArray<float>{{3, 2, 3, 3}, std::vector<float>(54, 1)});
  head.set("aux.weight", NdArray<float>{{2, 9}, std::vector<float>(18, 1)});
  refuses(head, "conv(3,3)-gap", "left over: \"aux\" [2,9]");
  // In an order that the file does not keep.
  StateDict sorted;
  for (const char* name : {"alpha.bias", "alpha.weight", "beta.bias", "beta.weight", "gamma.bias", "gamma.weight"})
    sorted.set(name, std::string(name).find("bias") != std::string::npos
                         ? NdArray<float>{{96}, std::vector<float>(96, 1)}
                         : NdArray<float>{{96, 96}, std::vector<float>(96 * 96, 1)});
  refuses(sorted, "dense(96)-relu-dense", "left over: \"gamma\" [96,96]");
}

TEST_CASE("what is absent and taken for 1 or 0 is said", "[nn]") {
  StateDict arrays;
  arrays.set("a.weight", NdArray<float>{{2, 3}, std::vector<float>(6, 1)});
  arrays.set("n.running_mean", NdArray<float>{{2}, {0, 0}});
  arrays.set("n.running_var", NdArray<float>{{2}, {1, 1}});
  arrays.set("b.weight", NdArray<float>{{2, 2}, std::vector<float>(4, 1)});
  arrays.set("b.bias", NdArray<float>{{2}, {1, 1}});
  const std::vector<std::string> notes = import_torch(arrays, "dense(2)-batchnorm-dense", {1, 1, 3}, {}).notes;
  REQUIRE(notes.size() == 3);
  CHECK(notes[0] == "no bias, taken for 0: a, n");
  CHECK(notes[1] == "no scale, taken for 1: n");
}
