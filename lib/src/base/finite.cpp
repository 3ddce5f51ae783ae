/// Written on the bit patterns, so that compilers vectorise the loops without -ffast-math.
#include "ntkrob/base/finite.hpp"

#include <cstdint>
#include <cstring>

#include "ntkrob/base/multiversion.hpp"

namespace ntkrob {

namespace {

template <class Word, class R>
inline bool finite(const R* p, index n, Word exponent) {
  Word bad = 0;
  for (index i = 0; i < n; ++i) {
    Word bits;
    std::memcpy(&bits, p + i, sizeof bits);
    bad |= static_cast<Word>((bits & exponent) == exponent);
  }
  return bad == 0;
}

}  // namespace

NTKROB_MULTIVERSION bool all_finite(const float* p, index n) { return finite<std::uint32_t>(p, n, 0x7f800000u); }
NTKROB_MULTIVERSION bool all_finite(const double* p, index n) {
  return finite<std::uint64_t>(p, n, 0x7ff0000000000000ull);
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
