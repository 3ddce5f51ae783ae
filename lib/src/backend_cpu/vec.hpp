/// Vec<R>: a SIMD vector of float or double for the instruction set this file is compiled for.
///
/// Included only by simd.cpp and the sources of products, which the build compiles once per instruction set with
/// NTKROB_ISA naming it; all names live in that namespace, so no two versions of one inline function meet in the
/// linker. Arithmetic is exactly what is written
/// (-ffp-contract=off): fma() is one instruction where the set has it and a multiply and an add otherwise.
///
/// Results are the same bits on every set that has fma(): what is done to an element does not depend on the lane it is
/// in, and sums along a row are over stripes of kStripe numbers, the lanes of the widest set, however many vectors that
/// takes.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstring>
#include <utility>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/// For what runs once per vector: state stays in registers.
#if defined(__GNUC__)
#define NTKROB_INLINE __attribute__((always_inline)) inline
#define NTKROB_FLATTEN __attribute__((flatten))
#else
#define NTKROB_INLINE inline
#define NTKROB_FLATTEN
#endif

namespace ntkrob::NTKROB_ISA {

#if defined(__AVX512F__)
constexpr int kBytes = 64;
#elif defined(__AVX2__)
constexpr int kBytes = 32;
#else
constexpr int kBytes = 16;
#endif

typedef float FloatLanes __attribute__((vector_size(kBytes)));
typedef double DoubleLanes __attribute__((vector_size(kBytes)));
typedef int FloatMask __attribute__((vector_size(kBytes)));
typedef unsigned FloatBits __attribute__((vector_size(kBytes)));
typedef long long DoubleMask __attribute__((vector_size(kBytes)));

template <class R>
struct LanesOf;
template <>
struct LanesOf<float> {
  using type = FloatLanes;
  using mask = FloatMask;
};
template <>
struct LanesOf<double> {
  using type = DoubleLanes;
  using mask = DoubleMask;
};

template <class R>
struct Vec {
  using scalar = R;
  using Lanes = typename LanesOf<R>::type;
  using Mask = typename LanesOf<R>::mask;
  static constexpr int kLanes = kBytes / sizeof(R);

  Lanes v;

  Vec() = default;
  explicit Vec(Lanes lanes) : v(lanes) {}
  template <class Number, class = decltype(static_cast<R>(Number{}))>
  explicit Vec(Number x) : v(static_cast<R>(x) - Lanes{}) {}  // x - 0 is x: a broadcast, no operation

  static Vec load(const R* p) {
    Vec x;
    std::memcpy(&x.v, p, kBytes);
    return x;
  }
  void store(R* p) const { std::memcpy(p, &v, kBytes); }

  friend Vec operator+(Vec a, Vec b) { return Vec(a.v + b.v); }
  friend Vec operator-(Vec a, Vec b) { return Vec(a.v - b.v); }
  friend Vec operator*(Vec a, Vec b) { return Vec(a.v * b.v); }
  friend Vec operator/(Vec a, Vec b) { return Vec(a.v / b.v); }
  friend Vec operator-(Vec a) { return Vec(-a.v); }
};

/// The numbers of a stripe: a sum along a row keeps one partial sum for each ...
template <class R>
constexpr int kStripe = 64 / sizeof(R);
/// ... in this many vectors.
template <class R>
constexpr int kParts = kStripe<R> / Vec<R>::kLanes;

/// Consecutive floats or doubles as doubles.
inline Vec<double> load_doubles(const double* p) { return Vec<double>::load(p); }
inline Vec<double> load_doubles(const float* p) {
  typedef float HalfLanes __attribute__((vector_size(kBytes / 2)));
  HalfLanes half;
  std::memcpy(&half, p, kBytes / 2);
  return Vec<double>(__builtin_convertvector(half, DoubleLanes));
}

/// a > b ? p : q
template <class R>
inline Vec<R> select_greater(Vec<R> a, Vec<R> b, Vec<R> p, Vec<R> q) {
  return Vec<R>(a.v > b.v ? p.v : q.v);
}
template <class R>
inline Vec<R> min(Vec<R> a, Vec<R> b) {
  return select_greater(a, b, b, a);
}
template <class R>
inline Vec<R> max_with_zero(Vec<R> a) {
  return select_greater(a, Vec<R>(0), a, Vec<R>(0));
}

/// The first (high = 0) or second half of the lanes of a and b, taken in turn: a0 b0 a1 b1 ...
template <int high, class R, std::size_t... lane>
inline Vec<R> zip(Vec<R> a, Vec<R> b, std::index_sequence<lane...>) {
  constexpr int n = Vec<R>::kLanes;
  return Vec<R>(__builtin_shufflevector(
      a.v, b.v, (static_cast<int>(lane % 2) * n + static_cast<int>(lane / 2) + high * n / 2)...));
}

/// Transposes a square of vectors in place: after log2(lanes) rounds of zipping rows i and i + n/2.
template <class R>
inline void transpose_square(Vec<R> (&x)[Vec<R>::kLanes]) {
  constexpr int n = Vec<R>::kLanes;
  constexpr std::make_index_sequence<static_cast<std::size_t>(n)> lanes{};
  for (int round = 1; round < n; round *= 2) {
    Vec<R> y[n];
    for (int i = 0; i < n / 2; ++i) {
      y[2 * i] = zip<0>(x[i], x[i + n / 2], lanes);
      y[2 * i + 1] = zip<1>(x[i], x[i + n / 2], lanes);
    }
    for (int i = 0; i < n; ++i) x[i] = y[i];
  }
}

/// The sum of a stripe, halves folded onto halves.   parts: kParts of them, overwritten
template <class R>
inline R sum_of_stripe(Vec<R>* parts) {
  for (int n = kParts<R> / 2; n > 0; n /= 2)
    for (int p = 0; p < n; ++p) parts[p] = parts[p] + parts[p + n];
  alignas(kBytes) R lanes[Vec<R>::kLanes];
  parts[0].store(lanes);
  for (int n = Vec<R>::kLanes / 2; n > 0; n /= 2)
    for (int l = 0; l < n; ++l) lanes[l] += lanes[l + n];
  return lanes[0];
}

/// True if any lane has a < low or a > high.
template <class R>
inline bool any_outside(Vec<R> a, R low, R high) {
  const auto outside = (a.v < Vec<R>(low).v) | (a.v > Vec<R>(high).v);
  bool any = false;
#if defined(__AVX512F__)
  any = _mm512_test_epi64_mask((__m512i)outside, (__m512i)outside) != 0;
#elif defined(__AVX2__)
  any = _mm256_testz_si256((__m256i)outside, (__m256i)outside) == 0;
#else
  for (int i = 0; i < Vec<R>::kLanes; ++i) any |= outside[i] != 0;
#endif
  return any;
}

inline Vec<float> fma(Vec<float> a, Vec<float> b, Vec<float> c) {
#if defined(__AVX512F__)
  return Vec<float>((FloatLanes)_mm512_fmadd_ps(a.v, b.v, c.v));
#elif defined(__FMA__)
  return Vec<float>((FloatLanes)_mm256_fmadd_ps(a.v, b.v, c.v));
#else
  return a * b + c;
#endif
}
inline Vec<double> fma(Vec<double> a, Vec<double> b, Vec<double> c) {
#if defined(__AVX512F__)
  return Vec<double>((DoubleLanes)_mm512_fmadd_pd(a.v, b.v, c.v));
#elif defined(__FMA__)
  return Vec<double>((DoubleLanes)_mm256_fmadd_pd(a.v, b.v, c.v));
#else
  return a * b + c;
#endif
}

/// fma() of numbers: the same rounding as one lane.
template <class R>
inline R multiply_add(R a, R b, R c) {
#if defined(__FMA__)
  return sizeof(R) == 4
             ? static_cast<R>(__builtin_fmaf(static_cast<float>(a), static_cast<float>(b), static_cast<float>(c)))
             : static_cast<R>(__builtin_fma(static_cast<double>(a), static_cast<double>(b), static_cast<double>(c)));
#else
  return a * b + c;
#endif
}

inline Vec<float> sqrt(Vec<float> a) {
#if defined(__AVX512F__)
  return Vec<float>((FloatLanes)_mm512_sqrt_ps(a.v));
#elif defined(__AVX2__)
  return Vec<float>((FloatLanes)_mm256_sqrt_ps(a.v));
#elif defined(__SSE2__)
  return Vec<float>((FloatLanes)_mm_sqrt_ps(a.v));
#else
  for (int i = 0; i < Vec<float>::kLanes; ++i) a.v[i] = std::sqrt(a.v[i]);
  return a;
#endif
}
inline Vec<double> sqrt(Vec<double> a) {
#if defined(__AVX512F__)
  return Vec<double>((DoubleLanes)_mm512_sqrt_pd(a.v));
#elif defined(__AVX2__)
  return Vec<double>((DoubleLanes)_mm256_sqrt_pd(a.v));
#elif defined(__SSE2__)
  return Vec<double>((DoubleLanes)_mm_sqrt_pd(a.v));
#else
  for (int i = 0; i < Vec<double>::kLanes; ++i) a.v[i] = std::sqrt(a.v[i]);
  return a;
#endif
}

/// 1 / sqrt(a) where a > limit (limit > 0), 0 elsewhere. Relative error a few units in the last place. Estimates of
/// the processor (vrsqrt14ps) are not used: they differ between sets.
inline Vec<float> rsqrt_or_zero(Vec<float> a, Vec<float> limit) {
  // Halving the exponent in the bits is good to 0.035 (Lomont 2003); Newton's steps make 2e-3, 5e-6 and rounding of it.
  Vec<float> r((FloatLanes)(0x5f375a86u - ((FloatBits)a.v >> 1)));
  const Vec<float> half = Vec<float>(-0.5f) * a;
  for (int step = 0; step < 2; ++step) r = r * fma(half * r, r, Vec<float>(1.5f));
  r = fma(Vec<float>(0.5f) * r, fma(-(a * r), r, Vec<float>(1)), r);
  return select_greater(a, limit, r, Vec<float>(0));
}
inline Vec<double> rsqrt_or_zero(Vec<double> a, Vec<double> limit) {
  const Vec<double> safe = select_greater(a, limit, a, Vec<double>(1));
  return select_greater(a, limit, Vec<double>(Vec<double>(1).v / sqrt(safe).v), Vec<double>(0));
}

}  // namespace ntkrob::NTKROB_ISA
