/// Messages in the wire format of Protocol Buffers, as far as ONNX needs it: fields of whole numbers, of bytes, of
/// other messages and of floats, written front to back.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace ntkrob::exchange {

class Message {
 public:
  /// int64, int32, enum: a varint. Negative numbers take ten bytes.
  Message& integer(int field, std::int64_t value) {
    key(field, 0);
    varint(static_cast<std::uint64_t>(value));
    return *this;
  }
  Message& float32(int field, float value) {
    key(field, 5);
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    for (int shift = 0; shift < 32; shift += 8) out_ += static_cast<char>(bits >> shift);
    return *this;
  }
  Message& bytes(int field, const std::string& value) {
    key(field, 2);
    varint(value.size());
    out_ += value;
    return *this;
  }
  Message& message(int field, const Message& value) { return bytes(field, value.out_); }
  /// Packed, as proto3 has it.
  Message& integers(int field, const std::vector<std::int64_t>& values) {
    Message packed;
    for (const std::int64_t value : values) packed.varint(static_cast<std::uint64_t>(value));
    return message(field, packed);
  }

  const std::string& text() const { return out_; }

 private:
  void key(int field, int type) { varint(static_cast<std::uint64_t>(field) << 3 | static_cast<std::uint64_t>(type)); }
  void varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) out_ += static_cast<char>(value | 0x80);
    out_ += static_cast<char>(value);
  }
  std::string out_;
};

/// float32, little-endian, whatever the machine.
inline std::string raw_floats(const std::vector<float>& values) {
  std::string out;
  out.reserve(4 * values.size());
  for (const float value : values) {
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(bits >> shift);
  }
  return out;
}

}  // namespace ntkrob::exchange
