/// Arrays of PyTorch as matrices of ours.
#pragma once

#include "nn/fixture.hpp"
#include "ntkrob/base/state_dict.hpp"

namespace ntkrob::nn_test {

/// The stored array [N,C,H,W] as rows H W C.
inline Matrix<float> images(const StateDict& arrays, const std::string& name) {
  const auto& a = arrays.get<NdArray<float>>(name);
  const index n = a.shape[0], c = a.shape[1], positions = a.shape[2] * a.shape[3];
  Matrix<float> x(n, c * positions);
  for (index i = 0; i < n; ++i)
    for (index k = 0; k < c; ++k)
      for (index p = 0; p < positions; ++p)
        x(i, p * c + k) = a.values[static_cast<std::size_t>((i * c + k) * positions + p)];
  return x;
}

inline ConstView2D<float> matrix(const StateDict& arrays, const std::string& name) {
  const auto& a = arrays.get<NdArray<float>>(name);
  const index rows = a.shape[0];
  return {a.values.data(), rows, static_cast<index>(a.values.size()) / rows};
}

}  // namespace ntkrob::nn_test
