/// The checksum of zlib and PNG (polynomial 0xEDB88320), for files and for comparing weights between machines.
#pragma once

#include <stddef.h>
#include <stdint.h>

namespace ntkrob::micro {

/// crc: that of the bytes before, 0 at the start. crc32(crc32(0, a, n), b, m) is that of both.
uint32_t crc32(uint32_t crc, const void* bytes, size_t n);
/// The same of n numbers as little-endian float32, whatever the byte order of the machine.
uint32_t crc32_of(const float* numbers, size_t n);

}  // namespace ntkrob::micro
