/// What the blocks of device_data.hpp, weights.hpp and int8.hpp have in common: u32 magic, u16 version, u16 header
/// bytes, u32 bytes of the whole at the front, the crc32 of all before at the end; and layers as 8 bytes.
#pragma once

#include "micro/bytes.hpp"
#include "ntkrob/micro/net.hpp"

namespace ntkrob::micro {

inline constexpr uint32_t kLayerBytes = 8;

/// n: bytes there are   total: bytes of the block
///   returns: ok, truncated, bad_magic, bad_version, bad_header, bad_crc
Status check_block(const uint8_t* block, size_t n, uint32_t magic, uint16_t version, uint16_t header_bytes,
                   uint32_t& total);

/// Hands a block on in pieces and keeps its checksum.
class BlockWriter {
 public:
  BlockWriter(void (*put)(void* context, const void* bytes, size_t n), void* context) : put_(put), context_(context) {}
  void emit(const uint8_t* bytes, size_t n);
  void emit32(uint32_t value);
  /// The first 20 bytes of a block that describes a net: as above, then u16 height, width, channels, layers.
  void begin(uint32_t magic, uint16_t version, uint16_t header_bytes, size_t total, const NetView& net);
  /// u8 kind, kernel, stride, pad, u16 outputs, i8 zero (of int8, else 0), u8 0
  void layer(const Layer& layer, int8_t zero);
  /// The checksum of all before.
  void end();

 private:
  void (*put_)(void* context, const void* bytes, size_t n);
  void* context_;
  uint32_t crc_ = 0;
};

inline Layer load_layer(const uint8_t* from) {
  return {static_cast<Kind>(from[0]), from[1], from[2], from[3], load16(from + 4)};
}
inline Shape load_shape(const uint8_t* block) { return {load16(block + 12), load16(block + 14), load16(block + 16)}; }
bool same(const Layer& a, const Layer& b);

}  // namespace ntkrob::micro
