// leaky: x where it is positive, alpha x elsewhere.
#include <cmath>

#include "nn/pointwise.hpp"

namespace ntkrob::nn {
namespace {

template <class R>
struct Leaky {
  explicit Leaky(const net::Layer& what) : alpha(static_cast<R>(what.constant("alpha"))) {}
  R value(R x) const { return x <= R(0) ? alpha * x : x; }
  R slope(R x) const { return x <= R(0) ? alpha : R(1); }
  R alpha;
};

}  // namespace

template <class R>
LayerPtr<R> make_leaky(const net::Layer& what) {
  return std::make_shared<Pointwise<R, Leaky<R>>>(what);
}

NTKROB_INSTANTIATE_NET_LAYER(leaky)

}  // namespace ntkrob::nn
