/// Little-endian numbers at any address, whatever the byte order and alignment of the machine.
#pragma once

#include "micro/math.hpp"

namespace ntkrob::micro {

inline uint16_t load16(const uint8_t* p) { return static_cast<uint16_t>(p[0] | p[1] << 8); }
inline uint32_t load32(const uint8_t* p) { return load16(p) | static_cast<uint32_t>(load16(p + 2)) << 16; }
inline float load_float(const uint8_t* p) { return from_bits(load32(p)); }
inline void store16(uint8_t* p, uint32_t value) {
  p[0] = static_cast<uint8_t>(value);
  p[1] = static_cast<uint8_t>(value >> 8);
}
inline void store32(uint8_t* p, uint32_t value) {
  store16(p, value);
  store16(p + 2, value >> 16);
}

}  // namespace ntkrob::micro
