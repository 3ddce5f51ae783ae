/// The parts of an int8 block, and the rounding of real numbers, shared by its writer and its reader.
#pragma once

#include "micro/block.hpp"
#include "ntkrob/micro/int8.hpp"

namespace ntkrob::micro {

inline constexpr uint32_t kInt8LayerBytes = kLayerBytes + 4;
/// |bias|, at most: with kInt8MaxFanIn products of at most 255 * 128 it stays below 2^31.
inline constexpr int32_t kInt8MaxBias = 1 << 30;
static_assert(int64_t{kInt8MaxFanIn} * 255 * 128 + kInt8MaxBias <= 0x7FFFFFFF, "sums fit int32");

inline constexpr uint32_t layers_end(uint32_t count) { return kInt8HeaderBytes + kInt8LayerBytes * count; }
inline const uint8_t* layer_record(const uint8_t* block, uint32_t l) {
  return block + kInt8HeaderBytes + kInt8LayerBytes * l;
}
inline const uint8_t* channels_begin(const uint8_t* block, uint32_t count) { return block + layers_end(count); }
/// One output channel: 12 bytes and the weights.
inline constexpr uint32_t channel_bytes(uint32_t fan_in) { return 12 + (fan_in + 3) / 4 * 4; }

struct Int8Channel {
  int32_t bias, multiplier;
  uint32_t shift;
  const int8_t* weights;
};
inline Int8Channel load_channel(const uint8_t* p) {
  return {static_cast<int32_t>(load32(p)), static_cast<int32_t>(load32(p + 4)), p[8],
          reinterpret_cast<const int8_t*>(p + 12)};
}

inline bool good_scale(float scale) { return is_finite(scale) && scale > 0; }

/// To nearest, halves away from 0. requires: |x| < 2^31
inline int32_t nearest(float x) { return x < 0 ? -static_cast<int32_t>(0.5f - x) : static_cast<int32_t>(x + 0.5f); }
/// The number of int8 for x, stopped at the ends. requires: x finite
inline int8_t to_int8(float x, float scale, int32_t zero) {
  const float steps = x / scale;
  const int32_t q = nearest(steps < -512.0f ? -512.0f : steps > 512.0f ? 512.0f : steps) + zero;
  return static_cast<int8_t>(q < -128 ? -128 : q > 127 ? 127 : q);
}

}  // namespace ntkrob::micro
