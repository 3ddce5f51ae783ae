#include "micro/block.hpp"

#include "ntkrob/micro/crc32.hpp"

namespace ntkrob::micro {

Status check_block(const uint8_t* block, size_t n, uint32_t magic, uint16_t version, uint16_t header_bytes,
                   uint32_t& total) {
  if (n < header_bytes + 4u) return Status::truncated;
  if (load32(block) != magic) return Status::bad_magic;
  if (load16(block + 4) != version) return Status::bad_version;
  total = load32(block + 8);
  if (load16(block + 6) != header_bytes || total < header_bytes + 4u) return Status::bad_header;
  if (total > n) return Status::truncated;
  return crc32(0, block, total - 4) == load32(block + total - 4) ? Status::ok : Status::bad_crc;
}

void BlockWriter::emit(const uint8_t* bytes, size_t n) {
  crc_ = crc32(crc_, bytes, n);
  put_(context_, bytes, n);
}

void BlockWriter::emit32(uint32_t value) {
  uint8_t buffer[4];
  store32(buffer, value);
  emit(buffer, sizeof buffer);
}

void BlockWriter::begin(uint32_t magic, uint16_t version, uint16_t header_bytes, size_t total, const NetView& net) {
  emit32(magic);
  emit32(version | static_cast<uint32_t>(header_bytes) << 16);
  emit32(static_cast<uint32_t>(total));
  emit32(net.input.height | static_cast<uint32_t>(net.input.width) << 16);
  emit32(net.input.channels | net.count << 16);
}

void BlockWriter::layer(const Layer& layer, int8_t zero) {
  const uint8_t buffer[] = {static_cast<uint8_t>(layer.kind), layer.kernel, layer.stride, layer.pad};
  emit(buffer, sizeof buffer);
  emit32(layer.outputs | static_cast<uint32_t>(static_cast<uint8_t>(zero)) << 16);
}

void BlockWriter::end() { emit32(crc_); }

bool same(const Layer& a, const Layer& b) {
  return a.kind == b.kind && a.kernel == b.kernel && a.stride == b.stride && a.pad == b.pad && a.outputs == b.outputs;
}

}  // namespace ntkrob::micro
