/// Written on the bit patterns, so that compilers vectorise the loops without -ffast-math.
#include "ntkrob/base/finite.hpp"

#include <cstdint>
#include <cstring>

#include "base/multiversion.hpp"

namespace ntkrob {

NTKROB_MULTIVERSION bool all_finite(const float* p, index n) {
  std::uint32_t bad = 0;
  for (index i = 0; i < n; ++i) {
    std::uint32_t bits;
    std::memcpy(&bits, p + i, sizeof bits);
    bad |= static_cast<std::uint32_t>((bits & 0x7f800000u) == 0x7f800000u);
  }
  return bad == 0;
}

NTKROB_MULTIVERSION bool all_finite(const double* p, index n) {
  std::uint64_t bad = 0;
  for (index i = 0; i < n; ++i) {
    std::uint64_t bits;
    std::memcpy(&bits, p + i, sizeof bits);
    bad |= static_cast<std::uint64_t>((bits & 0x7ff0000000000000ull) == 0x7ff0000000000000ull);
  }
  return bad == 0;
}

NTKROB_MULTIVERSION bool all_zero(const float* p, index n) {
  std::uint32_t any = 0;
  for (index i = 0; i < n; ++i) {
    std::uint32_t bits;
    std::memcpy(&bits, p + i, sizeof bits);
    any |= bits & 0x7fffffffu;
  }
  return any == 0;
}

}  // namespace ntkrob
