/// The few functions of real numbers that nets need, from additions, multiplications and divisions alone: the same bits
/// on every processor. Error bounds are checked in tests/micro/math_test.cpp.
#pragma once

#include <float.h>
#include <stdint.h>

#if defined(__FAST_MATH__)
#error "ntkrob::micro needs IEEE arithmetic: compile it without -ffast-math"
#endif
static_assert(FLT_EVAL_METHOD == 0,
              "ntkrob::micro needs float arithmetic without excess precision (on i386: -mfpmath=sse)");

namespace ntkrob::micro {

inline uint32_t to_bits(float x) {
  uint32_t bits;
  __builtin_memcpy(&bits, &x, sizeof bits);
  return bits;
}
inline float from_bits(uint32_t bits) {
  float x;
  __builtin_memcpy(&x, &bits, sizeof x);
  return x;
}
inline bool is_finite(float x) { return (to_bits(x) & 0x7F800000u) != 0x7F800000u; }

/// e^x within 2 ulp; 0 below -104, infinity above 88.73, NaN for NaN.
float exp(float x);
/// Natural logarithm of a positive finite number, within 2 ulp or 1e-7.
float log(float x);
/// Square root of a finite number >= 0, within 1 ulp.
float root(float x);

/// sum_i a_i b_i: four sums over every fourth i, then (0 + 1) + (2 + 3).
float dot(const float* a, const float* b, uint32_t n);
/// y += s x
void add_scaled(float* y, const float* x, float s, uint32_t n);
void fill(float* y, float value, uint32_t n);
/// The largest of n >= 1 numbers, the first of equals.
uint32_t arg_max(const float* x, uint32_t n);
bool all_finite(const float* x, uint32_t n);

}  // namespace ntkrob::micro
