/// Copies of a net's parameters that a training keeps beside those that it moves: their average, and the best so far.
#pragma once

#include <algorithm>
#include <vector>

#include "ntkrob/base/state_entries.hpp"
#include "ntkrob/nn/net.hpp"

namespace ntkrob::nn {

/// Calls visit(layer, part) with the name of every part that has numbers: "weight", "bias", "statistics".
template <class Layers, class Visit>
void for_parts(Layers& layers, const Visit& visit) {
  for (std::size_t l = 0; l < layers.size(); ++l) {
    if (!layers[l].weight.empty()) visit(l, "weight", layers[l].weight);
    if (!layers[l].bias.empty()) visit(l, "bias", layers[l].bias);
    if (!layers[l].statistics.empty()) visit(l, "statistics", layers[l].statistics);
  }
}

inline Matrix<float>& part_of(LayerParameters& layer, const std::string& part) {
  return part == "weight" ? layer.weight : part == "bias" ? layer.bias : layer.statistics;
}

inline void copy_numbers(const std::vector<LayerParameters>& from, std::vector<LayerParameters>& to) {
  for_parts(from, [&](std::size_t l, const char* part, const Matrix<float>& values) {
    convert(values.view(), part_of(to[l], part).view());
  });
}

/// Exchanges numbers, not memory: views of either stay what they are.
inline void swap_numbers(std::vector<LayerParameters>& a, std::vector<LayerParameters>& b) {
  for_parts(a, [&](std::size_t l, const char* part, Matrix<float>& values) {
    std::swap_ranges(values.data(), values.data() + values.size(), part_of(b[l], part).data());
  });
}

inline std::string kept_entry(const std::string& what, std::size_t layer, const char* part) {
  return text(what, "/", layer, "/", part);
}

inline void store(StateDict& state, const std::string& what, const std::vector<LayerParameters>& layers) {
  for_parts(layers, [&](std::size_t l, const char* part, const Matrix<float>& values) {
    state.set_matrix(kept_entry(what, l, part), values.view());
  });
}

/// layers: of the shapes to be read.   throws: IoError naming the entry that is missing, of another shape, not finite
inline void load(const StateDict& state, const std::string& what, std::vector<LayerParameters>& layers) {
  for_parts(layers, [&](std::size_t l, const char* part, Matrix<float>& values) {
    values = get_matrix<float>(state, kept_entry(what, l, part), values.rows(), values.cols());
  });
}

/// average = d average + (1 - d) parameters, with d = min(decay, (1 + t) / (10 + t)) after step t: the first steps do
/// not weigh for as long as the last ones (as TensorFlow's ExponentialMovingAverage with a number of updates).
inline void move_average(std::vector<LayerParameters>& average, const std::vector<LayerParameters>& parameters,
                         double decay, index step) {
  const double t = static_cast<double>(step);
  const float d = static_cast<float>(std::min(decay, (1 + t) / (10 + t)));
  for_parts(parameters, [&](std::size_t l, const char* part, const Matrix<float>& values) {
    float* const mean = part_of(average[l], part).data();
    for (index i = 0; i < values.size(); ++i) mean[i] += (1 - d) * (values.data()[i] - mean[i]);
  });
}

}  // namespace ntkrob::nn
