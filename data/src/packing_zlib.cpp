#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "ntkrob/base/error.hpp"
#include "packing.hpp"

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
  NTKROB_CHECK(code == Z_STREAM_END && made == result.size(), IoError, where, ": deflate data damaged after ", made,
               " of ", result.size(), " bytes (", stream.msg != nullptr ? stream.msg : "unexpected end",
               "); get the file again");
  return result;
}

// zlib reads files that are not packed as they are.
ByteStream::ByteStream(const std::string& path, int descriptor, bool) : path_(path) {
  const int own = ::fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
  if (own >= 0) ::lseek(own, 0, SEEK_SET);
  file_ = own >= 0 ? ::gzdopen(own, "rb") : nullptr;
  if (file_ == nullptr && own >= 0) ::close(own);
  NTKROB_CHECK(file_ != nullptr, IoError, path, ": cannot be read: ", std::strerror(errno));
  ::gzbuffer(static_cast<gzFile>(file_), 1 << 17);
}

ByteStream::~ByteStream() {
  if (file_ != nullptr) ::gzclose_r(static_cast<gzFile>(file_));
}

std::size_t ByteStream::read(void* target, std::size_t n_bytes, std::size_t offset) {
  unsigned char* const position = static_cast<unsigned char*>(target);
  const gzFile file = static_cast<gzFile>(file_);
  std::size_t done = 0;
  while (done < n_bytes) {
    const auto wanted = static_cast<unsigned>(std::min<std::size_t>(n_bytes - done, 1u << 30));
    const int got = ::gzread(file, position + done, wanted);
    int code = Z_OK;
    const char* reason = ::gzerror(file, &code);
    NTKROB_CHECK(got >= 0 && (code == Z_OK || code == Z_STREAM_END), IoError, path_,
                 ": gzip data damaged or cut off after ", offset + done, " unpacked bytes (",
                 code == Z_ERRNO ? std::strerror(errno) : reason, "); get the file again");
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

}  // namespace ntkrob::io
