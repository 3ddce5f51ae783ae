#include "ntkrob/net/description.hpp"

#include "kit/check.hpp"
#include "ntkrob/net/kernel_presets.hpp"

using namespace ntkrob;
using Catch::Matchers::Contains;
using net::describe;
using net::Description;
using net::Kind;

namespace {

constexpr ImageShape kPicture{32, 32, 3}, kSignal{48, 1, 3};

index parameters(const Description& d) {
  index count = 0;
  for (const net::Layer& layer : d.layers) count += layer.outputs * (layer.fan_in + 1);
  return count;
}

std::vector<Kind> kinds(const Description& d) {
  std::vector<Kind> result;
  for (const net::Layer& layer : d.layers) result.push_back(layer.kind);
  return result;
}

/// Two texts that are the same net.
void same(const std::string& a, const std::string& b, ImageShape shape = kPicture) {
  INFO(a << " and " << b);
  const Description one = describe(a, shape, 10), other = describe(b, shape, 10);
  REQUIRE(one.layers.size() == other.layers.size());
  for (std::size_t l = 0; l < one.layers.size(); ++l) {
    const net::Layer &p = one.layers[l], &q = other.layers[l];
    CHECK(p.kind == q.kind);
    CHECK(p.inputs == q.inputs);
    CHECK(p.in == q.in);
    CHECK(p.out == q.out);
    CHECK(p.relu == q.relu);
    CHECK(p.weight_shape == q.weight_shape);
    CHECK(p.constants == q.constants);
    CHECK(p.w == q.w);
    CHECK(p.b == q.b);
  }
}

void refused(const std::string& text, const std::string& message, ImageShape shape = kPicture) {
  INFO(text);
  CHECK_THROWS_AS(describe(text, shape, 10), ConfigError);
  CHECK_THROWS_WITH(describe(text, shape, 10), Contains(message));
}

}  // namespace

TEST_CASE("presets have the number of parameters that their papers and benchmarks state", "[net]") {
  // He 2016 with projections on shortcuts: 272 474 without the biases of the 784 channels of its convolutions.
  CHECK(parameters(describe("resnet:20", kPicture, 10)) == 272474 + 784);
  // The net of the data-set-distillation benchmarks: 320 010.
  CHECK(parameters(describe("convnet:3", kPicture, 10)) == 320010);
  // Wong & Kolter 2018 on MNIST.
  CHECK(parameters(describe("cnn:small", {28, 28, 1}, 10)) == 272 + 8224 + 156900 + 1010);
  CHECK(parameters(describe("mlp:256,128", {28, 28, 1}, 10)) == 784 * 256 + 256 + 256 * 128 + 128 + 1290);
}

TEST_CASE("every preset fits the inputs that it is for, and ends in the classes", "[net]") {
  for (const net::Preset& preset : net::net_presets()) {
    INFO(preset.name << ": " << preset.layers);
    const std::string name = preset.name.substr(0, preset.name.find(','));
    for (const ImageShape shape : {kPicture, ImageShape{28, 28, 1}}) {
      const Description d = describe(name, shape, 10);
      CHECK(d.layers.back().out.size() == 10);
      CHECK(d.text == name);
    }
    same(name, preset.layers);
  }
  CHECK(describe("dscnn", {49, 10, 1}, 12).layers.front().out == ImageShape{25, 5, 64});
}

TEST_CASE("a text of layers gives shapes, parameters and what each layer reads", "[net]") {
  const Description d =
      describe("conv(8,3)-relu-residual(relu-conv(8,3)-relu)-sum(conv(4,3,stride=2) | maxpool(2)-conv(4,1))-relu-dense",
               {6, 4, 2}, 10);
  CHECK(kinds(d) == std::vector<Kind>{Kind::conv, Kind::relu, Kind::conv, Kind::sum, Kind::conv, Kind::maxpool,
                                      Kind::conv, Kind::sum, Kind::dense});
  CHECK(d.layers[0].relu);   // part of the convolution: nobody else reads what is before it ...
  CHECK(!d.layers[1].relu);  // ... while a branch has its own
  CHECK(d.layers[3].inputs == std::vector<int>{2, 0});
  CHECK(d.layers[7].inputs == std::vector<int>{4, 6});
  CHECK(d.layers[5].inputs == std::vector<int>{3});
  CHECK(d.layers[7].out == ImageShape{3, 2, 4});
  CHECK(d.layers[7].relu);
  CHECK(d.layers[8].fan_in == 24);
  CHECK(!d.chain());
  CHECK(describe("conv(8,3)-relu-dense", {6, 4, 2}, 10).chain());
  CHECK(d.layers[0].weight_shape == std::vector<index>{8, 2, 3, 3});
}

TEST_CASE("the text of a kernel is a net, with widths of its own or the default ones", "[net]") {
  same("fc:2", "dense(256)-relu-dense(256)-relu-dense");
  same("fc:1(w=1.5,b=0)", "dense(256,w=1.5,b=0)-relu-dense(w=1.5,b=0)");
  same("conv(3)-relu-flatten-dense", "conv(64,3)-relu-flatten-dense");
  same("conv(3,width=5)-relu-gap-dense", "conv(5,3)-relu-gap-dense");
  same("kernel:conv(3,5,width=4)-relu-gap-dense", "conv(4,kh=3,kw=5)-relu-gap-dense");
  same("kernel:dense(1.5,0.2,width=9)-relu-dense", "dense(9,w=1.5,b=0.2)-relu-dense");
  same("dense(width=9,param=standard,in=7)-relu-dense", "dense(9)-relu-dense");
  same("dropout(rate=0.75)-dense", "dropout(p=0.25)-dense");
  for (const net::KernelPreset& preset : net::kernel_presets) {
    const std::string form = preset.number == nullptr ? preset.name : text(preset.name, ":", preset.low);
    INFO(form);
    CHECK(describe(form, kPicture, 10).layers.back().out.size() == 10);
  }
  refused("conv(3,pad=circular)-gap-dense", "no circular padding");
  refused("conv(3,dilation=2)-gap-dense", "no dilation");
  refused("conv(3,sh=1,sw=2)-gap-dense", "one stride both ways");
  refused("dense-sign-dense", "no layer \"sign\" of nets");
  refused("dropout(0.7)-dense", "dropout(p=0.7) drops this share, dropout(rate=0.7) keeps it");
}

TEST_CASE("windows over signals refuse pictures, and name the layer for them", "[net]") {
  const Description d =
      describe("conv1d(8,5,stride=2)-relu-maxpool1d(2)-depthwise1d(3)-avgpool1d(3)-dense", kSignal, 4);
  CHECK(d.layers[0].out == ImageShape{24, 1, 8});
  CHECK(d.layers[0].fan_in == 15);
  CHECK(d.layers[2].out == ImageShape{12, 1, 8});
  refused("conv1d(8,5)-dense", "conv1d reads signals, T x 1 x C; here 32 x 32 x 3 arrives: write conv");
  refused("conv(8,3)-maxpool1d(2)-dense", "here 32 x 32 x 8 arrives: write maxpool");
  refused("conv1d(8,5,kw=3)-dense", "windows of k steps", kSignal);
  refused("conv(8,4,stride=2,pad=1)-dense", "signals, T x 1 x C: write conv1d", kSignal);
  refused("maxpool(2)-dense", "signals, T x 1 x C: write maxpool1d", kSignal);
}

TEST_CASE("what does not fit together is refused with what arrives there", "[net]") {
  refused("conv(8,3)-residual(conv(4,3))-dense",
          "the branches of residual differ: one gives 32 x 32 x 4, another 32 x 32 x 8");
  refused("sum(conv(8,3))-dense", "sum takes two branches or more");
  refused("residual(conv(3,3) | conv(3,1))-dense", "residual takes one branch");
  refused("conv(6,3)-groupnorm(4)-dense", "6 channels do not divide into 4 groups");
  refused("batchnorm(eps=0)-dense", "batchnorm eps is 0");
  refused("dense(8)-dropout(p=1)-dense", "drops everything");
  refused("resnet:8-dense", "whole net and stands alone");
  refused("mlp", "a preset (cnn:small, resnet:8, ...)");
  refused("kernel:", "empty");
}

TEST_CASE("presets are written out, and what is none stays as it is", "[net]") {
  CHECK(net::written_out("mlp:5,4") == "dense(5)-relu-dense(4)-relu-dense");
  CHECK(net::written_out("mlp:") == "dense");
  CHECK(net::written_out("kernel:fc:1") == "dense-relu-dense");
  for (const char* same : {"conv(3,5)-relu-gap-dense", "kernel:conv(3,5)-relu-gap-dense", " dense(3)-relu-dense"})
    CHECK(net::written_out(same) == same);
  // The same net, layer by layer.
  for (const net::Preset& preset : net::net_presets()) {
    const std::string name = preset.name.substr(0, preset.name.find(','));
    const ImageShape shape = name == "dscnn" ? ImageShape{49, 10, 1} : kPicture;
    const net::Description a = describe(name, shape, 10), b = describe(net::written_out(name), shape, 10);
    REQUIRE(a.layers.size() == b.layers.size());
    for (std::size_t l = 0; l < a.layers.size(); ++l)
      CHECK((a.layers[l].kind == b.layers[l].kind && a.layers[l].weight_shape == b.layers[l].weight_shape &&
             a.layers[l].place == b.layers[l].place));
  }
}

TEST_CASE("a wrong number or name of a preset is answered with the nets there are", "[net]") {
  for (const char* wrong : {"resnet:9", "resnet:0", "resnet:4", "resnet:116", "resnet:1000000000000000000000"}) {
    refused(wrong, "nets are resnet:8, resnet:14, resnet:20 (6 n + 2 from 8 to 110)");
    refused(wrong, "the kernels' preset resnet:10, resnet:16");
  }
  refused("resnet:9", "the number is 9");
  for (const char* wrong : {"convnet:0", "convnet:6", "convnet:100000"}) refused(wrong, "nets are convnet:3 (1 to 5)");
  refused("resnet:8(w=2)",
          "resnet:8 is a net and takes no arguments, or with the layers of the kernels' preset resnet:10");
  refused("convnet:3(pool=gap)", "convnet:3 is a net and takes no arguments");
  refused("kernel:convnet:3", "is a net and no kernel");
  refused("kernel:resnet:8", "write resnet:10");
  for (const char* wrong :
       {"resnet", "resnet18", "resnet:x", "resnet:-8", "convnet", "convnet3", "vgg11", "vgg16", "vgg13-s", "alexnet",
        "alexnet-m", "dscnn:3", "dscnn2", "cnn:large", "lenet5", "myrtle", "fc"})
    refused(wrong,
            "there are: mlp:256,128, alexnet-s, cnn:small, convnet:3, dscnn, resnet:8, resnet:14, resnet:20, vgg11-s, "
            "fc:L");
  refused("conv(8,3)-resnet18-dense", "no net is called resnet18");
  // Layers are no presets, whatever letters they begin with.
  refused("conw(8,3)-dense", "no layer \"conw\" of nets");
  CHECK(describe("resnet:10", kPicture, 10).layers.size() > 10);
}

TEST_CASE("the kernel of a net is the same layers without what width means, or the reason why there is none", "[net]") {
  CHECK(net::kernel_text("mlp:64") == "dense(width=64)-relu-dense");
  CHECK(net::kernel_text("fc:3(w=2)") == "fc:3(w=2)");
  CHECK(net::kernel_text("conv(8,3)-relu-dense") == "conv(kh=3,kw=3,stride=1,pad=same,width=8)-relu-flatten-dense");
  const auto no_limit = [](const std::string& text, const std::string& why) {
    CHECK_THROWS_WITH(net::kernel_text(text), Contains(why));
  };
  no_limit("conv(8,3)-maxpool(2)-dense", "no closed form");
  no_limit("conv(8,3)-batchnorm-relu-dense", "depends on the batch");
  no_limit("conv(8,3,pad=2)-dense", "pad=2 of a window of 3 x 3");
  no_limit("conv(8,3)-relu-layernorm-dense", "behind a nonlinearity a net subtracts a mean");
  no_limit("dense(8)-tanh-dense", "no closed form");
}

TEST_CASE("the table of what there is has a row for every layer, in order, and no empty field", "[net]") {
  const std::vector<net::Coverage>& rows = net::coverage();
  for (std::size_t k = 0; k < rows.size(); ++k) {
    const net::Coverage& row = rows[k];
    CHECK(std::string(row.layer) == net::name(static_cast<Kind>(k)));
    for (const char* answer : {row.kernel, row.cpu, row.cuda, row.micro, row.int8, row.onnx, row.torch})
      CHECK(std::string(answer) != "");
    CHECK(std::string(row.cpu) == "yes");
  }
}
