// relu: where it is no part of the pass before it: at the beginning of a branch.
#include <cmath>

#include "nn/pointwise.hpp"

namespace ntkrob::nn {
namespace {

template <class R>
struct Relu {
  explicit Relu(const net::Layer&) {}
  R value(R x) const { return R(0) > x ? R(0) : x; }  // a NaN stays NaN
  R slope(R x) const { return x <= R(0) ? R(0) : R(1); }
};

}  // namespace

template <class R>
LayerPtr<R> make_relu(const net::Layer& what) {
  return std::make_shared<Pointwise<R, Relu<R>>>(what);
}

NTKROB_INSTANTIATE_NET_LAYER(relu)

}  // namespace ntkrob::nn
