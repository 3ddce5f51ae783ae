/// Reading bytes: plain files with random access, and streams that unpack gzip on the way.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace ntkrob::io {

class ByteStream;

/// An open regular file. throws: IoError with the system's reason; pipes, sockets and devices are refused, not waited
/// for.
class InputFile {
 public:
  explicit InputFile(const std::string& path);
  ~InputFile();
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;

  const std::string& path() const { return path_; }
  std::size_t size() const { return n_bytes_; }
  int descriptor() const { return descriptor_; }
  /// Exactly n_bytes from offset. throws: IoError when the file ends before.
  void read_at(std::size_t offset, void* target, std::size_t n_bytes) const;
  /// Up to n_bytes of the beginning.
  std::string head(std::size_t n_bytes) const;

 private:
  std::string path_;
  int descriptor_ = -1;
  std::size_t n_bytes_ = 0;
};

/// A file read from front to back; gzip is recognised by content and unpacked. Its checksum is verified at the end.
class InputStream {
 public:
  /// limit: more unpacked bytes than that are refused, as a gzip file may have a thousand times its size
  explicit InputStream(const std::string& path, std::size_t limit = SIZE_MAX);
  ~InputStream();
  InputStream(const InputStream&) = delete;
  InputStream& operator=(const InputStream&) = delete;

  const std::string& path() const { return path_; }
  /// Unpacked bytes so far.
  std::size_t offset() const { return offset_; }
  /// No more than this many unpacked bytes can come, by the file's size: the bound for sizes read from headers.
  std::size_t upper_bound() const { return upper_bound_; }
  /// Number of bytes read, less than n_bytes only at the end. throws: IoError when the gzip data are damaged or cut
  /// off; ResourceError past the limit
  std::size_t read_some(void* target, std::size_t n_bytes);
  /// Exactly n_bytes. throws: IoError naming `what` and the offset when the file ends before.
  void read(void* target, std::size_t n_bytes, const char* what);
  bool at_end();

 private:
  std::string path_;
  std::unique_ptr<ByteStream> stream_;
  std::size_t offset_ = 0, upper_bound_ = 0, limit_ = 0;
  int ahead_ = -1;
};

bool is_folder(const std::string& path);
bool is_file(const std::string& path);
/// A folder of more entries than this is no data set.
constexpr std::size_t kMaxEntries = std::size_t{1} << 20;
struct FolderEntry {
  std::string name;
  bool folder = false;  // links followed
};
/// What is in a folder, sorted by name, without "." and "..". throws: IoError, also for more than kMaxEntries
std::vector<FolderEntry> entries_of(const std::string& path);
/// Their names.
std::vector<std::string> list_folder(const std::string& path);
/// Lower case.
std::string lower(std::string text);
bool ends_with(const std::string& text, const std::string& ending);
/// The part after the last "/".
std::string file_name(const std::string& path);

}  // namespace ntkrob::io
