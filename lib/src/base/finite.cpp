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

namespace {

template <class R>
index first_bad_row(ConstView2D<R> a) {
  // Rows of logits are short: in one go while nothing is amiss.
  if (a.rows == 0 || (a.stride == a.cols && all_finite(a.data, a.rows * a.cols))) return -1;
  for (index i = 0; i < a.rows; ++i)
    if (!all_finite(a.row(i), a.cols)) return i;
  return -1;
}

}  // namespace

index first_row_not_finite(ConstView2D<float> a) { return first_bad_row(a); }
index first_row_not_finite(ConstView2D<double> a) { return first_bad_row(a); }

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
