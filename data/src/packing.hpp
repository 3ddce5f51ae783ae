/// gzip and deflate: packing_zlib.cpp through zlib; packing_absent.cpp in a build without zlib, which reads and writes
/// what is not packed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace ntkrob::io {

/// The checksum of gzip, ZIP and PNG.   seed: that of the bytes before, 0 at the start
std::uint32_t crc32(std::uint32_t seed, const void* data, std::size_t n_bytes);
/// A deflate stream; nothing in a build without zlib, where archives are stored.   throws: ResourceError naming `name`
std::optional<std::string> deflated(const std::string& content, const std::string& name);
/// Exactly n_bytes out of a deflate stream. throws: IoError where it is damaged; NotCompiled
std::string inflated(const std::string& packed, std::size_t n_bytes, const std::string& where);
/// The first n_bytes of it, or fewer where there are no more. packed: may be cut off. throws: IoError; NotCompiled
std::string inflated_head(const std::string& packed, std::size_t n_bytes, const std::string& where);

/// The bytes of a file from front to back, unpacked where it is a gzip file.
class ByteStream {
 public:
  /// descriptor: of the open file, which stays the caller's; path: its name, for messages; packed: it begins as a gzip
  /// file does
  ///   throws: IoError with the system's reason; ResourceError where open files or memory are missing; NotCompiled
  ByteStream(const std::string& path, int descriptor, bool packed);
  ~ByteStream();
  ByteStream(const ByteStream&) = delete;
  ByteStream& operator=(const ByteStream&) = delete;
  /// Number of bytes read, less than n_bytes only at the end.   offset: bytes read before, for messages
  ///   throws: IoError where the gzip data are damaged or cut off, or where something else follows them, or with the
  ///   system's reason; ResourceError
  std::size_t read(void* target, std::size_t n_bytes, std::size_t offset);

 private:
  struct Unpacking;
  bool refill();
  bool next_member();
  std::string path_;
  int descriptor_ = -1;
  std::unique_ptr<Unpacking> unpacking_;  // of a packed file
};

}  // namespace ntkrob::io
