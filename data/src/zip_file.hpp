/// ZIP archives as NumPy makes and reads them: members stored or deflated, no encryption, no spanning, below 4 GB.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "input_file.hpp"

namespace ntkrob::io {

struct ZipMember {
  std::string name;
  std::size_t offset = 0;  // of its local header
  std::size_t packed_bytes = 0, n_bytes = 0;
  std::uint32_t crc = 0;
  int method = 0;  // 0 stored, 8 deflated
};

/// Reads the central directory on construction. throws: IoError naming file, member, offset
class ZipReader {
 public:
  explicit ZipReader(const std::string& path);
  const std::vector<ZipMember>& members() const { return members_; }
  /// The unpacked content, its checksum verified. Sizes were compared with the file before.
  std::string content(const ZipMember& member) const;

 private:
  InputFile file_;
  std::vector<ZipMember> members_;
};

/// Collects members in memory, deflated where the build has zlib. Time stamps are fixed, so equal content gives equal
/// bytes.
class ZipWriter {
 public:
  void add(const std::string& name, const std::string& content);
  /// The archive.
  std::string finish();

 private:
  std::string body_, directory_;
  std::uint16_t n_members_ = 0;
};

}  // namespace ntkrob::io
