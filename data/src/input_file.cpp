#include "input_file.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "atomic_file.hpp"
#include "ntkrob/base/error.hpp"
#include "ntkrob/base/view.hpp"
#include "ntkrob/data/format.hpp"
#include "packing.hpp"
#include "raw_array.hpp"
#include "shortage.hpp"

namespace ntkrob::io {

namespace {

/// What a file is that cannot be read at any place, and what to do about it.
const char* other_kind(mode_t mode) {
  if (S_ISDIR(mode)) return "a folder, expected a file";
  if (S_ISFIFO(mode)) return "a pipe; files are read more than once and at any place: store it first (cat PIPE > FILE)";
  if (S_ISSOCK(mode)) return "a socket, expected a file";
  return "a device, which may be without end; store what it gives in a file first (head -c BYTES DEVICE > FILE)";
}

}  // namespace

InputFile::InputFile(const std::string& path) : path_(path) {
  // A pipe that nobody writes to must not be waited for.
  descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  struct stat info {};
  const int error = descriptor_ < 0 ? errno : 0;
  const bool known = (descriptor_ >= 0 ? ::fstat(descriptor_, &info) : ::stat(path.c_str(), &info)) == 0;
  const bool regular = known && S_ISREG(info.st_mode);
  if (descriptor_ >= 0 && !regular) ::close(std::exchange(descriptor_, -1));
  NTKROB_CHECK(!known || regular, IoError, path, ": is ", other_kind(info.st_mode));
  if (descriptor_ < 0) fail_system(path, "cannot be read", error);
  n_bytes_ = static_cast<std::size_t>(info.st_size);
  // Files of /proc say that they are empty.
  char byte;
  if (n_bytes_ > 0 || ::pread(descriptor_, &byte, 1, 0) <= 0) return;
  ::close(std::exchange(descriptor_, -1));
  throw IoError(
      text(path, ": is said to have 0 bytes, but holds some; store it in a file first (cat ", path, " > FILE)"));
}

InputFile::~InputFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void InputFile::read_at(std::size_t offset, void* target, std::size_t n_bytes) const {
  NTKROB_CHECK(offset <= n_bytes_ && n_bytes <= n_bytes_ - offset, IoError, path_, ": ", n_bytes, " bytes at offset ",
               offset, " reach past the end of the file (", n_bytes_, " bytes); it is damaged or cut off");
  char* position = static_cast<char*>(target);
  while (n_bytes > 0) {
    const ssize_t got = ::pread(descriptor_, position, n_bytes, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_system(path_, text("reading at offset ", offset), errno);
    NTKROB_CHECK(got > 0, IoError, path_, ": reading at offset ", offset, ": the file became shorter");
    position += got;
    offset += static_cast<std::size_t>(got);
    n_bytes -= static_cast<std::size_t>(got);
  }
}

std::string InputFile::head(std::size_t n_bytes) const {
  std::string result(std::min(n_bytes, n_bytes_), '\0');
  if (!result.empty()) read_at(0, result.data(), result.size());
  return result;
}

InputStream::InputStream(const std::string& path, std::size_t limit) : path_(path), limit_(limit) {
  const InputFile file(path);
  const std::string magic = file.head(2);
  const bool packed = magic == "\x1f\x8b";
  upper_bound_ = packed ? checked_mul(file.size(), kMaxInflation, "unpacked file") : file.size();
  stream_ = std::make_unique<ByteStream>(path, file.descriptor(), packed);
}

InputStream::~InputStream() = default;

std::size_t InputStream::read_some(void* target, std::size_t n_bytes) {
  unsigned char* position = static_cast<unsigned char*>(target);
  std::size_t done = 0;
  if (ahead_ >= 0 && n_bytes > 0) {
    position[done++] = static_cast<unsigned char>(ahead_);
    ahead_ = -1;
  }
  done += stream_->read(position + done, n_bytes - done, offset_ + done);
  offset_ += done;
  NTKROB_CHECK(offset_ <= limit_, ResourceError, path_, ": unpacks to more than the memory limit of ", limit(limit_),
               " bytes; ", advice("raise the memory limit (", field("memory"), "), or read a smaller file"));
  return done;
}

void InputStream::read(void* target, std::size_t n_bytes, const char* what) {
  const std::size_t start = offset_;
  const std::size_t got = read_some(target, n_bytes);
  NTKROB_CHECK(got == n_bytes, IoError, path_, ": ends after ", start + got, " bytes inside ", what, ", which needs ",
               start + n_bytes, "; the file is cut off, get it again");
}

bool InputStream::at_end() {
  if (ahead_ >= 0) return false;
  unsigned char byte = 0;
  if (read_some(&byte, 1) == 0) return true;
  offset_ -= 1;
  ahead_ = byte;
  return false;
}

bool is_folder(const std::string& path) {
  struct stat info;
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

bool is_file(const std::string& path) {
  struct stat info;
  return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

std::vector<FolderEntry> entries_of(const std::string& path) {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(path.c_str()), ::closedir);
  if (folder == nullptr) fail_system(path, "cannot be listed", errno);
  std::vector<FolderEntry> entries;
  while (const dirent* entry = ::readdir(folder.get())) {
    const std::string name = entry->d_name;
    if (name == "." || name == ".." || is_temporary_name(name)) continue;
    NTKROB_CHECK(entries.size() < kMaxEntries, IoError, path, ": holds more than ", kMaxEntries,
                 " files; name a folder that holds the data set alone, or pack it into one file");
    // The system says what most entries are; the others cost a call each.
    const bool known = entry->d_type == DT_DIR || entry->d_type == DT_REG;
    entries.push_back({name, known ? entry->d_type == DT_DIR : is_folder(path + "/" + name)});
  }
  std::sort(entries.begin(), entries.end(), [](const FolderEntry& a, const FolderEntry& b) { return a.name < b.name; });
  return entries;
}

std::vector<std::string> list_folder(const std::string& path) {
  std::vector<std::string> names;
  for (FolderEntry& entry : entries_of(path)) names.push_back(std::move(entry.name));
  return names;
}

std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

bool ends_with(const std::string& text, const std::string& ending) {
  return text.size() >= ending.size() && text.compare(text.size() - ending.size(), ending.size(), ending) == 0;
}

std::string file_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

}  // namespace ntkrob::io

namespace ntkrob {

std::string read_bytes(const std::string& path) {
  const io::InputFile file(path);
  constexpr std::uint64_t kLimit = std::uint64_t{1} << 32;
  NTKROB_CHECK(file.size() <= kLimit, ResourceError, path, ": has ", file.size(), " bytes, the limit is ", kLimit);
  std::string bytes(file.size(), '\0');
  file.read_at(0, bytes.data(), bytes.size());
  return bytes;
}

std::string read_small_text_file(const std::string& path, std::size_t limit) {
  const io::InputFile file(path);
  NTKROB_CHECK(file.size() <= limit, ResourceError, path, ": has ", file.size(), " bytes, the limit is ", limit,
               "; it is no file of the kind that is wanted here");
  std::string content(file.size(), '\0');
  if (!content.empty()) file.read_at(0, content.data(), content.size());
  NTKROB_CHECK(content.find('\0') == std::string::npos, IoError, path, ": byte ", content.find('\0'),
               " is 0; it is no text");
  return content;
}

}  // namespace ntkrob
