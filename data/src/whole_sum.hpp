/// A checksum over all bytes of a file that ntkrob writes, verified before a library or a reader of archives sees them.
///
/// It stands in the last kSumBytes bytes: a first mark, the number of bytes before it, their CRC-32, the CRC-32 of
/// those two fields, a second mark. HDF5 knows the end of its own data and ignores what lies behind; who changes a file
/// through the HDF5 library cuts the checksum off, and the file is one without. In a ZIP archive it is the archive's
/// comment. Two marks: a changed byte in either is damage, not a file without a checksum.
#pragma once

#include <cstddef>
#include <string>

#include "input_file.hpp"

namespace ntkrob::io {

class AtomicFile;

constexpr std::size_t kSumBytes = 32;

/// The last bytes for a file of n_bytes before them.   crc: of those bytes
std::string whole_sum(std::size_t n_bytes, std::uint32_t crc);

/// Whether the file ends in a checksum that fits it.
///   returns: false where there is none
///   throws: IoError where there is one and the bytes are not those it was made of, or where it is damaged itself
///   cost: one pass over the file, 2 ms for 12 MB with zlib; files that did not change for a second before an earlier
///   pass of this process are not read again
bool verify_whole(const InputFile& file);

/// Reads the file that was written, in whatever order, and writes the checksum behind it.
///   cost: one pass   throws: IoError, ResourceError
void append_sum(AtomicFile& file);

}  // namespace ntkrob::io
