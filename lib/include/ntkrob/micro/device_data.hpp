/// A data set as one block of bytes in flash, read row by row; `ntkrob export` writes it, as a file or as a C++ header.
///
/// Little-endian. Header of 64 bytes: magic "NKRD", u16 version, u16 header bytes, u32 bytes of the whole, u32 rows,
/// u16 height, width, channels, classes, u8 pixel type (1 uint8, 2 int16), u8 label type (0 class, 1 class and soft
/// label), u8 norm (0 linf, 1 l2), u8 0, f32 scale, f32 offset (pixel = offset + scale * number), f32 eps, u64 hash of
/// the options that made the set, zeros. Then the pixels, u16 classes, f32 soft labels, each part from a multiple of 4,
/// and the crc32 of all before.
#pragma once

#include "ntkrob/micro/session.hpp"

namespace ntkrob::micro {

inline constexpr uint32_t kDataMagic = 0x44524B4Eu;  // "NKRD"
inline constexpr uint16_t kDataVersion = 1, kDataHeaderBytes = 64;

struct DeviceData {
  const uint8_t* bytes;
  uint32_t total;  // bytes
  uint32_t rows;
  Shape shape;
  uint16_t classes;
  uint8_t pixel_bytes;  // 1: uint8, 2: int16
  bool soft;            // rows have soft labels
  Norm norm;            // what the set was made robust against ...
  float eps;            // ... 0: nothing
  float scale, offset;
  uint64_t hash;
  uint32_t labels, soft_labels;  // where these parts begin
};

/// Bytes of a set with these fields, and where its parts begin. False where that is more than 32 bits can say.
///   data: shape, rows, classes, pixel_bytes and soft are read; labels, soft_labels and total written
bool lay_out(DeviceData& data);
/// Checks everything that can be checked and copies nothing: the bytes must outlive the data.
///   n: bytes there are; more than the set needs is fine   returns: ok, truncated, bad_magic, bad_version, bad_header,
///   bad_crc
Status open(DeviceData& data, const void* bytes, size_t n);
/// returns: ok, bad_row, bad_label, not_finite (a soft label; pixels cannot be)
Status read(const DeviceData& data, uint32_t i, Row& row);
/// data must outlive the source.
Source source(const DeviceData& data);
/// ok, or shape_mismatch where net and data do not belong together
Status check_fit(const NetView& net, const DeviceData& data);

}  // namespace ntkrob::micro
