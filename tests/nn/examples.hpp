/// The example of every layer of net/layers.def: a net with the layer in it; and all presets.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "nn/fixture.hpp"
#include "ntkrob/base/view.hpp"
#include "ntkrob/net/kernel_presets.hpp"

namespace ntkrob::nn_test {

struct NetExample {
  const char* layer;
  const char* spec;
  ImageShape shape{8, 6, 2};
  index classes = 3;
};

inline const NetExample kNetExamples[] = {
#define NTKROB_NET_LAYER(name, description, example, ...) {#name, example},
#include "ntkrob/net/layers.def"
#undef NTKROB_NET_LAYER
};

/// Every preset of nets, and one of every form of the kernels' presets, for images of the sizes they are for.
inline std::vector<std::pair<std::string, ImageShape>> preset_examples() {
  const ImageShape digits{28, 28, 1}, pictures{32, 32, 3}, speech{49, 10, 1};
  static_assert(net::kKernelPresets == 5, "a preset of kernels is missing here");
  std::vector<std::string> names{"mlp:", "mlp:256,128", "fc:3", "cnn:3", "lenet", "myrtle:5", "resnet:10"};
  for (const net::Preset& preset : net::net_presets())
    for (std::size_t at = 0; at < preset.name.size(); at = preset.name.find_first_not_of(", ", at)) {
      const std::size_t end = std::min(preset.name.find(',', at), preset.name.size());
      names.push_back(preset.name.substr(at, end - at));
      at = end;
    }
  std::vector<std::pair<std::string, ImageShape>> examples;
  for (const std::string& name : names) {
    if (name == "dscnn") {
      examples.emplace_back(name, speech);
      continue;
    }
    examples.emplace_back(name, digits);
    examples.emplace_back(name, pictures);
  }
  return examples;
}

/// Scales, shifts and statistics as after a training.
inline void randomise_normalisations(Net& net, std::uint64_t seed) {
  std::uint64_t draw = 1000 * seed;
  const auto redraw = [&](Matrix<float>& m, double low, double high) {
    if (!m.empty()) m = random_matrix<float>(m.rows(), m.cols(), ++draw, low, high);
  };
  for (std::size_t l = 0; l < net.layers().size(); ++l) {
    if (!net.description().layers[l].scales()) continue;
    redraw(net.layers()[l].weight, 0.5, 1.5);
    redraw(net.layers()[l].bias, -0.3, 0.3);
    Matrix<float>& statistics = net.layers()[l].statistics;
    redraw(statistics, -0.3, 0.3);
    for (index c = 0; c < statistics.cols(); ++c) statistics(1, c) += 0.5f;  // a variance
  }
}

}  // namespace ntkrob::nn_test
