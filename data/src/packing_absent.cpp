#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "ntkrob/base/error.hpp"
#include "packing.hpp"
#include "shortage.hpp"

namespace ntkrob::io {
namespace {

[[noreturn]] void fail(const std::string& where) {
  throw NotCompiled(text(where,
                         ": is packed, and this build has no zlib; unpack it, or configure with "
                         "-DNTKROB_WITH_ZLIB=ON (needs zlib)"));
}

constexpr std::array<std::uint32_t, 256> make_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t value = byte;
    for (int bit = 0; bit < 8; ++bit) value = value >> 1 ^ (value & 1u ? 0xEDB88320u : 0u);
    table[byte] = value;
  }
  return table;
}
constexpr std::array<std::uint32_t, 256> kTable = make_table();

}  // namespace

std::uint32_t crc32(std::uint32_t seed, const void* data, std::size_t n_bytes) {
  const auto* bytes = static_cast<const unsigned char*>(data);
  std::uint32_t crc = ~seed;
  for (std::size_t i = 0; i < n_bytes; ++i) crc = crc >> 8 ^ kTable[(crc ^ bytes[i]) & 0xffu];
  return ~crc;
}

std::optional<std::string> deflated(const std::string&, const std::string&) { return std::nullopt; }

std::string inflated(const std::string&, std::size_t, const std::string& where) { fail(where); }
std::string inflated_head(const std::string&, std::size_t, const std::string& where) { fail(where); }

struct ByteStream::Unpacking {};

ByteStream::ByteStream(const std::string& path, int descriptor, bool packed) : path_(path) {
  if (packed) fail(path);
  descriptor_ = ::fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
  if (descriptor_ < 0) fail_system(path, "cannot be read", errno);
  ::lseek(descriptor_, 0, SEEK_SET);
}

ByteStream::~ByteStream() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

std::size_t ByteStream::read(void* target, std::size_t n_bytes, std::size_t offset) {
  std::size_t done = 0;
  while (done < n_bytes) {
    const ssize_t got = ::read(descriptor_, static_cast<char*>(target) + done, n_bytes - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_system(path_, text("reading at offset ", offset + done), errno);
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

}  // namespace ntkrob::io
