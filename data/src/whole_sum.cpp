#include "whole_sum.hpp"

#include <algorithm>
#include <vector>

#include "atomic_file.hpp"
#include "file_identity.hpp"
#include "ntkrob/base/error.hpp"
#include "ntkrob/data/format.hpp"
#include "packing.hpp"

namespace ntkrob::io {
namespace {

constexpr char kFirst[] = "\x93ntksum\r", kLast[] = "\nmuskt\x94\x1a";
constexpr std::size_t kMarkBytes = 8, kBlockBytes = std::size_t{1} << 20;
static_assert(sizeof kFirst == kMarkBytes + 1 && sizeof kLast == kMarkBytes + 1);

void put(std::string& out, std::uint64_t value, int n_bytes) {
  for (int i = 0; i < n_bytes; ++i) out += static_cast<char>(value >> (8 * i) & 0xff);
}

std::uint64_t little(const std::string& s, std::size_t at, int n_bytes) {
  std::uint64_t value = 0;
  for (int i = n_bytes - 1; i >= 0; --i)
    value = value << 8 | static_cast<unsigned char>(s[at + static_cast<std::size_t>(i)]);
  return value;
}

std::uint32_t checksum(const InputFile& file, std::size_t n_bytes) {
  std::vector<char> block(std::min(kBlockBytes, n_bytes));
  std::uint32_t crc = 0;
  for (std::size_t at = 0; at < n_bytes; at += block.size()) {
    const std::size_t n = std::min(block.size(), n_bytes - at);
    file.read_at(at, block.data(), n);
    crc = crc32(crc, block.data(), n);
  }
  return crc;
}

std::string hex(std::uint64_t value) {
  std::string digits(8, '0');
  for (std::size_t i = 8; i-- > 0; value >>= 4) digits[i] = "0123456789abcdef"[value & 15];
  return digits;
}

std::string remedy() {
  return text("; ", advice("get the file again, or make it anew (a checkpoint: start without ", field("resume"), ")"));
}

/// Files that were found sound: a command looks at its inputs more than once.
Remembered<bool>& sound_files() {
  static Remembered<bool> files;
  return files;
}

}  // namespace

std::string whole_sum(std::size_t n_bytes, std::uint32_t crc) {
  std::string fields;
  put(fields, n_bytes, 8);
  put(fields, crc, 4);
  const std::uint32_t own = crc32(0, fields.data(), fields.size());
  put(fields, own, 4);
  return kFirst + fields + kLast;
}

bool verify_whole(const InputFile& file) {
  if (file.size() < kSumBytes) return false;
  const FileIdentity before(file.path());
  if (sound_files().find(before)) return true;
  const std::size_t n_bytes = file.size() - kSumBytes;
  std::string found(kSumBytes, '\0');
  file.read_at(n_bytes, found.data(), found.size());
  const bool first = found.compare(0, kMarkBytes, kFirst, kMarkBytes) == 0,
             last = found.compare(kSumBytes - kMarkBytes, kMarkBytes, kLast, kMarkBytes) == 0;
  if (!first && !last) return false;
  const std::uint64_t length = little(found, 8, 8), stored = little(found, 16, 4);
  NTKROB_CHECK(first && last && found == whole_sum(length, static_cast<std::uint32_t>(stored)), IoError, file.path(),
               ": the checksum at the end of the file is damaged itself", remedy());
  NTKROB_CHECK(length == n_bytes, IoError, file.path(), ": has ", n_bytes, " bytes, its checksum was made of ", length,
               "; the file is cut off or was changed", remedy());
  const std::uint32_t crc = checksum(file, n_bytes);
  NTKROB_CHECK(crc == stored, IoError, file.path(), ": the checksum of the file is crc32:", hex(crc),
               ", it was written with crc32:", hex(stored), "; the file is damaged", remedy());
  sound_files().add(before, file.path(), true);
  return true;
}

void append_sum(AtomicFile& file) {
  const InputFile written(file.temporary());
  const std::string sum = whole_sum(written.size(), checksum(written, written.size()));
  file.write_at(written.size(), sum.data(), sum.size());
}

}  // namespace ntkrob::io

namespace ntkrob {

bool has_file_checksum(const std::string& path) { return io::verify_whole(io::InputFile(path)); }

}  // namespace ntkrob
