#include "micro/math.hpp"

namespace ntkrob::micro {
namespace {

// ln 2 in two parts; the first has 9 bits, so that its product with an exponent is exact.
constexpr float kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;

float power_of_two(int k) { return from_bits(static_cast<uint32_t>(k + 127) << 23); }

}  // namespace

float exp(float x) {
  if (!(x >= -104.0f)) return x < 0 ? 0.0f : x;  // NaN stays NaN
  if (x > 88.73f) return from_bits(0x7F800000u);
  const int k = static_cast<int>(x * 1.44269504f + (x < 0 ? -0.5f : 0.5f));
  const float scale = static_cast<float>(k);
  const float r = (x - scale * kLn2High) - scale * kLn2Low;
  // The Taylor series; |r| <= 0.35, so that the first term left out is below 6e-9 of the sum.
  float p = 1.0f / 5040;
  p = p * r + 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * (r * r) + r + 1.0f;
  // In two factors: 2^k itself may be out of range where the result is not.
  const int half = k / 2;
  return p * power_of_two(half) * power_of_two(k - half);
}

float log(float x) {
  uint32_t bits = to_bits(x);
  int exponent = 0;
  if (bits < 0x00800000u) {  // subnormal
    bits = to_bits(x * 16777216.0f);
    exponent = -24;
  }
  // m in [sqrt(1/2), sqrt(2))
  bits += 0x3F800000u - 0x3F3504F3u;
  exponent += static_cast<int>(bits >> 23) - 127;
  const float m = from_bits((bits & 0x007FFFFFu) + 0x3F3504F3u);
  // log m = 2 artanh s = 2 s (1 + s^2/3 + s^4/5 + ...), |s| <= 0.172
  const float f = m - 1, s = f / (2 + f), z = s * s;
  float p = 1.0f / 9;
  p = p * z + 1.0f / 7;
  p = p * z + 1.0f / 5;
  p = p * z + 1.0f / 3;
  const float e = static_cast<float>(exponent);
  // 2 s = f - s f exactly in real numbers; this form keeps the digits of f.
  return e * kLn2High + (f - (s * f - (2 * s) * z * p - e * kLn2Low));
}

float root(float x) {
  if (x == 0) return 0;
  float y = from_bits((to_bits(x) >> 1) + 0x1FBD1DF5u);  // halves the exponent: within 4 %
  for (int k = 0; k < 3; ++k) y = 0.5f * (y + x / y);
  return y;
}

float dot(const float* a, const float* b, uint32_t n) {
  float s0 = 0, s1 = 0, s2 = 0, s3 = 0;
  uint32_t i = 0;
  for (; i + 4 <= n; i += 4) {
    s0 += a[i] * b[i];
    s1 += a[i + 1] * b[i + 1];
    s2 += a[i + 2] * b[i + 2];
    s3 += a[i + 3] * b[i + 3];
  }
  if (i < n) s0 += a[i] * b[i];
  if (i + 1 < n) s1 += a[i + 1] * b[i + 1];
  if (i + 2 < n) s2 += a[i + 2] * b[i + 2];
  return (s0 + s1) + (s2 + s3);
}

void add_scaled(float* y, const float* x, float s, uint32_t n) {
  for (uint32_t i = 0; i < n; ++i) y[i] += s * x[i];
}

void fill(float* y, float value, uint32_t n) {
  for (uint32_t i = 0; i < n; ++i) y[i] = value;
}

uint32_t arg_max(const float* x, uint32_t n) {
  uint32_t best = 0;
  for (uint32_t i = 1; i < n; ++i)
    if (x[i] > x[best]) best = i;
  return best;
}

bool all_finite(const float* x, uint32_t n) {
  for (uint32_t i = 0; i < n; ++i)
    if (!is_finite(x[i])) return false;
  return true;
}

}  // namespace ntkrob::micro
