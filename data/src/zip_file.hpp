/// ZIP archives as NumPy makes and reads them: members stored or deflated, no encryption, no spanning, below 4 GB.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "input_file.hpp"
#include "read_budget.hpp"

namespace ntkrob::io {

struct ZipMember {
  std::string name;
  std::size_t offset = 0;  // of its local header
  std::size_t begin = 0;   // of its packed bytes
  std::size_t packed_bytes = 0, n_bytes = 0;
  std::uint32_t crc = 0;
  int method = 0;  // 0 stored, 8 deflated
};

/// Reads the directory and all local headers on construction, and compares them: every member has bytes of its own, so
/// that an archive unpacks to at most kMaxInflation times its size.
class ZipReader {
 public:
  /// budget: what unpacked members are taken from; none: one of this archive alone, of the default limit
  ///   throws: IoError naming file, member, offset: damage, members that overlap, two of one name, a local header that
  ///   says something else than the directory
  explicit ZipReader(const std::string& path, std::shared_ptr<ReadBudget> budget = nullptr);
  const std::vector<ZipMember>& members() const { return members_; }
  /// The unpacked content, its checksum verified. Its n_bytes stay taken from the budget: give_back() when it is gone.
  ///   throws: IoError; ResourceError before anything is unpacked
  std::string content(const ZipMember& member) const;
  /// The first n_bytes of it, or all, without a look at its checksum. throws: IoError
  std::string head(const ZipMember& member, std::size_t n_bytes) const;
  void give_back(const ZipMember& member) const { budget_->give_back(member.n_bytes); }

 private:
  void check_places(std::size_t end);

  InputFile file_;
  std::shared_ptr<ReadBudget> budget_;
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
