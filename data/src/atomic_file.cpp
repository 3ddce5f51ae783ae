#include "atomic_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "ntkrob/base/error.hpp"
#include "ntkrob/data/format.hpp"
#include "ntkrob/data/output_lock.hpp"
#include "ntkrob/data/temporary_files.hpp"
#include "shortage.hpp"

namespace ntkrob {
namespace io {
namespace {

/// Names of the temporary files that exist, for the handler of a signal: it reads slots that are in use, whose names
/// stay as they are. More files than slots at one time, and names without end, are not registered, and left to the next
/// run of the same output.
struct Slot {
  enum State : int { free, changing, used };
  std::atomic<int> state{free};
  char name[4096 + kTemporarySuffix];
};
constexpr std::size_t kMostRegistered = 64;
std::array<Slot, kMostRegistered> registered;

}  // namespace

void enter_temporary(const std::string& name) {
  if (name.size() >= sizeof(Slot::name)) return;
  for (Slot& slot : registered) {
    int state = Slot::free;
    if (!slot.state.compare_exchange_strong(state, Slot::changing)) continue;
    std::memcpy(slot.name, name.c_str(), name.size() + 1);
    slot.state.store(Slot::used);
    return;
  }
}

void leave_temporary(const std::string& name) {
  for (Slot& slot : registered)
    if (slot.state.load() == Slot::used && name == slot.name) return slot.state.store(Slot::free);
}

bool is_registered(const std::string& name) {
  return std::any_of(registered.begin(), registered.end(),
                     [&](const Slot& slot) { return slot.state.load() == Slot::used && name == slot.name; });
}

bool ends_with_lock(const std::string& name) {
  return name.size() > 5 && name.compare(name.size() - 5, 5, "-lock") == 0;
}

bool is_temporary_name(const std::string& name) {
  const std::size_t at = name.rfind(kTemporaryMark);
  if (at == std::string::npos) return false;
  const std::size_t process = at + std::strlen(kTemporaryMark);
  const std::size_t dash = name.find_first_not_of("0123456789", process);
  if (dash == std::string::npos || dash == process || name[dash] != '-' || dash + 1 == name.size()) return false;
  return name.compare(dash, std::string::npos, "-lock") == 0 ||
         name.find_first_not_of("0123456789", dash + 1) == std::string::npos;
}

namespace {

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

[[noreturn]] void fail(const std::string& path, const char* action, int error) {
  const std::string remedy = shortage_remedy(error);
  throw ResourceError(text(path, ": ", action, ": ", std::strerror(error), "; nothing was written",
                           remedy.empty() ? ", choose a folder with space and write permission" : remedy));
}

}  // namespace

void check_target(const std::string& path, bool force) {
  NTKROB_CHECK(!path.empty(), ConfigError, "the name of the output file is empty");
  struct stat info;
  if (::lstat(path.c_str(), &info) == 0) {
    if (S_ISLNK(info.st_mode) && ::stat(path.c_str(), &info) != 0)
      info.st_mode = S_IFREG;  // a dangling link is replaced
    NTKROB_CHECK(!S_ISDIR(info.st_mode), ConfigError, path, ": is a folder; give the name of a file");
    NTKROB_CHECK(S_ISREG(info.st_mode), ConfigError, path, ": is not a regular file; give the name of a file");
    NTKROB_CHECK(force, ConfigError, path, ": exists; ", advice("pass ", field("force", "true"), " to replace it"));
  }
  const std::string folder = folder_of(path);
  if (::stat(folder.c_str(), &info) != 0) fail(path, "folder of the output file cannot be used", errno);
  NTKROB_CHECK(S_ISDIR(info.st_mode), ResourceError, path, ": ", folder, " is not a folder");
}

void check_space(const std::string& path, std::size_t n_bytes) {
  struct statvfs disk;
  if (n_bytes == 0 || ::statvfs(folder_of(path).c_str(), &disk) != 0) return;
  const double free = static_cast<double>(disk.f_bavail) * static_cast<double>(disk.f_frsize);
  constexpr double kMiB = 1 << 20;
  NTKROB_CHECK(static_cast<double>(n_bytes) <= free, ResourceError, path, ": needs ",
               std::ceil(static_cast<double>(n_bytes) / kMiB), " MiB, the disk has ", std::floor(free / kMiB),
               " MiB left; make room, or choose a folder on another disk");
}

AtomicFile::AtomicFile(std::string path, bool force) : path_(std::move(path)), force_(force) {
  check_target(path_, force);
  // A symbolic link keeps pointing to its target: the target is what gets replaced.
  if (char* real = ::realpath(path_.c_str(), nullptr)) {
    path_ = real;
    std::free(real);
  }
  // Our own names instead of mkstemp(), which ignores the umask: an output file gets what the user's umask says.
  static std::atomic<unsigned> counter{0};
  struct stat info;
  const bool replaces = ::stat(path_.c_str(), &info) == 0;
  int error = 0;
  do {
    temporary_ = path_ + ".tmp-" + std::to_string(::getpid()) + "-" + std::to_string(counter++);
    // Registered before it is there: a signal may come between the two.
    enter_temporary(temporary_);
    descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    error = descriptor_ < 0 ? errno : 0;
    if (error != 0) leave_temporary(temporary_);
  } while (error == EEXIST);
  if (error != 0) {
    temporary_.clear();
    fail(path_, "cannot create a file here", error);
  }
  if (replaces && ::fchmod(descriptor_, info.st_mode & 07777) != 0) errno = 0;  // some file systems have no modes
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (temporary_.empty()) return;
  ::unlink(temporary_.c_str());
  leave_temporary(temporary_);
}

void AtomicFile::write(const void* data, std::size_t n_bytes) {
  const char* position = static_cast<const char*>(data);
  while (n_bytes > 0) {
    const ssize_t written = ::write(descriptor_, position, n_bytes);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) fail(path_, "cannot write", written < 0 ? errno : ENOSPC);
    position += written;
    n_bytes -= static_cast<std::size_t>(written);
  }
}

void AtomicFile::reserve(std::size_t n_bytes) {
  const int error = n_bytes == 0 ? 0 : ::posix_fallocate(descriptor_, 0, static_cast<off_t>(n_bytes));
  if (error != 0 && error != EINVAL && error != EOPNOTSUPP) fail(path_, "cannot make room on the disk", error);
}

void AtomicFile::write_at(std::size_t offset, const void* data, std::size_t n_bytes) {
  const char* position = static_cast<const char*>(data);
  while (n_bytes > 0) {
    const ssize_t written = ::pwrite(descriptor_, position, n_bytes, static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) fail(path_, "cannot write", written < 0 ? errno : ENOSPC);
    position += written;
    offset += static_cast<std::size_t>(written);
    n_bytes -= static_cast<std::size_t>(written);
  }
}

void AtomicFile::finish() {
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail(path_, "cannot rename the finished file", errno);
  leave_temporary(temporary_);
  temporary_.clear();
}

void AtomicFile::flush() {
  if (::fsync(descriptor_) != 0 && errno != EINVAL && errno != EROFS) fail(path_, "cannot flush to disk", errno);
  const int closed = ::close(descriptor_);
  descriptor_ = -1;
  if (closed != 0) fail(path_, "cannot write", errno);
}

void AtomicFile::commit() {
  flush();
  if (force_) {
    finish();
  } else {
    // link() refuses an existing target, so a file that appeared since check_target() survives.
    if (::link(temporary_.c_str(), path_.c_str()) == 0) return;
    NTKROB_CHECK(errno != EEXIST, ConfigError, path_, ": exists; ",
                 advice("pass ", field("force", "true"), " to replace it"));
    finish();
  }
}

void commit_together(const std::vector<AtomicFile*>& files) {
  for (AtomicFile* file : files) file->flush();
  struct Moved {
    std::string path, aside;  // aside: empty where there was no file
    bool placed = false;
  };
  std::vector<Moved> moved;
  static std::atomic<unsigned> counter{0};
  try {
    for (const AtomicFile* file : files) {
      struct stat info;
      if (::lstat(file->path_.c_str(), &info) != 0) {
        moved.push_back({file->path_, ""});
        continue;
      }
      NTKROB_CHECK(file->force_, ConfigError, file->path_, ": exists; ",
                   advice("pass ", field("force", "true"), " to replace it"));
      // 9: behind the numbers that AtomicFile counts, which are never as large.
      const std::string aside =
          file->path_ + kTemporaryMark + std::to_string(::getpid()) + "-9" + std::to_string(counter++);
      if (::rename(file->path_.c_str(), aside.c_str()) != 0) fail(file->path_, "cannot be replaced", errno);
      moved.push_back({file->path_, aside});
    }
    for (std::size_t k = 0; k < files.size(); ++k) {
      files[k]->finish();
      moved[k].placed = true;
    }
  } catch (const Error& error) {
    std::string kept;  // a disk on which nothing can be renamed any more
    for (const Moved& one : moved) {
      if (one.placed) ::unlink(one.path.c_str());
      if (!one.aside.empty() && ::rename(one.aside.c_str(), one.path.c_str()) != 0)
        kept += (kept.empty() ? "" : ", ") + one.aside;
    }
    if (kept.empty()) throw;
    throw ResourceError(text(error.marked(), "; what was there before is in ", kept, " and could not be moved back"));
  }
  for (const Moved& one : moved)
    if (!one.aside.empty()) ::unlink(one.aside.c_str());
}

void write_whole(const std::string& path, const void* data, std::size_t n_bytes, bool force) {
  AtomicFile file(path, force);
  file.write(data, n_bytes);
  file.commit();
}

}  // namespace io

void remove_temporary_files() noexcept {
  for (io::Slot& slot : io::registered)
    if (slot.state.load() == io::Slot::used) ::unlink(slot.name);
}

void write_text(const std::string& path, const std::string& content, bool force) {
  io::write_whole(path, content.data(), content.size(), force);
}

}  // namespace ntkrob
