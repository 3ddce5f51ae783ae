/// Matrix products whose operands are rounded to bfloat16 (round to nearest even) and whose sums are float32: vdpbf16ps
/// of AVX512_BF16, two products of numbers per lane and instruction. Compiled where the compiler knows the set; used
/// where the processor has it (simd_dispatch.cpp). Subnormal operands and sums count as zero, as the instruction has
/// it.
#include <cstdint>

#include "backend_cpu/product_loops.hpp"
#include "backend_cpu/products.hpp"

namespace ntkrob::NTKROB_ISA {
namespace {

/// Operands as pairs of bfloat16, consecutive in the inner length.
struct Pairs {
  using Number = float;
  using Lanes = __m512i;
  static constexpr index kPerCell = 2;
  static constexpr index kInner = 1024;  // as many bytes as of floats
  static constexpr bool kConverts = true;

  static Lanes load(const float* cells) { return _mm512_loadu_si512(cells); }
  static Lanes broadcast(const float* cell) {
    std::int32_t bits;
    std::memcpy(&bits, cell, sizeof bits);
    return _mm512_set1_epi32(bits);
  }
  static Vec<float> add_product(Lanes left, Lanes right, Vec<float> sum) {
    return Vec<float>((FloatLanes)_mm512_dpbf16_ps(sum.v, (__m512bh)left, (__m512bh)right));
  }
  /// Writes whole vectors: up to 15 cells of zeros beyond the last pair.
  static void read(const float* from, index n, float* cells) {
    constexpr index kLanes = Vec<float>::kLanes;
    for (index p = 0; p < n; p += 2 * kLanes) {
      __m512 half[2];
      for (index h = 0; h < 2; ++h) {
        const index rest = n - p - h * kLanes;
        const auto mask = static_cast<__mmask16>(rest >= kLanes ? 0xffff : rest > 0 ? (1 << rest) - 1 : 0);
        half[h] = _mm512_maskz_loadu_ps(mask, from + p + h * kLanes);
      }
      const auto rounded = _mm512_cvtne2ps_pbh(half[1], half[0]);
      std::memcpy(cells + p / 2, &rounded, sizeof rounded);
    }
  }
};

/// The bits of the nearest bfloat16; ties to even. NaN stays NaN.
inline std::uint32_t rounded_bits(float x) {
  std::uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  const std::uint32_t nearest = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  return (bits & 0x7fffffffu) > 0x7f800000u ? 0x7fc0u : nearest;
}

inline float cell_of(float even, float odd) {
  const std::uint32_t bits = rounded_bits(even) | rounded_bits(odd) << 16;
  float cell;
  std::memcpy(&cell, &bits, sizeof cell);
  return cell;
}

void pack(bool transpose, ConstView2D<float> b, index first, float* panel) {
  constexpr index width = kWidth<float>;
  const index k = transpose ? b.cols : b.rows, n = transpose ? b.rows : b.cols;
  const index used = first + width < n ? width : n - first, rows = cells<Pairs>(k);
  for (index p = 0; p < rows; ++p)
    for (index c = used; c < width; ++c) panel[p * width + c] = 0;
  if (transpose) {
    constexpr index kStep = 32;  // two lines of each row at a time
    for (index begin = 0; begin < rows; begin += kStep) {
      const index end = begin + kStep < rows ? begin + kStep : rows;
      for (index c = 0; c < used; ++c) {
        float pairs[kStep + Vec<float>::kLanes];
        const float* from = b.data + (first + c) * b.stride + 2 * begin;
        Pairs::read(from, k - 2 * begin < 2 * kStep ? k - 2 * begin : 2 * kStep, pairs);
        for (index p = begin; p < end; ++p) std::memcpy(panel + p * width + c, pairs + p - begin, sizeof(float));
      }
    }
    return;
  }
  for (index p = 0; p < rows; ++p) {
    const float* even = b.data + 2 * p * b.stride + first;
    if (2 * p + 1 < k) {
      const float* odd = even + b.stride;
      for (index c = 0; c < used; ++c) panel[p * width + c] = cell_of(even[c], odd[c]);
    } else {
      for (index c = 0; c < used; ++c) panel[p * width + c] = cell_of(even[c], 0);
    }
  }
}

}  // namespace

extern const ProductFunctions<float> kProducts;
const ProductFunctions<float> kProducts{kWidth<float>, Pairs::kPerCell, &pack,   &multiply<Pairs>, nullptr,
                                        nullptr,       nullptr,         nullptr, nullptr};

}  // namespace ntkrob::NTKROB_ISA
