/// What the tests of nets share: the backend under test, and deterministic inputs.
#pragma once

#include <memory>
#include <vector>

#include "ntkrob/base/random.hpp"
#include "ntkrob/model/loss.hpp"
#include "ntkrob/nn/net.hpp"
#include "ntkrob/runtime/runtime.hpp"

namespace ntkrob::nn_test {

inline std::unique_ptr<Backend> backend(int workers = 1) { return make_backend("cpu", workers); }

/// Uniform numbers in [low, high), a function of seed.
template <class R>
Matrix<R> random_matrix(index rows, index cols, std::uint64_t seed, double low = 0, double high = 1) {
  const Rng rng(seed, "test");
  Matrix<R> result(rows, cols);
  for (index i = 0; i < result.size(); ++i) result.data()[i] = static_cast<R>(rng.uniform(i, low, high));
  return result;
}

/// Two classes of images of 2 pixels in [0,1], apart by 0.1 across a parabola: not linearly separable.
struct Toy {
  Matrix<float> x;
  Targets targets;
};
inline Toy parabola(index n) {
  const Matrix<double> draws = random_matrix<double>(n, 2, 5);
  Toy toy{Matrix<float>(n, 2), {}};
  for (index i = 0; i < n; ++i) {
    const double u = draws(i, 0), v = draws(i, 1), curve = 4 * (u - 0.5) * (u - 0.5);
    const bool above = i % 2 == 1;
    toy.x(i, 0) = static_cast<float>(u);
    toy.x(i, 1) = static_cast<float>(above ? 0.5 * curve + 0.3 + 0.2 * v : 0.5 * curve + 0.2 - 0.2 * v);
    toy.targets.labels.push_back(above);
  }
  toy.targets.values = centred_one_hot(toy.targets.labels, 2);
  return toy;
}

/// Bitwise equality of all parameters.
inline bool same_bits(const Net& a, const Net& b) {
  if (a.layers().size() != b.layers().size()) return false;
  for (std::size_t l = 0; l < a.layers().size(); ++l) {
    const LayerParameters &p = a.layers()[l], &q = b.layers()[l];
    if (!std::equal(p.weight.data(), p.weight.data() + p.weight.size(), q.weight.data()) ||
        !std::equal(p.bias.data(), p.bias.data() + p.bias.size(), q.bias.data()))
      return false;
  }
  return true;
}

}  // namespace ntkrob::nn_test
