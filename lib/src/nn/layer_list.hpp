/// The layers of a net as a model file lists them, with the shapes between them: for writers of other formats.
#pragma once

#include <string>
#include <vector>

#include "ntkrob/nn/net.hpp"

namespace ntkrob::nn {

struct ListedLayer {
  std::string type;  // of layers.def
  bool relu = false;
  ImageShape in, out;
  index kernel[2] = {0, 0}, stride = 1, padding[4] = {0, 0, 0, 0};  // of windows; padding: top, left, bottom, right
  bool inside = false;                                              // avgpool: divides by the taps inside the image
  NdArray<float> weight, bias;                                      // as stored: PyTorch's layout; empty where none
  std::vector<double> mean, deviation;                              // normalise: one per channel
};

/// throws: ConfigError where an image layer stands behind flatten
std::vector<ListedLayer> list_layers(const Net& net);

}  // namespace ntkrob::nn
