/// RandomStream: what ntkrob::Rng draws, as plain data and functions that devices run too.
///
/// Integers, and so bits, uniform and symmetric numbers, are the same everywhere; normal numbers are as good as the
/// logarithm and the cosine of the machine.
#pragma once

#include <cmath>
#include <cstdint>

#include "ntkrob/base/philox.hpp"

namespace ntkrob {

/// One stream of random numbers: value = f(key, stream, i). Rng makes them and documents what is drawn.
struct RandomStream {
  std::uint64_t key = 0;
  std::uint64_t stream = 0;

  /// The 128 bits of index i.
  NTKROB_HD base::PhiloxCounter block(std::uint64_t i) const {
    return base::philox4x32_10(base::PhiloxCounter{{low_half(i), high_half(i), low_half(stream), high_half(stream)}},
                               base::PhiloxKey{{low_half(key), high_half(key)}});
  }
  /// Uniform in [0, 1), 53 random bits.
  NTKROB_HD double uniform(std::uint64_t i) const {
    const base::PhiloxCounter b = block(i);
    return unit(join(b.word[0], b.word[1]));
  }
  /// Uniform in [-1, 1): 24 of the random bits of a word of a block. k / 2^23 - 1 is exact in float32.
  NTKROB_HD static float symmetric(std::uint32_t word) {
    return static_cast<float>(word >> 8) * (1.0f / 8388608.0f) - 1.0f;
  }
  /// Standard normal.
  NTKROB_HD double normal(std::uint64_t i) const {
    const base::PhiloxCounter b = block(i);
    // 1 - u lies in (0, 1], so the logarithm is finite.
    const double u = 1 - unit(join(b.word[0], b.word[1])), v = unit(join(b.word[2], b.word[3]));
    return std::sqrt(-2 * std::log(u)) * std::cos(6.283185307179586476925286766559 * v);
  }

  NTKROB_HD static std::uint64_t join(std::uint32_t low, std::uint32_t high) {
    return (static_cast<std::uint64_t>(high) << 32) | low;
  }

 private:
  NTKROB_HD static std::uint32_t low_half(std::uint64_t v) { return static_cast<std::uint32_t>(v); }
  NTKROB_HD static std::uint32_t high_half(std::uint64_t v) { return static_cast<std::uint32_t>(v >> 32); }
  /// 53 bits to [0, 1).
  NTKROB_HD static double unit(std::uint64_t bits) { return static_cast<double>(bits >> 11) * 0x1p-53; }
};

}  // namespace ntkrob
