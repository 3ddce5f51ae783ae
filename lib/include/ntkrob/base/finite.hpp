/// Fast checks over many numbers. Written on the bit patterns, so that compilers vectorise them without -ffast-math.
#pragma once

#include <cstdint>
#include <cstring>

#include "ntkrob/base/view.hpp"

namespace ntkrob {

namespace detail {
struct FloatBits {
  using Word = std::uint32_t;
  static constexpr Word exponent = 0x7f800000u, magnitude = 0x7fffffffu;
};
struct DoubleBits {
  using Word = std::uint64_t;
  static constexpr Word exponent = 0x7ff0000000000000ull, magnitude = 0x7fffffffffffffffull;
};
template <class R>
using Bits = std::conditional_t<sizeof(R) == 4, FloatBits, DoubleBits>;
}  // namespace detail

/// True if none of n numbers is NaN or infinite.
template <class R>
bool all_finite(const R* p, index n) {
  using B = detail::Bits<R>;
  typename B::Word bad = 0;
  for (index i = 0; i < n; ++i) {
    typename B::Word bits;
    std::memcpy(&bits, p + i, sizeof bits);
    bad |= static_cast<typename B::Word>((bits & B::exponent) == B::exponent);
  }
  return bad == 0;
}

/// True if all of n numbers are +0 or -0.
template <class R>
bool all_zero(const R* p, index n) {
  using B = detail::Bits<R>;
  typename B::Word any = 0;
  for (index i = 0; i < n; ++i) {
    typename B::Word bits;
    std::memcpy(&bits, p + i, sizeof bits);
    any |= bits & B::magnitude;
  }
  return any == 0;
}

}  // namespace ntkrob
