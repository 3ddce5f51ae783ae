#include "ntkrob/micro/crc32.hpp"

#include "micro/math.hpp"

namespace ntkrob::micro {
namespace {

// Of the sixteen values of half a byte: 64 bytes of flash for twice the speed of a bit at a time.
constexpr uint32_t kTable[16] = {0x00000000u, 0x1DB71064u, 0x3B6E20C8u, 0x26D930ACu, 0x76DC4190u, 0x6B6B51F4u,
                                 0x4DB26158u, 0x5005713Cu, 0xEDB88320u, 0xF00F9344u, 0xD6D6A3E8u, 0xCB61B38Cu,
                                 0x9B64C2B0u, 0x86D3D2D4u, 0xA00AE278u, 0xBDBDF21Cu};

uint32_t add(uint32_t crc, uint8_t byte) {
  crc ^= byte;
  crc = (crc >> 4) ^ kTable[crc & 15u];
  return (crc >> 4) ^ kTable[crc & 15u];
}

}  // namespace

uint32_t crc32(uint32_t crc, const void* bytes, size_t n) {
  const uint8_t* p = static_cast<const uint8_t*>(bytes);
  crc = ~crc;
  for (size_t i = 0; i < n; ++i) crc = add(crc, p[i]);
  return ~crc;
}

uint32_t crc32_of(const float* numbers, size_t n) {
  uint32_t crc = ~0u;
  for (size_t i = 0; i < n; ++i)
    for (int shift = 0; shift < 32; shift += 8) crc = add(crc, static_cast<uint8_t>(to_bits(numbers[i]) >> shift));
  return ~crc;
}

}  // namespace ntkrob::micro
