/// Numbers rounded to bfloat16: to nearest, ties to even; what is no number stays so.
#pragma once

#include <cstdint>

#include "backend_cuda/elements.hpp"

namespace ntkrob::cuda {

NTKROB_HD inline std::uint16_t bfloat16_bits(float x) {
  std::uint32_t bits = 0;
  __builtin_memcpy(&bits, &x, sizeof bits);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return 0x7fc0u;
  return static_cast<std::uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

struct Rounding : EachElement<Rounding> {
  DeviceView<const float> from;
  DeviceView<std::uint16_t> to;
  NTKROB_HD index rows() const { return to.rows; }
  NTKROB_HD index cols() const { return to.cols; }
  NTKROB_HD void at(index i, index j) const { to(i, j) = bfloat16_bits(from(i, j)); }
};

}  // namespace ntkrob::cuda
