#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "ntkrob/base/error.hpp"
#include "packing.hpp"
#include "shortage.hpp"

namespace ntkrob::io {

std::uint32_t crc32(std::uint32_t seed, const void* data, std::size_t n_bytes) {
  if (n_bytes == 0) return seed;  // zlib takes a null pointer as "start again"
  return static_cast<std::uint32_t>(::crc32_z(seed, static_cast<const Bytef*>(data), n_bytes));
}

std::optional<std::string> deflated(const std::string& content, const std::string& name) {
  std::string packed(::compressBound(static_cast<uLong>(content.size())) + 16, '\0');
  z_stream stream{};
  NTKROB_CHECK(::deflateInit2(&stream, 6, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK, ResourceError,
               "out of memory packing ", name);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(content.data()));
  stream.avail_in = static_cast<uInt>(content.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  const int code = ::deflate(&stream, Z_FINISH);
  packed.resize(stream.total_out);
  ::deflateEnd(&stream);
  NTKROB_CHECK(code == Z_STREAM_END, ResourceError, "cannot pack ", name, " (zlib code ", code, ")");
  return packed;
}

std::string inflated_head(const std::string& packed, std::size_t n_bytes, const std::string& where) {
  std::string result(n_bytes, '\0');
  z_stream stream{};
  NTKROB_CHECK(::inflateInit2(&stream, -MAX_WBITS) == Z_OK, ResourceError, "out of memory unpacking ", where);
  const std::unique_ptr<z_stream, int (*)(z_stream*)> closer(&stream, ::inflateEnd);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(result.data());
  stream.avail_out = static_cast<uInt>(result.size());
  const int code = ::inflate(&stream, Z_SYNC_FLUSH);
  if (code == Z_MEM_ERROR) fail_memory(where, "deflate data cannot be unpacked");
  NTKROB_CHECK(code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR, IoError, where,
               ": deflate data damaged at the beginning; get the file again");
  result.resize(result.size() - stream.avail_out);
  return result;
}

std::string inflated(const std::string& packed, std::size_t n_bytes, const std::string& where) {
  std::string result(n_bytes, '\0');
  z_stream stream{};
  NTKROB_CHECK(::inflateInit2(&stream, -MAX_WBITS) == Z_OK, ResourceError, "out of memory unpacking ", where);
  const std::unique_ptr<z_stream, int (*)(z_stream*)> closer(&stream, ::inflateEnd);
  // zlib counts in 32 bits: archives stay below 4 GB, an unpacked member need not.
  std::size_t fed = 0, made = 0;
  int code = Z_OK;
  constexpr std::size_t kStep = std::size_t{1} << 30;
  while (code == Z_OK) {
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()) + fed);
    stream.avail_in = static_cast<uInt>(std::min(kStep, packed.size() - fed));
    stream.next_out = reinterpret_cast<Bytef*>(result.data() + made);
    stream.avail_out = static_cast<uInt>(std::min(kStep, result.size() - made));
    const uInt in = stream.avail_in, out = stream.avail_out;
    code = ::inflate(&stream, Z_NO_FLUSH);
    fed += in - stream.avail_in;
    made += out - stream.avail_out;
  }
  if (code == Z_MEM_ERROR) fail_memory(where, "deflate data cannot be unpacked");
  NTKROB_CHECK(code == Z_STREAM_END && made == result.size(), IoError, where, ": deflate data damaged after ", made,
               " of ", result.size(), " bytes (", stream.msg != nullptr ? stream.msg : "unexpected end",
               "); get the file again");
  return result;
}

namespace {

constexpr std::size_t kBlock = std::size_t{1} << 17;

/// What there is of n_bytes at the place of the descriptor, fewer at the end alone.
std::size_t read_plain(int descriptor, void* target, std::size_t n_bytes, const std::string& path, std::size_t offset) {
  std::size_t done = 0;
  while (done < n_bytes) {
    const ssize_t got = ::read(descriptor, static_cast<char*>(target) + done, n_bytes - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_system(path, text("reading at offset ", offset + done), errno);
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

}  // namespace

/// A gzip file is one member behind the other. What follows that is none is an error, unless it is zeros, which tapes
/// and blocks of disks leave behind.
struct ByteStream::Unpacking {
  z_stream stream{};
  std::string block = std::string(kBlock, '\0');
  std::size_t n_read = 0;  // bytes of the file so far
  bool at_end = false;
  Unpacking() {
    NTKROB_CHECK(::inflateInit2(&stream, MAX_WBITS + 16) == Z_OK, ResourceError, "out of memory unpacking");
  }
  ~Unpacking() { ::inflateEnd(&stream); }
  Unpacking(const Unpacking&) = delete;
};

ByteStream::ByteStream(const std::string& path, int descriptor, bool packed)
    : path_(path), descriptor_(::fcntl(descriptor, F_DUPFD_CLOEXEC, 0)) {
  if (descriptor_ < 0) fail_system(path, "cannot be read", errno);
  ::lseek(descriptor_, 0, SEEK_SET);
  if (packed) unpacking_ = std::make_unique<Unpacking>();
}

ByteStream::~ByteStream() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

bool ByteStream::refill() {
  Unpacking& u = *unpacking_;
  const std::size_t got = read_plain(descriptor_, u.block.data(), u.block.size(), path_, u.n_read);
  u.n_read += got;
  u.stream.next_in = reinterpret_cast<Bytef*>(u.block.data());
  u.stream.avail_in = static_cast<uInt>(got);
  return got > 0;
}

/// Behind a member: true where another one begins.
bool ByteStream::next_member() {
  Unpacking& u = *unpacking_;
  const std::size_t end = u.n_read - u.stream.avail_in;
  if (u.stream.avail_in == 0 && !refill()) return false;
  if (*u.stream.next_in == 0x1f) return ::inflateReset(&u.stream) == Z_OK;
  do {
    const Bytef* const first = u.stream.next_in;
    NTKROB_CHECK(
        std::all_of(first, first + u.stream.avail_in, [](Bytef byte) { return byte == 0; }), IoError, path_,
        ": the gzip data end at byte ", end,
        " of the file, what follows there is trailing garbage: no gzip data, and not zeros; get the file again, or "
        "drop it: head -c ",
        end, " FILE > GOOD.gz");
  } while (refill());
  return false;
}

std::size_t ByteStream::read(void* target, std::size_t n_bytes, std::size_t offset) {
  if (!unpacking_) return read_plain(descriptor_, target, n_bytes, path_, offset);
  Unpacking& u = *unpacking_;
  std::size_t done = 0;
  while (done < n_bytes && !u.at_end) {
    const bool more = u.stream.avail_in > 0 || refill();
    u.stream.next_out = static_cast<Bytef*>(target) + done;
    u.stream.avail_out = static_cast<uInt>(std::min<std::size_t>(n_bytes - done, 1u << 30));
    const uInt room = u.stream.avail_out;
    const int code = ::inflate(&u.stream, Z_NO_FLUSH);
    done += room - u.stream.avail_out;
    if (code == Z_MEM_ERROR) fail_memory(path_, "gzip data cannot be unpacked");
    // Without more of the file the little that zlib holds back comes out, or nothing does.
    NTKROB_CHECK(code == Z_OK || code == Z_STREAM_END || (code == Z_BUF_ERROR && more), IoError, path_,
                 ": gzip data damaged or cut off after ", offset + done, " unpacked bytes (",
                 u.stream.msg != nullptr ? u.stream.msg : "unexpected end of file", "); get the file again");
    if (code == Z_STREAM_END) u.at_end = !next_member();
  }
  return done;
}

}  // namespace ntkrob::io
