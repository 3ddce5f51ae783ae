// tanh: hyperbolic tangent.
#include <cmath>

#include "nn/pointwise.hpp"

namespace ntkrob::nn {
namespace {

template <class R>
struct Tanh {
  explicit Tanh(const net::Layer&) {}
  // In float64, whose bits are those of one libm on all processors.
  R value(R x) const { return static_cast<R>(std::tanh(static_cast<double>(x))); }
  R slope(R x) const {
    const double t = std::tanh(static_cast<double>(x));
    return static_cast<R>(1 - t * t);
  }
};

}  // namespace

template <class R>
LayerPtr<R> make_tanh(const net::Layer& what) {
  return std::make_shared<Pointwise<R, Tanh<R>>>(what);
}

NTKROB_INSTANTIATE_NET_LAYER(tanh)

}  // namespace ntkrob::nn
