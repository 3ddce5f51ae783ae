/// Four numbers that move at once: 128 bits of floats, twice that of doubles.
#pragma once

#include <cstdint>

#include "backend_cuda/program.hpp"

namespace ntkrob::cuda {

template <class R>
struct alignas(16) Quad {
  R v[4];
};
template <class R>
NTKROB_HD inline Quad<R> load_quad(const R* from) {
#ifdef __CUDA_ARCH__
  return *reinterpret_cast<const Quad<R>*>(from);
#else
  return {{from[0], from[1], from[2], from[3]}};
#endif
}
template <class R>
NTKROB_HD inline void store_quad(R* to, const Quad<R>& quad) {
#ifdef __CUDA_ARCH__
  *reinterpret_cast<Quad<R>*>(to) = quad;
#else
  for (int z = 0; z < 4; ++z) to[z] = quad.v[z];
#endif
}
/// Whether the quads that begin at multiples of 4 columns can move at once.
template <class T>
inline bool has_quads(const DeviceView<T>& view) {
  return reinterpret_cast<std::uintptr_t>(view.data) % 16 == 0 && view.stride % 4 == 0;
}

}  // namespace ntkrob::cuda
