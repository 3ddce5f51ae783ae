/// What the tests of nets on devices share: the devices there are, and images that a small net learns.
#pragma once

#include <functional>

#include "kit/check.hpp"
#include "nn/fixture.hpp"

namespace ntkrob::nn_test {

/// Runs a check on all backends with nets in their own memory. parity_test.cpp says which backends are left out.
inline void for_each_device(const std::function<void(Backend& device, Backend& cpu)>& check, int workers = 2) {
  const auto cpu = make_backend("cpu", 1);
  for (const BackendState& state : backends()) {
    if (!state.available) continue;
    const auto tested = make_backend(state.name, workers);
    if (Net("mlp:2", {1, 1, 2}, 2, Initialisation::he, 0, *tested).device() == nullptr) continue;
    INFO("backend " << state.name);
    check(*tested, *cpu);
  }
}

/// Images of 6 x 6 with a bright quarter, whose number is the label.
inline Toy quarters(index n) {
  Toy toy{random_matrix<float>(n, 36, 7, 0, 0.6), {}};
  for (index i = 0; i < n; ++i) {
    const index label = i * 7 % 4;
    toy.targets.labels.push_back(static_cast<int>(label));
    for (index y = 0; y < 3; ++y)
      for (index x = 0; x < 3; ++x) toy.x(i, (label / 2 * 3 + y) * 6 + label % 2 * 3 + x) += 0.4f;
  }
  toy.targets.values = centred_one_hot(toy.targets.labels, 4);
  return toy;
}
constexpr const char* kQuarterNets[] = {"mlp:20,12", "conv(6,3,pad=1)-relu-maxpool(2)-dense(10)-relu-dense"};
inline Net quarter_net(const char* spec, Backend& backend) {
  return Net(spec, {6, 6, 1}, 4, Initialisation::uniform, 4, backend);
}

}  // namespace ntkrob::nn_test
