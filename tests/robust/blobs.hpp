/// Sixty small images in three overlapping groups: the data set of the robustifier tests.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "ntkrob/base/random.hpp"
#include "ntkrob/robust/robustifier.hpp"
#include "ntkrob/runtime/runtime.hpp"

namespace ntkrob {

struct Blobs {
  static constexpr index kSide = 4, kD = kSide * kSide;
  Matrix<float> x;
  std::vector<int> labels;
  index classes = 3;

  explicit Blobs(index n = 60, std::uint64_t seed = 5) : x(n, kD) {
    const Rng centre(seed, "centre"), noise(seed, "noise");
    for (index i = 0; i < n; ++i) {
      labels.push_back(static_cast<int>(i % classes));
      for (index j = 0; j < kD; ++j) {
        const double middle = centre.uniform(static_cast<std::uint64_t>((i % classes) * kD + j), 0.25, 0.75);
        const double value = middle + 0.2 * noise.normal(static_cast<std::uint64_t>(i * kD + j));
        x(i, j) = static_cast<float>(std::clamp(value, 0.0, 1.0));
      }
    }
  }
  TrainingData data() const { return {x.view(), &labels, classes, {kSide, kSide, 1}}; }
};

inline RobustifyOptions small_options() {
  RobustifyOptions o;
  o.kernel = "fc:2";
  o.n = 12;
  o.eps = 0.05;
  o.steps = 20;
  o.batch = 20;
  o.attack_steps = 3;
  o.lr = 2e-2;
  o.ridge = 1e-4;
  o.validation = 15;
  o.validate_every = 5;
  o.seed = 3;
  return o;
}

inline Backend& test_backend() {
  static const std::unique_ptr<Backend> instance = make_backend("cpu", 2);
  return *instance;
}

}  // namespace ntkrob
