/// Helper of onnx_check.py and onnx_runtime.mjs: writes nets as ONNX, with images and the logits that ntkrob computes
/// for them.
///   exported_nets FOLDER [presets]: <k>.onnx, <k>.images (N x C x H x W) and <k>.logits (N x classes), float32
///   little-endian, and <k>.net, two lines of text: H W C classes spec, and the spec with its
///   preset as layers; <k>.npz but for nets that PyTorch cannot have. presets: all of them in the sizes they are for.
#include <cstdio>
#include <fstream>

#include "nn/examples.hpp"
#include "nn/fixture.hpp"
#include "ntkrob/data/format.hpp"
#include "ntkrob/exchange/onnx.hpp"
#include "ntkrob/exchange/torch_export.hpp"
#include "ntkrob/model/metrics.hpp"

namespace ntkrob::nn_test {
namespace {

struct Example {
  const char* spec;
  ImageShape shape;
  index classes = 5;
  bool torch = true;  // there is an order of weights that gives the same net in PyTorch
};
/// Beside the example of every layer (nn/examples.hpp).
constexpr Example kExamples[] = {
    {"mlp:", {4, 3, 2}},
    {"mlp:20,9", {7, 5, 1}},
    {"cnn:small", {28, 28, 1}},
    {"normalise(mean=0.5:0.4:0.3,std=0.2:0.3:0.4)-conv(5,3)-relu-maxpool(3,stride=2,pad=1)-conv(4,kh=2,kw=3,pad=valid)-"
     "avgpool(2,stride=1,pad=same)-flatten-dense(6)-relu-dense",
     {11, 9, 3}},
    {"conv(6,4,stride=3,pad=same)-relu-avgpool(3,stride=2,pad=1,edges=inside)-conv(7,2,pad=same)-relu-gap-dense",
     {16, 13, 2}},
    {"conv(3,2)-relu-avgpool(3,stride=2,pad=same)-avgpool(2)-dense", {10, 13, 2}},
    {"conv(4,3)-relu-maxpool(2)-conv(5,3,pad=1)-gap", {8, 8, 1}},
    {"resnet:8", {10, 12, 3}},
    {"convnet:2", {9, 8, 3}},
    {"vgg11-s", {16, 16, 1}},
    {"alexnet-s", {12, 12, 3}},
    {"dscnn", {14, 6, 1}},
    {"conv1d(4,5,stride=2)-relu-maxpool1d(2)-depthwise1d(3)-batchnorm-leaky-avgpool1d(3)-dense", {31, 1, 3}},
    {"sum(gap-dense(4) | dense(4) | conv(4,3)-gap)-groupnorm(2)-dense", {5, 4, 2}},
    // Images that are flattened at the end or in a sum: in the order H W C.
    {"conv(3,3)-relu-maxpool(2)", {4, 6, 2}, 18, false},
    {"sum(dense(24) | flatten)-dense", {4, 3, 2}, 5, false},
    {"sum(conv(24,kh=4,kw=3,pad=valid)-gap | flatten)-dense", {4, 3, 2}, 5, false},
    {"batchnorm-conv(4,3)-dropout-relu-batchnorm(eps=0.1)-residual(dropout(p=0.2)-conv(4,1))-gelu-dense", {5, 4, 2}},
};
constexpr index kRows = 3;

void write(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

std::string as_bytes(const Matrix<float>& m) {
  return {reinterpret_cast<const char*>(m.data()), static_cast<std::size_t>(m.size()) * sizeof(float)};
}

void write_example(const std::string& path, const Example& example, std::uint64_t seed) {
  const auto backend = nn_test::backend();
  Net net(example.spec, example.shape, example.classes, Initialisation::he, seed, *backend);
  randomise_normalisations(net, seed);
  const auto [height, width, channels] = example.shape;
  const Matrix<float> x = random_matrix<float>(kRows, example.shape.size(), seed);
  Matrix<float> planes(kRows, x.cols());
  for (index i = 0; i < kRows; ++i)
    for (index p = 0; p < height * width; ++p)
      for (index c = 0; c < channels; ++c) planes(i, c * height * width + p) = x(i, p * channels + c);
  const OnnxMetadata metadata{{"spec", net.spec()}, {"class_names", "[\"\xc3\xa4\", \"two\"]"}};
  write(path + ".onnx", onnx_bytes(net, "a test", metadata));
  write(path + ".images", as_bytes(planes));
  write(path + ".logits", as_bytes(all_logits(net, x.view())));
  write(path + ".net", text(height, " ", width, " ", channels, " ", net.classes(), " ", net.spec(), "\n",
                            net::written_out(net.spec()), "\n"));
  if (example.torch) write(path + ".npz", npz_of_arrays(export_torch(net)));
}

}  // namespace
}  // namespace ntkrob::nn_test

int main(int argc, char** argv) {
  using namespace ntkrob::nn_test;
  const bool presets = argc == 3 && std::string(argv[2]) == "presets";
  if (argc != 2 && !presets) return 2;
  std::uint64_t k = 0;
  const auto write = [&](const Example& example) {
    write_example(std::string(argv[1]) + "/" + std::to_string(k), example, k + 1);
    ++k;
  };
  if (presets) {
    for (const auto& [name, shape] : preset_examples()) write({name.c_str(), shape, 10, true});
  } else {
    for (const Example& example : kExamples) write(example);
    for (const auto& example : kNetExamples) write({example.spec, example.shape, example.classes, true});
  }
  std::printf("%d\n", static_cast<int>(k));
  return 0;
}
