/// Typed edits of a block of device_data.hpp, weights.hpp or int8.hpp: every field gets values at the edges of its
/// type, as an integer and as a float32, and the block is cut off and made longer; each with the checksum as it was and
/// made anew. No heap, so that devices run them too.
#pragma once

#include "micro/bytes.hpp"
#include "ntkrob/micro/crc32.hpp"

namespace block_edits {

using ntkrob::micro::crc32;
using ntkrob::micro::load16;
using ntkrob::micro::load32;
using ntkrob::micro::store16;
using ntkrob::micro::store32;

struct Field {
  uint32_t at;
  uint8_t bytes;  // 1, 2 or 4
  bool matters;   // whether another value that is accepted may give another result
};

/// The fields of a block, listed front to back.
struct Fields {
  static constexpr uint32_t kMost = 320;
  Field list[kMost];
  uint32_t count = 0, end = 0;
  /// Adds n fields behind the last. Fields beyond kMost are dropped: a test compares `end` with the block.
  void add(uint8_t bytes, bool matters, uint32_t n = 1) {
    for (; n > 0 && count < kMost; --n, end += bytes) list[count++] = {end, bytes, matters};
  }
};

class Edits {
 public:
  /// block: n bytes that are whole, with their number at 8 and their checksum at the end
  Edits(const uint8_t* block, uint32_t n, const Fields& fields) : original_(block), n_(n), fields_(fields) {}

  /// Makes the next edit. false: there are no more
  bool next() {
    do {
      if (!advance()) return false;
    } while (!make());
    ++tried;
    return true;
  }

  /// What a reader gets. It ends where the storage does, so that a look behind it is noticed.
  const uint8_t* bytes() const { return storage() + kMostBytes - n; }
  uint32_t n = 0;
  bool sealed = false;   // the checksum is right
  bool matters = false;  // Field::matters; true where the size has changed
  uint32_t tried = 0;

 private:
  static constexpr uint32_t kMostBytes = 1024, kValues = 22, kGrown = 12;
  static uint8_t* storage() {
    alignas(16) static uint8_t bytes[kMostBytes];
    return bytes;
  }

  bool advance() {
    if (started_) sealed = !sealed;
    if (started_ && sealed) return true;
    started_ = true;
    if (part_ == 0 && step_ >= fields_.count * kValues) part_ = 1, step_ = 0;
    if (part_ == 1 && step_ >= n_) part_ = 2, step_ = 0;
    if (part_ == 2 && step_ >= kGrown) return false;
    ++step_;
    return true;
  }

  /// false: the edit is none
  bool make() {
    const uint32_t k = step_ - 1;
    if (part_ == 0) return change(fields_.list[k / kValues], k % kValues);
    matters = true;
    copy(part_ == 1 ? k : n_ + k + 1);
    uint8_t* const p = storage() + kMostBytes - n;
    if (!sealed) return part_ == 1;  // bytes behind a whole block are no edit
    if (n < 16) return false;
    store32(p + 8, n);
    seal(p);
    return true;
  }

  bool change(const Field& field, uint32_t value) {
    copy(n_);
    matters = field.matters;
    uint8_t* const p = storage() + kMostBytes - n;
    uint8_t* const at = p + field.at;
    const uint32_t most = field.bytes == 4 ? 0xFFFFFFFFu : (1u << 8 * field.bytes) - 1;
    const uint32_t before = field.bytes == 4 ? load32(at) : field.bytes == 2 ? load16(at) : *at;
    const uint32_t after = edited(before, most, value);
    if (after == before || (value >= 10 && field.bytes < 4)) return false;
    if (field.bytes == 4) store32(at, after);
    if (field.bytes == 2) store16(at, after);
    if (field.bytes == 1) *at = static_cast<uint8_t>(after);
    if (sealed) seal(p);
    // A checksum that was edited and then made anew is none.
    return !(sealed && field.at + 4 == n_);
  }

  static uint32_t edited(uint32_t before, uint32_t most, uint32_t value) {
    const uint32_t values[kValues] = {0, 1, 2, (before - 1) & most, (before + 1) & most, (2 * before) & most, most >> 1,
                                      (most >> 1) + 1, most - 1, most,
                                      // float32: 1, -1, the infinities, NaN quiet and signalling, the largest, the
                                      // smallest; then 2^16, and the largest sizes of a net
                                      0x3F800000, 0xBF800000, 0x7F800000, 0xFF800000, 0x7FC00000, 0x7F800001,
                                      0x7F7FFFFF, 0xFF7FFFFF, 0x00800000, 0x00010000, 0x04000000, 0x04000001};
    return values[value];
  }

  void copy(uint32_t n_bytes) {
    n = n_bytes;
    uint8_t* const p = storage() + kMostBytes - n;
    for (uint32_t k = 0; k < n; ++k) p[k] = k < n_ ? original_[k] : 0;
  }
  void seal(uint8_t* p) const { store32(p + n - 4, crc32(0, p, n - 4)); }

  const uint8_t* original_;
  uint32_t n_;
  const Fields& fields_;
  uint32_t part_ = 0, step_ = 0;
  bool started_ = false;
};

}  // namespace block_edits
