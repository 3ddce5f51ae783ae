// gelu: x Phi(x), Phi the normal distribution function.
#include <cmath>

#include "nn/pointwise.hpp"

namespace ntkrob::nn {
namespace {

template <class R>
struct Gelu {
  static constexpr double kRootHalf = 0.70710678118654752440, kDensity = 0.39894228040143267794;
  explicit Gelu(const net::Layer&) {}
  // In float64, whose bits are those of one libm on all processors.
  R value(R x) const { return static_cast<R>(static_cast<double>(x) * phi(static_cast<double>(x))); }
  R slope(R x) const {
    const double v = static_cast<double>(x);
    return static_cast<R>(phi(v) + v * kDensity * std::exp(-0.5 * v * v));
  }
  static double phi(double v) { return 0.5 * std::erfc(-v * kRootHalf); }
};

}  // namespace

template <class R>
LayerPtr<R> make_gelu(const net::Layer& what) {
  return std::make_shared<Pointwise<R, Gelu<R>>>(what);
}

NTKROB_INSTANTIATE_NET_LAYER(gelu)

}  // namespace ntkrob::nn
