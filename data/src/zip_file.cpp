#include "zip_file.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

#include "echo.hpp"
#include "ntkrob/base/error.hpp"
#include "packing.hpp"
#include "raw_array.hpp"
#include "read_options.hpp"
#include "taken.hpp"
#include "whole_sum.hpp"

namespace ntkrob::io {
namespace {

// Signatures and record sizes of the ZIP format (PKWARE APPNOTE 6.3, sections 4.3.7, 4.3.12, 4.3.16).
constexpr std::uint32_t kLocal = 0x04034b50, kCentral = 0x02014b50, kEnd = 0x06054b50;
constexpr std::size_t kLocalBytes = 30, kCentralBytes = 46, kEndBytes = 22, kMaxComment = 65535;
constexpr std::uint32_t kIn64 = 0xffffffff;  // the value stands in the ZIP64 extra field
constexpr std::uint16_t kExtra64 = 1, kStored = 0, kDeflated = 8;
constexpr std::uint16_t kEncrypted = 1, kBehind = 8;  // flags: encrypted; sizes and checksum stand behind the member

std::uint64_t little(const std::string& s, std::size_t at, int n_bytes) {
  std::uint64_t value = 0;
  for (int i = n_bytes - 1; i >= 0; --i)
    value = value << 8 | static_cast<unsigned char>(s[at + static_cast<std::size_t>(i)]);
  return value;
}

void put(std::string& out, std::uint64_t value, int n_bytes) {
  for (int i = 0; i < n_bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
}

/// Sizes that did not fit 32 bits (NumPy writes all members with this field reserved).
void take_extra64(const std::string& extra, ZipMember& member) {
  for (std::size_t at = 0; at + 4 <= extra.size();) {
    const std::uint64_t id = little(extra, at, 2), n_bytes = little(extra, at + 2, 2);
    const std::size_t end = std::min<std::size_t>(extra.size(), at + 4 + n_bytes);
    if (id == kExtra64) {
      std::size_t position = at + 4;
      for (std::size_t* field : {&member.n_bytes, &member.packed_bytes, &member.offset})
        if (*field == kIn64 && position + 8 <= end) {
          *field = little(extra, position, 8);
          position += 8;
        }
    }
    at = end;
  }
}

}  // namespace

namespace {

/// Where the record at the end of the archive begins in `tail`: its comment is all that follows. Where there is no
/// such, the last that looks like one.
std::size_t find_end(const std::string& tail) {
  std::size_t last = std::string::npos;
  for (std::size_t at = tail.size() < kEndBytes ? 0 : tail.size() - kEndBytes + 1; at-- > 0;) {
    if (little(tail, at, 4) != kEnd) continue;
    if (at + kEndBytes + little(tail, at + 20, 2) == tail.size()) return at;
    if (last == std::string::npos) last = at;
  }
  return last;
}

}  // namespace

ZipReader::ZipReader(const std::string& path, std::shared_ptr<ReadBudget> budget)
    : file_(path), budget_(budget ? std::move(budget) : std::make_shared<ReadBudget>(default_read_limit())) {
  verify_whole(file_);
  const std::size_t size = file_.size();
  const std::size_t tail_bytes = std::min(size, kEndBytes + kMaxComment);
  std::string tail(tail_bytes, '\0');
  if (tail_bytes > 0) file_.read_at(size - tail_bytes, tail.data(), tail_bytes);
  const std::size_t end = find_end(tail);
  NTKROB_CHECK(end != std::string::npos, IoError, path, ": no ZIP directory at the end of its ", size,
               " bytes; the file is cut off or no NPZ");
  const std::size_t behind = tail_bytes - end - kEndBytes, said = little(tail, end + 20, 2);
  NTKROB_CHECK(said == behind, IoError, path, ": has ", behind, " bytes behind its directory, where it says ", said,
               "; its checksum is cut off or something was added, get the file again");
  const std::size_t count = little(tail, end + 10, 2), directory_bytes = little(tail, end + 12, 4),
                    directory_offset = little(tail, end + 16, 4), end_offset = size - tail_bytes + end;
  NTKROB_CHECK(directory_offset != kIn64 && count != 0xffff, IoError, path,
               ": a ZIP64 archive (4 GB or more); store such data as HDF5");
  NTKROB_CHECK(directory_offset + directory_bytes <= end_offset, IoError, path, ": its ZIP directory of ",
               directory_bytes, " bytes at offset ", directory_offset, " reaches past offset ", end_offset,
               ", where it ends; the file is damaged");
  const Taken held(*budget_, 2 * directory_bytes, path + ": ZIP directory");
  std::string directory(directory_bytes, '\0');
  if (directory_bytes > 0) file_.read_at(directory_offset, directory.data(), directory_bytes);
  std::size_t at = 0;
  for (std::size_t i = 0; i < count; ++i) {
    NTKROB_CHECK(at + kCentralBytes <= directory.size() && little(directory, at, 4) == kCentral, IoError, path,
                 ": ZIP directory entry ", i, " of ", count, " at offset ", directory_offset + at, " is damaged");
    ZipMember member;
    const std::size_t name = little(directory, at + 28, 2), extra = little(directory, at + 30, 2),
                      comment = little(directory, at + 32, 2);
    NTKROB_CHECK(name + extra + comment <= directory.size() - at - kCentralBytes, IoError, path,
                 ": ZIP directory entry ", i, " reaches past the directory; the file is damaged");
    NTKROB_CHECK((little(directory, at + 8, 2) & kEncrypted) == 0, IoError, path, ": is encrypted; unpack it first");
    member.method = static_cast<int>(little(directory, at + 10, 2));
    member.crc = static_cast<std::uint32_t>(little(directory, at + 16, 4));
    member.packed_bytes = little(directory, at + 20, 4);
    member.n_bytes = little(directory, at + 24, 4);
    member.offset = little(directory, at + 42, 4);
    member.name = directory.substr(at + kCentralBytes, name);
    take_extra64(directory.substr(at + kCentralBytes + name, extra), member);
    members_.push_back(member);
    at += kCentralBytes + name + extra + comment;
  }
  NTKROB_CHECK(at == directory.size(), IoError, path, ": its ZIP directory has ", directory.size(), " bytes, its ",
               count, " entries end after ", at, "; the file is damaged");
  check_places(directory_offset);
}

/// end: where the directory begins
void ZipReader::check_places(std::size_t end) {
  std::vector<std::size_t> order(members_.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return members_[a].offset < members_[b].offset; });
  std::string local(kLocalBytes, '\0');
  for (std::size_t i = 0; i < order.size(); ++i) {
    ZipMember& member = members_[order[i]];
    const std::string where = file_.path() + ": " + echoed(member.name);
    const std::size_t next = i + 1 < order.size() ? members_[order[i + 1]].offset : end;
    NTKROB_CHECK(member.offset <= end && kLocalBytes <= end - member.offset, IoError, where,
                 ": no room for a ZIP member at offset ", member.offset, "; the file is damaged");
    file_.read_at(member.offset, local.data(), kLocalBytes);
    NTKROB_CHECK(little(local, 0, 4) == kLocal, IoError, where, ": no ZIP member at offset ", member.offset,
                 "; the file is damaged");
    const std::size_t name = little(local, 26, 2), extra = little(local, 28, 2);
    member.begin = member.offset + kLocalBytes + name + extra;
    NTKROB_CHECK(member.begin <= next && member.packed_bytes <= next - member.begin, IoError, where, ": its ",
                 member.packed_bytes, " bytes at offset ", member.begin, " reach into what begins at offset ", next,
                 "; members that overlap are not read, and the file is damaged or made to fill memory");
    std::string rest(name + extra, '\0');
    if (!rest.empty()) file_.read_at(member.offset + kLocalBytes, rest.data(), rest.size());
    ZipMember said;
    const std::size_t flags = little(local, 6, 2);
    said.method = static_cast<int>(little(local, 8, 2));
    said.crc = static_cast<std::uint32_t>(little(local, 14, 4));
    said.packed_bytes = little(local, 18, 4);
    said.n_bytes = little(local, 22, 4);
    take_extra64(rest.substr(name), said);
    // Of what is written to a stream the header says nothing: sizes and checksum stand behind the member.
    const bool behind = (flags & kBehind) != 0 && said.crc == 0;
    NTKROB_CHECK((flags & kEncrypted) == 0, IoError, file_.path(), ": is encrypted; unpack it first");
    NTKROB_CHECK(
        rest.compare(0, name, member.name) == 0 && name == member.name.size() && said.method == member.method &&
            (behind ||
             (said.crc == member.crc && said.packed_bytes == member.packed_bytes && said.n_bytes == member.n_bytes)),
        IoError, where, ": the ZIP header at offset ", member.offset,
        " says something else than the directory; the file is damaged");
    const std::size_t bound = member.method == kStored ? member.packed_bytes : member.packed_bytes * kMaxInflation;
    NTKROB_CHECK(member.n_bytes <= bound && (member.method != kStored || member.n_bytes == member.packed_bytes),
                 IoError, where, ": claims ", member.n_bytes, " bytes out of ", member.packed_bytes,
                 " packed ones, at most ", bound, " are possible; the file is damaged");
  }
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return members_[a].name < members_[b].name; });
  for (std::size_t i = 1; i < order.size(); ++i)
    NTKROB_CHECK(members_[order[i - 1]].name != members_[order[i]].name, IoError, file_.path(), ": ",
                 members_[order[i]].name, " is there twice; readers differ in which they take, store it once");
}

namespace {

void check_method(const ZipMember& member, const std::string& where) {
  NTKROB_CHECK(member.method == kStored || member.method == kDeflated, IoError, where, ": ZIP method ", member.method,
               "; stored (0) and deflated (8) are supported, as numpy.savez writes them");
}

}  // namespace

std::string ZipReader::content(const ZipMember& member) const {
  const std::string where = file_.path() + ": " + echoed(member.name);
  check_method(member, where);
  Taken result_bytes(*budget_, member.n_bytes, where);
  std::string result;
  if (member.method == kStored) {
    result.resize(member.packed_bytes);
    if (!result.empty()) file_.read_at(member.begin, result.data(), result.size());
  } else {
    const Taken packed_bytes(*budget_, member.packed_bytes, where);
    std::string packed(member.packed_bytes, '\0');
    if (!packed.empty()) file_.read_at(member.begin, packed.data(), packed.size());
    result = inflated(packed, member.n_bytes, where);
  }
  const std::uint32_t crc = crc32(0, result.data(), result.size());
  NTKROB_CHECK(crc == member.crc, IoError, where, ": checksum differs from the directory's; the file is damaged");
  result_bytes.keep();
  return result;
}

std::string ZipReader::head(const ZipMember& member, std::size_t n_bytes) const {
  const std::string where = file_.path() + ": " + echoed(member.name);
  check_method(member, where);
  const std::size_t wanted = std::min(n_bytes, member.n_bytes);
  // A deflate stream of so many bytes takes no more than a little more than they.
  std::string packed(std::min(member.packed_bytes, member.method == kStored ? wanted : wanted + wanted / 512 + 64),
                     '\0');
  if (!packed.empty()) file_.read_at(member.begin, packed.data(), packed.size());
  return member.method == kStored ? packed : inflated_head(packed, wanted, where);
}

void ZipWriter::add(const std::string& name, const std::string& content) {
  constexpr std::size_t kLimit = std::numeric_limits<std::uint32_t>::max();
  const auto fits = [](std::size_t n_bytes) { return n_bytes < kLimit; };
  NTKROB_CHECK(fits(content.size()) && fits(body_.size() + content.size() + content.size() / 512 + 64), NotSupported,
               name, ": the NPZ archive would pass 4 GB; write .h5 instead");
  const std::optional<std::string> deflate = deflated(content, name);
  const std::string& packed = deflate ? *deflate : content;

  // The fields that the local header and the directory entry share.
  std::string shared;
  put(shared, 20, 2);  // version 2.0
  put(shared, 0, 2);   // flags
  put(shared, deflate ? kDeflated : kStored, 2);
  put(shared, 0, 2);       // time 00:00
  put(shared, 0x0021, 2);  // date 1980-01-01, the format's first day
  put(shared, crc32(0, content.data(), content.size()), 4);
  put(shared, packed.size(), 4);
  put(shared, content.size(), 4);
  put(shared, name.size(), 2);
  put(shared, 0, 2);  // extra
  put(directory_, kCentral, 4);
  put(directory_, 20, 2);
  directory_ += shared;
  put(directory_, 0, 2);  // comment
  put(directory_, 0, 2);  // disk
  put(directory_, 0, 2);  // internal attributes
  put(directory_, 0, 4);  // external attributes
  put(directory_, body_.size(), 4);
  directory_ += name;
  put(body_, kLocal, 4);
  body_ += shared + name + packed;
  ++n_members_;
}

std::string ZipWriter::finish() {
  std::string archive = body_ + directory_;
  NTKROB_CHECK(archive.size() < std::numeric_limits<std::uint32_t>::max(), NotSupported,
               "the NPZ archive would pass 4 GB; write .h5 instead");
  put(archive, kEnd, 4);
  put(archive, 0, 4);  // disks
  put(archive, n_members_, 2);
  put(archive, n_members_, 2);
  put(archive, directory_.size(), 4);
  put(archive, body_.size(), 4);
  put(archive, kSumBytes, 2);  // the comment is the checksum over all before it
  return archive + whole_sum(archive.size(), crc32(0, archive.data(), archive.size()));
}

}  // namespace ntkrob::io
